"""A watcher's notes."""

from lens_exporter.baseline.notes import Notes
from lens_exporter.foundation.database import Database, metadata


def test_the_newest_note_replaces_the_old_and_none_keeps_it() -> None:
    """One string per watcher; looks and hours are counted whether or not there is something new to say."""
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    notes = Notes(database)
    assert notes.read("host") is None
    notes.looked("host", 3600.0, "memory grows")
    kept = notes.looked("host", 7200.0, None)
    assert notes.read("host") == kept
    assert (kept.text, kept.looks, kept.hours) == ("memory grows", 2, 1.0)
    notes.looked("host", 10_800.0, "threads too")
    notes.looked("python", 10_800.0, None)
    replaced, other = notes.read("host"), Notes(database).read("python")
    assert replaced is not None
    assert other is not None
    assert (replaced.text, replaced.looks, replaced.hours) == ("threads too", 3, 2.0)
    assert (other.text, other.looks, other.hours) == ("", 1, 0.0)
