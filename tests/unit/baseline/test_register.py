"""The register of what is declared. tests/integration/test_expected_postgresql.py runs the same over PostgreSQL."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from lens_exporter.baseline import register as registers
from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.baseline.register import Register, expected_table
from lens_exporter.errors import DeclarationsFull, DeclaredElsewhere, UnknownDeclaration
from lens_exporter.foundation.database import Database
from lens_exporter.model.matcher import Matcher

NOW = 1_795_176_000.0
MATCHERS = (Matcher("instance", 'a"7\n'), Matcher("job", "a.+", regex=True), Matcher("device", "sda", equal=False))


@pytest.fixture
def database():
    database = Database("sqlite://")
    database.migrate()
    yield database
    database.close()


def said(number=0, source=DeclarationSource.API, begin=NOW, **more):
    return Declaration(f"d{number}", source, MATCHERS, begin, begin + 3600.25, "alice", "expected: \N{SNOWMAN}", **more)


def test_what_was_kept_is_read_as_it_was_said(database):
    """Every field, over a new register on the same database, in the order in which it begins."""
    first, second = said(0), said(1, DeclarationSource.SILENCE, NOW - 60)
    for one in (first, second):
        assert Register(database).put(one)
    assert Register(database).all() == (second, first)


@pytest.mark.parametrize(
    "changed", [{"ends_at": NOW + 9}, {"starts_at": NOW - 9}, {"by": "bob"}, {"comment": ""}, {"matchers": MATCHERS[:1]}]
)
def test_only_what_changes_a_declaration_counts(database, changed):
    """The same once more is nothing new; any field that differs is, and replaces what was known."""
    register = Register(database)
    assert [register.put(said()), register.put(said())] == [True, False]
    assert register.put(replace(said(), **changed))
    assert register.all() == (replace(said(), **changed),)


def test_what_the_api_said_can_be_taken_back_and_a_silence_cannot(database):
    """Withdrawn it is gone; an unknown id, and a silence's, each have their own answer."""
    register = Register(database)
    register.put(said(0))
    register.put(said(1, DeclarationSource.SILENCE))
    assert register.withdraw("d0") == said(0)
    with pytest.raises(UnknownDeclaration, match="nothing is declared to be expected under 'd0'"):
        register.withdraw("d0")
    with pytest.raises(DeclaredElsewhere, match="d1 is a silence of Alertmanager: expire it there"):
        register.withdraw("d1")
    register.remove("d1")
    register.remove("d1")
    assert register.all() == ()


def test_the_oldest_are_forgotten(database):
    """What ended before a moment, or at it, is gone; what runs on is not."""
    register = Register(database)
    old, running = said(0, begin=NOW - 7200), said(1)
    for one in (old, running):
        register.put(one)
    register.prune(old.ends_at - 1)
    assert len(register.all()) == 2
    register.prune(old.ends_at)
    assert register.all() == (running,)


def fill(database, source, count):
    row = registers._values(said(source=source))
    with database.transaction() as connection:
        connection.execute(expected_table.insert(), [{"id": f"{source.value}{number}", **row} for number in range(count)])


def test_a_full_register_takes_changes_and_nothing_new(database):
    """A thousand are kept; the error says what to do, and one that is known may still change."""
    fill(database, DeclarationSource.SILENCE, registers.MOST - 1)
    register = Register(database)
    assert register.put(said())
    for source in DeclarationSource:
        with pytest.raises(DeclarationsFull, match="limit of 1000 declarations of what is expected reached: withdraw one"):
            register.put(replace(said(1, source), id="new"))
    assert register.put(replace(said(), comment="changed"))
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(expected_table)).scalar_one() == registers.MOST
    register.withdraw("d0")
    assert register.put(said(1))


def test_requests_leave_room_for_silences(database):
    """Whoever fills it by requests is refused at nine hundred; what people say in Alertmanager is still taken."""
    fill(database, DeclarationSource.API, registers.MOST_ASKED - 1)
    register = Register(database)
    assert register.put(said())
    with pytest.raises(DeclarationsFull, match="limit of 900 declarations of what is expected that came by requests reached"):
        register.put(said(1))
    assert register.put(replace(said(), comment="changed"))
    assert register.put(said(1, DeclarationSource.SILENCE))
    register.withdraw("d0")
    assert register.put(said(2))
