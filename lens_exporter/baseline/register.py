"""What is declared to be expected, in the database: a restart, or an Alertmanager that is away, changes nothing."""

from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.errors import DeclarationsFull, DeclaredElsewhere, UnknownDeclaration
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.model.matcher import Matcher

MOST = 1000  # declarations that are kept
MOST_ASKED = 900  # of those, by requests: a script that runs wild leaves room for what people say by silences

expected_table = sa.Table(
    "expected_spans",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # the silence's, or a ULID
    sa.Column("source", sa.String(16), nullable=False),
    sa.Column("matchers", sa.LargeBinary, nullable=False),  # JSON: [[name, value, regex, equal], ...]
    sa.Column("starts_at", sa.Float, nullable=False),
    sa.Column("ends_at", sa.Float, nullable=False, index=True),
    sa.Column("declared_by", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
)


class Register:
    """Reads and writes the table. Every method is one transaction and raises DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def exists(self) -> bool:
        """Say whether the database has the table: lens-exporter, as it is now, has run on it."""
        with self._database.reading() as connection:
            return bool(sa.inspect(connection).has_table(expected_table.name))

    def all(self) -> tuple[Declaration, ...]:
        """List what is declared, in the order in which it begins."""
        statement = sa.select(expected_table).order_by(expected_table.c.starts_at, expected_table.c.id)
        with self._database.reading() as connection:
            return tuple(_declaration(row) for row in connection.execute(statement).mappings())

    def put(self, declaration: Declaration) -> bool:
        """Keep a new declaration, or the new state of one, and say whether that changed anything.

        Raises:
            DeclarationsFull: there is no place for another one.

        """
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        proposed = insert(expected_table).values(id=declaration.id, **_values(declaration))
        columns = [column for column in expected_table.columns if column.name != "id"]
        differs = sa.or_(*(column != proposed.excluded[column.name] for column in columns))
        # One statement, so that of two replicas that read the same silence one has changed something.
        upsert = proposed.on_conflict_do_update(
            index_elements=["id"], set_={column.name: proposed.excluded[column.name] for column in columns}, where=differs
        ).returning(expected_table.c.id)
        others = sa.select(sa.func.count()).select_from(expected_table)
        asked = others.where(expected_table.c.source == DeclarationSource.API.value)
        is_known = sa.select(expected_table.c.id).where(expected_table.c.id == declaration.id)
        with self._database.transaction() as connection:
            if connection.execute(is_known).first() is None:
                if connection.execute(others).scalar_one() >= MOST:
                    raise DeclarationsFull(limit=MOST, whose="")
                if declaration.source is DeclarationSource.API and connection.execute(asked).scalar_one() >= MOST_ASKED:
                    raise DeclarationsFull(limit=MOST_ASKED, whose=" that came by requests")
            return connection.execute(upsert).first() is not None

    def withdraw(self, id: str) -> Declaration:  # noqa: A002 - the name of the field
        """Take back what was declared by the API.

        Raises:
            UnknownDeclaration: there is none of this id. DeclaredElsewhere: it is a silence.

        """
        key = expected_table.c.id == id
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(expected_table).where(key)).mappings().first()
            if row is None:
                raise UnknownDeclaration(id=id)
            if row["source"] == DeclarationSource.SILENCE:
                raise DeclaredElsewhere(id=id)
            connection.execute(expected_table.delete().where(key))
        return _declaration(row)

    def remove(self, id: str) -> None:  # noqa: A002 - as above
        """Forget one, whoever declared it."""
        with self._database.transaction() as connection:
            connection.execute(expected_table.delete().where(expected_table.c.id == id))

    def prune(self, before: float) -> None:
        """Forget what ended before that time (Unix seconds)."""
        with self._database.transaction() as connection:
            connection.execute(expected_table.delete().where(expected_table.c.ends_at <= before))


def _values(declaration: Declaration) -> dict[str, Any]:
    matchers = [[one.name, one.value, one.regex, one.equal] for one in declaration.matchers]
    return {
        "source": declaration.source.value,
        "matchers": orjson.dumps(matchers),
        "starts_at": declaration.starts_at,
        "ends_at": declaration.ends_at,
        "declared_by": declaration.by,
        "comment": declaration.comment,
    }


def _declaration(row: Mapping[str, Any] | sa.RowMapping) -> Declaration:
    return Declaration(
        row["id"],
        DeclarationSource(row["source"]),
        tuple(Matcher(*one) for one in orjson.loads(row["matchers"])),
        row["starts_at"],
        row["ends_at"],
        row["declared_by"],
        row["comment"],
    )
