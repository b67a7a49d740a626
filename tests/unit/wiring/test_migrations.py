"""The migrations and the tables the packages declare are the same schema."""

import importlib
import pkgutil

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import lens_exporter
from lens_exporter.foundation.database import Database, metadata


def every_table() -> None:
    for module in pkgutil.walk_packages(lens_exporter.__path__, "lens_exporter."):
        if "migrations" not in module.name:
            importlib.import_module(module.name)


def test_migrated_schema_is_the_declared_one() -> None:
    """After all migrations a database has exactly the tables, columns and indexes that the code uses."""
    every_table()
    database = Database("sqlite://")
    database.migrate()
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    assert differences == []
    assert set(metadata.tables) >= {
        "events",
        "alerts",
        "cooldowns",
        "investigations",
        "intake_alerts",
        "deliveries",
        "delivery_sources",
        "expected_spans",
    }


def test_a_forgotten_migration_is_found() -> None:
    """The comparison above does see a difference: a table dropped from the migrated schema is missed."""
    every_table()
    database = Database("sqlite://")
    database.migrate()
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE cooldowns")
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert [kind for kind, *_ in differences] == ["add_table"]
    assert differences[0][1].name == "cooldowns"


@pytest.mark.parametrize("twice", [1, 2])
def test_migrating_again_changes_nothing(twice: int) -> None:
    """A start on a current schema leaves it alone."""
    database = Database("sqlite://")
    for _ in range(twice):
        database.migrate()
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").all() == [("0004",)]
