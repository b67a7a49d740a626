"""Labels and annotations as every Alertmanager accepts them: one that is refused would never page anybody."""

import re
from dataclasses import replace
from itertools import count

from lens_exporter.model.alert import Alert
from lens_exporter.model.labels import Labels

MAX_NAME = 128  # characters
MAX_LABEL_VALUE = 1024
MAX_ANNOTATION = 4096
MAX_ANNOTATIONS = 32  # an Alertmanager has no limits of its own and passes on whatever it took

_ADDRESS = re.compile(r"https?://[!-~]{1,2000}")
_REFUSED = re.compile(r"[^a-zA-Z0-9_]")  # before 0.28 label names are ASCII


def acceptable(alert: Alert) -> Alert:
    """Give the alert with clean labels and annotations, times in whole milliseconds, and the fingerprint of its clean labels."""
    return replace(
        alert,
        labels=labels(alert.labels),
        annotations=annotations(alert.annotations),
        starts_at=round(alert.starts_at, 3),
        ends_at=None if alert.ends_at is None else round(alert.ends_at, 3),
        generator_url=alert.generator_url if _ADDRESS.fullmatch(alert.generator_url) else "",
        given="",
    )


def labels(given: Labels) -> dict[str, str]:
    """Drop what Prometheus keeps to itself (`__name__`) and empty values, rename what is no label name, shorten long values."""
    return _pairs({name: value for name, value in given.items() if not name.startswith("__")}, MAX_LABEL_VALUE)


def annotations(given: Labels) -> dict[str, str]:
    """As labels(), with room for prose."""
    return dict(list(_pairs(given, MAX_ANNOTATION).items())[:MAX_ANNOTATIONS])


def shortened(text: str, longest: int) -> str:
    """Cut a text at `longest` characters, and show that it was cut."""
    return text if len(text) <= longest else f"{text[: longest - 4].rstrip()} ..."


def _pairs(given: Labels, longest: int) -> dict[str, str]:
    pairs: dict[str, str] = {}
    # In the order of names, so that two names that become one are told apart the same way every time.
    for name, value in sorted(given.items()):
        text = shortened(_text(value), longest)
        if not text:
            continue  # to Alertmanager an empty label is no label
        clean = _name(name)
        numbered = (f"{clean}_{number}" for number in count(2))
        pairs[clean if clean not in pairs else next(other for other in numbered if other not in pairs)] = text
    return pairs


def _name(name: str) -> str:
    clean = _REFUSED.sub("_", name)[:MAX_NAME]
    bare = clean.lstrip("_")
    if not bare:
        return "unnamed"
    # A digit cannot come first, and two leading underscores are reserved.
    return f"_{bare}" if clean.startswith("__") or (bare == clean and bare[0].isdigit()) else clean


def _text(value: object) -> str:
    # Lone surrogates are no UTF-8, and PostgreSQL keeps no NUL.
    return str(value).encode("utf-8", "replace").decode().replace("\0", "\ufffd")
