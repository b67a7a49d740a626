"""Names of metrics in OpenTelemetry: dots between namespaces, the unit beside the name.

A receiver that writes them for Prometheus appends unit and _total again and gives back the name on our /metrics.
"""

from dataclasses import dataclass

_UNITS = {"_bytes": "By", "_seconds": "s"}  # of UCUM
_RATIO, _OF_ONE = "_ratio", "1"  # stays in the name: not every receiver appends it
_NAMESPACES = ("lens_host_", "lens_python_", "lens_beam_", "lens_")


@dataclass(frozen=True, slots=True)
class Named:
    """What OpenTelemetry calls a metric. unit is UCUM's, "" where it has none."""

    name: str
    unit: str


def named(family: str) -> Named:
    """Name a family of Prometheus, given without _total: lens_python_memory_used_bytes is lens.python.memory_used in By."""
    ending = next((each for each in _UNITS if family.endswith(each)), "")
    rest = family.removesuffix(ending)
    space = next((each for each in _NAMESPACES if rest.startswith(each)), "")
    unit = _OF_ONE if rest.endswith(_RATIO) else _UNITS.get(ending, "")
    return Named(space.replace("_", ".") + rest.removeprefix(space), unit)
