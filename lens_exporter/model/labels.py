"""Label sets, and Alertmanager's identity for them."""

from collections.abc import Iterable, Mapping

# Read-only by convention; plain dicts at run time so that they serialise without ceremony.
Labels = Mapping[str, str]

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF
_SEPARATOR = b"\xff"


def fingerprint(labels: Labels) -> str:
    """Return the 16 hex digits by which Alertmanager identifies an alert with these labels.

    FNV-1a 64 over name, 0xff, value, 0xff of the labels in name order (prometheus/common, model/signature.go).
    """
    digest = _FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + _SEPARATOR + labels[name].encode() + _SEPARATOR:
            digest = ((digest ^ byte) * _FNV_PRIME) & _MASK
    return f"{digest:016x}"


def selector(labels: Labels, *, metric: str = "") -> str:
    """Write labels as a PromQL series selector; values are escaped, so hostile label values stay inside their quotes."""
    pairs = ",".join(matchers(labels))
    return f"{metric}{{{pairs}}}" if pairs or not metric else metric


def matchers(labels: Labels) -> list[str]:
    """Write each label as a matcher of PromQL and Alertmanager, in name order, escaped as in `selector`."""
    return [f'{name}="{_escape(value)}"' for name, value in sorted(labels.items())]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def without(labels: Labels, names: Iterable[str]) -> dict[str, str]:
    """Copy labels, leaving out some names."""
    dropped = set(names)
    return {name: value for name, value in labels.items() if name not in dropped}
