"""Label sets, and Alertmanager's identity for them."""

import re
from collections.abc import Iterable, Mapping

# Read-only by convention; plain dicts at run time so that they serialise without ceremony.
Labels = Mapping[str, str]

_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_MASK = 0xFFFFFFFFFFFFFFFF
_SEPARATOR = b"\xff"
_CLASSIC = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_HOSTILE = re.compile(r"""^$|["'`{}\\\x00-\x1f\x7f-\x9f\u2028\u2029]""")


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
    """Write labels as a PromQL series selector; nothing in a name or value gets out of its quotes (see `matchers`)."""
    pairs = ",".join(matchers(labels))
    return f"{metric}{{{pairs}}}" if pairs or not metric else metric


def matchers(labels: Labels) -> list[str]:
    """Write each label as a matcher of PromQL and Alertmanager, in name order, with its value escaped.

    A name that is not of the classic form is quoted, as Prometheus 3 has it: "service.name"="api". One with quotes, braces,
    backslashes or control characters is left out: it names nothing that anybody means, and could become another query.
    """
    return [f'{_name(name)}="{_escape(value)}"' for name, value in sorted(labels.items()) if not _HOSTILE.search(name)]


def _name(name: str) -> str:
    return name if _CLASSIC.fullmatch(name) else f'"{name}"'


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def added(labels: Labels, more: Labels) -> dict[str, str]:
    """Give those of `more` that labels do not have already: Prometheus' rule for external_labels (notifier, `Manager.Send`)."""
    return {name: value for name, value in more.items() if name not in labels}


def without(labels: Labels, names: Iterable[str]) -> dict[str, str]:
    """Copy labels, leaving out some names."""
    dropped = set(names)
    return {name: value for name, value in labels.items() if name not in dropped}
