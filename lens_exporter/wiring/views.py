"""How parts are shown on the page and in the API."""

from lens_exporter.config.settings import Watcher as WatcherSettings
from lens_exporter.exposition.ports import AlertView, WatcherView
from lens_exporter.publish.ledger import StoredAlert
from lens_exporter.watch.runner import WatcherRunner


def watcher(settings: WatcherSettings, runner: WatcherRunner) -> WatcherView:
    """Show a watcher from memory; it answers also while a tick hangs."""
    status = runner.status()
    last = status.last
    seen = last.seen if last else None
    notes = runner.watcher.notes
    return WatcherView(
        name=status.name,
        lens=settings.lens,
        schedule=status.schedule,
        state=status.state.value,
        last_run=last.at if last else None,
        next_run=status.next_due,
        seconds=last.seconds if last else None,
        series=seen.series if seen else 0,
        error=status.error,
        notes=notes.text if notes else "",
        hours=notes.hours if notes else 0.0,
        looks=notes.looks if notes else 0,
        intents=last.intents if last else None,
        observations=seen.observations if seen else (),
    )


def alert(stored: StoredAlert) -> AlertView:
    """Show an alert lens-exporter keeps alive."""
    return AlertView(stored.alert, stored.origin, stored.correlation, stored.source)
