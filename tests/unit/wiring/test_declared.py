"""What commands that store nothing know to be expected."""

import sqlite3

import pytest

from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.baseline.register import Register
from lens_exporter.config.settings import Config
from lens_exporter.errors import DatabaseError
from lens_exporter.foundation.database import Database
from lens_exporter.model.matcher import Matcher
from lens_exporter.model.silence import Silence
from lens_exporter.wiring.declared import heard, stored

NOON = 1_795_176_000.0
DAY = 86_400.0
OWN = [{"alertname": "LensMemory", "watcher": "host", "category": "memory"}]
HERE = (Matcher("instance", "api-7:9000"),)


def config(path):
    return Config(database_url=f"sqlite:///{path}")


def test_where_none_has_run_nothing_is_stored_and_nothing_is_made(tmp_path):
    """No file is no error, and asking leaves none behind; a file of an older version has no such table yet."""
    path = tmp_path / "lens.db"
    assert stored(config(path)) == ()
    assert list(tmp_path.iterdir()) == []
    with sqlite3.connect(path) as older:
        older.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
    assert stored(config(path)) == ()


def test_what_is_stored_is_given_and_what_cannot_be_read_is_an_error(tmp_path):
    """As the running one has it."""
    path = tmp_path / "lens.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    one = Declaration("01JD", DeclarationSource.API, HERE, NOON, NOON + 60, "API", "deploy")
    Register(database).put(one)
    database.close()
    assert stored(config(path)) == (one,)
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database, but long enough to be read as one" * 40)
    with pytest.raises(DatabaseError, match="not a database"):
        stored(config(broken))


def silence(id_, comment="expected:", end=NOON + 60):
    return Silence(id_, HERE, NOON - 60, end, comment, "alice")


def declared(id_, end=NOON + 60):
    return Declaration(id_, DeclarationSource.SILENCE, HERE, NOON - 60, end, "alice", "expected:")


def told(known, silences, *, complete=True):
    return heard(known, silences, OWN, at=NOON, kept=DAY, complete=complete)


def test_silences_bring_up_to_date_what_is_known():
    """A new one is declared, one that was ended early or reworded is so, one that is lost ends now; those of the API stay."""
    api = Declaration("01JD", DeclarationSource.API, HERE, NOON - 90, NOON + 90, "API", "deploy")
    known = (api, declared("cut"), declared("lost"), declared("reworded"))
    silences = (silence("new"), silence("cut", end=NOON - 5), silence("reworded", "noise"), silence("other", "noise"))
    assert told(known, silences) == (api, declared("cut", NOON - 5), declared("lost", NOON), declared("new"))


def test_an_alertmanager_that_is_away_changes_nothing():
    """What its silences said stands."""
    assert told((declared("s1"),), (), complete=False) == (declared("s1"),)
