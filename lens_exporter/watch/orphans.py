"""Alerts of watchers that are gone from the configuration: nobody would ever end them."""

from collections.abc import Callable, Collection
from dataclasses import replace

from lens_exporter.model.alert import Alert
from lens_exporter.watch.ports import Lifecycle


def resolve_orphans(alerts: Lifecycle, watchers: Collection[str], at: float, *, over: Callable[[Alert], object]) -> int:
    """Resolve every firing alert of a watcher that is not among `watchers`, tell the intake, and say how many there were.

    Raises:
        DatabaseError: those not resolved yet still fire; call it again.

    """
    orphans = [one for one in alerts.firing("watcher") if one.alert.labels.get("watcher") not in watchers]
    for orphan in orphans:
        alerts.resolve(orphan.alert.fingerprint, at)
        over(replace(orphan.alert, ends_at=at))
    return len(orphans)
