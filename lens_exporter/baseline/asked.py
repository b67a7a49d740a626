"""What a request declares: the labels of a watcher's alerts, where any of them can have these."""

from collections.abc import Collection

from lens_exporter.baseline.expected import BELOW_CRITICAL
from lens_exporter.baseline.said import concerns
from lens_exporter.errors import DeclarationInvalid, UnknownWatcher
from lens_exporter.model.decision import Severity
from lens_exporter.model.labels import Labels
from lens_exporter.model.matcher import Matcher
from lens_exporter.publish import acceptable

_SHOWN = 40  # characters


def matchers_of(watcher: str, labels: Labels, own: Collection[Labels]) -> tuple[Matcher, ...]:
    """Give the matchers of a request about the alerts of one watcher that have these labels.

    own has the labels of our own (alertname, watcher, category) of every alert that any watcher may raise. A target that nobody
    knows is no error: its series may come later.

    Raises:
        UnknownWatcher: there is none of this name.
        DeclarationInvalid: no alert that a declaration could keep back can have such labels; names what is wrong.

    """
    watchers = dict.fromkeys(one["watcher"] for one in own)
    if watcher not in watchers:
        raise UnknownWatcher(name=watcher, known=", ".join(watchers) or "none")
    for name, value in labels.items():
        _check(name, value)
    matchers = (Matcher("watcher", watcher), *(Matcher(name, value) for name, value in sorted(labels.items())))
    if not concerns(matchers, own):
        mine = [one for one in own if one["watcher"] == watcher]
        known = ", ".join(sorted({f"{one['alertname']} (category {one['category']})" for one in mine}))
        raise DeclarationInvalid(what="labels", reason=f"no alert of {watcher} has this alertname and category; it has {known}")
    return matchers


def _check(name: str, value: str) -> None:
    if name == "watcher":
        raise DeclarationInvalid(what="labels.watcher", reason="the field watcher says whose alerts are meant")
    if name == "severity" and value == Severity.CRITICAL:
        raise DeclarationInvalid(what="labels.severity", reason="critical alerts are fired whatever was declared")
    if name == "severity" and value not in BELOW_CRITICAL:
        known = " or ".join(BELOW_CRITICAL)
        raise DeclarationInvalid(what="labels.severity", reason=f"expected {known}, got {value[:_SHOWN]!r}")
    if name not in acceptable.labels({name: "any"}):
        reason = "no alert of ours has a label of this name: letters, digits and _ of ASCII, at most 128 of them"
        raise DeclarationInvalid(what=f"label {name[:_SHOWN]!r}", reason=reason)
