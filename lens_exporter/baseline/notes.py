"""What a watcher remembers in words: one string, the newest replaces the old, and how long it has been looking."""

from dataclasses import dataclass

import sqlalchemy as sa

from lens_exporter.foundation.database import Database, metadata

notes_table = sa.Table(
    "watcher_notes",
    metadata,
    sa.Column("watcher", sa.String(255), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("first_at", sa.Float, nullable=False),
    sa.Column("last_at", sa.Float, nullable=False),
    sa.Column("looks", sa.Integer, nullable=False),
)

_KEPT = sa.select(notes_table.c.text, notes_table.c.first_at, notes_table.c.last_at, notes_table.c.looks)


@dataclass(frozen=True, slots=True)
class WatcherNotes:
    text: str
    first_at: float  # Unix seconds of the first look
    last_at: float
    looks: int

    @property
    def hours(self) -> float:
        """Hours observed, from the first look to the last."""
        return (self.last_at - self.first_at) / 3600.0


class Notes:
    """Keeps the notes of all watchers, also over anomalies and restarts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, watcher: str) -> WatcherNotes | None:
        """Give a watcher's notes, None before its first look.

        Raises:
            DatabaseError: the database cannot be read.

        """
        with self._database.reading() as connection:
            row = connection.execute(_KEPT.where(notes_table.c.watcher == watcher)).first()
        return None if row is None else WatcherNotes(*row)

    def looked(self, watcher: str, at: float, text: str | None) -> WatcherNotes:
        """Count one look; a text replaces the notes, None keeps them. Give what is kept from now on.

        Raises:
            DatabaseError: the database cannot be written.

        """
        changed = {"last_at": at, "looks": notes_table.c.looks + 1} | ({} if text is None else {"text": text})
        first = {"watcher": watcher, "text": text or "", "first_at": at, "last_at": at, "looks": 1}
        with self._database.transaction() as connection:
            updated = connection.execute(notes_table.update().where(notes_table.c.watcher == watcher).values(changed))
            if updated.rowcount == 0:
                connection.execute(notes_table.insert().values(first))
            return WatcherNotes(*connection.execute(_KEPT.where(notes_table.c.watcher == watcher)).one())
