"""Which silences declare something, and what is not taken as a declaration."""

from dataclasses import replace

import pytest

from lens_exporter.baseline import said
from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.errors import DeclarationInvalid
from lens_exporter.model.matcher import Matcher
from lens_exporter.model.silence import Silence

NOW = 1_795_176_000.0
DAY = 86_400.0
KEPT = 14 * DAY
OWN = [
    {"alertname": "LensMemory", "watcher": "host", "category": "memory"},
    {"alertname": "LensCpu", "watcher": "host", "category": "cpu"},
]
HERE = Matcher("instance", "api-7:9000")


def silence(*matchers, comment="expected: load test", begin=NOW - 60, end=NOW + 3600, **more):
    return Silence("s1", matchers or (HERE,), begin, end, comment, "alice", **more)


def taken(*silences):
    return said.taken(silences, OWN, at=NOW, kept=KEPT)


@pytest.mark.parametrize("comment", ["expected:", "Expected: load test", "EXPECTED:see OPS-12", "  expected:\nnightly"])
def test_a_comment_that_begins_with_expected_and_a_colon_declares(comment):
    """Whatever its case, whatever follows; who and why go along."""
    (found,) = taken(silence(comment=comment))
    assert found == Declaration("s1", DeclarationSource.SILENCE, (HERE,), NOW - 60, NOW + 3600, "alice", comment)


@pytest.mark.parametrize(
    "comment",
    ["", "unexpected:", "expectedly: so", "expected_downtime:", "not expected:", "is expected:", "expectation", ": expected:"],
)
def test_every_other_silence_only_silences(comment):
    """Neither a declaration nor a word about it."""
    assert taken(silence(comment=comment)) == []


ALL = Matcher("alertname", ".*", regex=True)


@pytest.mark.parametrize("comment", ["Expected to end soon, noisy db", "expected", "EXPECTED - see OPS-12", "expected :"])
@pytest.mark.parametrize("matchers", [(ALL,), (HERE,), (Matcher("alertname", "LensMemory"), HERE)])
def test_prose_that_begins_with_the_word_is_not_taken_and_says_why(comment, matchers):
    """It may have been meant: where it may speak of our alerts and is not over, one hears what a declaration would look like."""
    given = silence(*matchers, comment=comment)
    assert taken(given) == [said.Refused(given, 'the comment begins with the word "expected", and not with "expected:"')]
    assert taken(silence(Matcher("alertname", "HighLatency"), comment=comment)) == []
    assert taken(silence(*matchers, comment=comment, begin=NOW - 60, end=NOW)) == []
    assert taken(silence(*matchers, comment=comment, unreadable="matcher")) == []


def test_a_silence_of_everything_that_says_so_is_taken():
    """Somebody who writes it as the page says means it."""
    assert [type(one) for one in taken(silence(ALL))] == [Declaration]


@pytest.mark.parametrize(
    "matchers",
    [
        (Matcher("alertname", "HighLatency"), HERE),
        (Matcher("watcher", "python"), HERE),
        (Matcher("alertname", "LensMemory"), Matcher("category", "cpu")),
        (Matcher("alertname", "Lens.*", regex=True, equal=False),),
        (Matcher("severity", "page"), HERE),
    ],
)
def test_a_silence_of_somebody_elses_alerts_is_none_of_ours(matchers):
    """What no watcher's alert can be is not kept, and not complained about."""
    assert taken(silence(*matchers)) == []


@pytest.mark.parametrize("matchers", [(Matcher("alertname", "Lens.*", regex=True),), (Matcher("severity", "critical"), HERE), ()])
def test_a_silence_that_may_speak_of_ours_is(matchers):
    """Also one that only knows a target, whose series may come later."""
    assert [type(one) for one in taken(silence(*matchers))] == [Declaration]


def test_what_ended_before_all_that_is_remembered_and_what_never_began_say_nothing():
    """An expired silence still declares its past, for as long as that past is known."""
    assert [one.ends_at for one in taken(silence(begin=NOW - 2 * DAY, end=NOW - DAY))] == [NOW - DAY]
    assert taken(silence(begin=NOW - 16 * DAY, end=NOW - 15 * DAY)) == []
    assert taken(silence(begin=NOW + 5, end=NOW + 5)) == []


def test_a_silence_that_cannot_be_taken_is_refused_and_says_why():
    """Too long, or not readable: named, and the others are taken."""
    good = replace(silence(), id="s2")
    too_long, unreadable = silence(end=NOW + 32 * DAY), silence(unreadable='matcher job=~"(" cannot be read: missing )')
    first, second, third = taken(too_long, unreadable, good)
    assert first == said.Refused(too_long, "to: the span lasts 32.0 days, at most 31 are taken")
    assert second == said.Refused(unreadable, unreadable.unreadable)
    assert third.id == "s2"


def wish(begin=NOW, end=NOW + 60, *labels):
    return Declaration("d", DeclarationSource.API, labels or (HERE,), begin, end)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        (wish(NOW, NOW), "to: 2026-11-20T12:00:00Z is not after 2026-11-20T12:00:00Z"),
        (wish(NOW, NOW - 1), "to: 2026-11-20T11:59:59Z is not after"),
        (wish(NOW, NOW + 31 * DAY + 1), "to: the span lasts 31.0 days, at most 31 are taken"),
        (wish(NOW - 15 * DAY, NOW - 14 * DAY), "to: 2026-11-06T12:00:00Z is before all that is remembered, from 2026-11-06"),
        (wish(NOW + 366 * DAY, NOW + 366 * DAY + 1), "to: .* is more than 366 days ahead"),
        (wish(1e300, 2e300), "to: the span lasts"),
        (wish(NOW, NOW + 60, *[Matcher(f"l{n}", "v") for n in range(65)]), "labels: there are 65, at most 64 are taken"),
        (wish(NOW, NOW + 60, Matcher("job", "x" * 1025)), "label 'job': the name or value has more than 1024 characters"),
    ],
)
def test_a_declaration_out_of_bounds_is_refused_by_name(wanted, problem):
    """Each answer names the field."""
    with pytest.raises(DeclarationInvalid, match=problem):
        said.checked(wanted, at=NOW, kept=KEPT)


def test_a_declaration_inside_them_is_kept_in_words_that_every_database_takes():
    """The longest span, one that has nearly been forgotten; NUL and half characters go, long comments are cut."""
    for begin, end in ((NOW, NOW + 31 * DAY), (NOW - 20 * DAY, NOW - 14 * DAY + 1), (NOW + 365 * DAY, NOW + 366 * DAY)):
        assert said.checked(wish(begin, end), at=NOW, kept=KEPT).ends_at == end
    kept = said.checked(replace(wish(), by="a\0b", comment="\ud800" + "x" * 2000), at=NOW, kept=KEPT)
    assert (kept.by, len(kept.comment), kept.comment[:2]) == ("ab", 1024, "?x")


def stored(id_="s1", begin=NOW - 60, end=NOW + 3600, source=DeclarationSource.SILENCE):
    return Declaration(id_, source, (HERE,), begin, end)


def changes(have, silences, declared=(), *, complete=True):
    return said.changes(have, silences, declared, NOW, complete=complete)


def test_what_silences_declare_is_kept():
    """New or known: the register finds out whether it changed."""
    assert changes([stored()], [silence()], [stored()]) == [said.Keep(stored())]


def test_a_silence_that_was_reworded_declares_nothing_any_more():
    """It is taken back as if it had never been said."""
    (change,) = changes([stored()], [silence(comment="noise")])
    assert change == said.Withdraw(stored(), "its silence does not say so any more", None)


def test_a_silence_that_nobody_knows_any_more_ends():
    """Alertmanager lost it: it held until now; one that had not begun never held."""
    (change,) = changes([stored()], [])
    assert (change.ends_at, change.reason) == (NOW, "no Alertmanager knows its silence any more")
    (change,) = changes([stored(begin=NOW + 5)], [])
    assert change.ends_at is None


def test_who_is_away_changes_nothing():
    """Unless every Alertmanager answered, an unknown silence may be one of those that did not."""
    assert changes([stored()], [], complete=False) == []


def test_what_is_over_and_what_the_api_said_stay():
    """Alertmanager forgets expired silences after days; we go on remembering them."""
    assert changes([stored(end=NOW - 1), stored("a1", source=DeclarationSource.API)], []) == []


def test_what_is_stored_after_a_round():
    """New ones are there, what ended early ends early, what was taken back is gone; in the order in which it begins."""
    new, cut, gone, kept = (stored(id_, begin=NOW - 60 * age) for age, id_ in enumerate(("new", "cut", "gone", "kept"), start=1))
    made = [said.Keep(new), said.Withdraw(cut, "lost", NOW), said.Withdraw(gone, "reworded")]
    assert said.after([cut, gone, kept], made) == (kept, replace(cut, ends_at=NOW), new)


@pytest.mark.parametrize(
    ("matchers", "everybody"),
    [
        ((), True),
        ((Matcher("watcher", "host"),), True),
        ((Matcher("watcher", "host"), Matcher("severity", "warning")), True),
        ((ALL,), True),
        ((Matcher("alertname", "Lens.*", regex=True), Matcher("instance", ".+", regex=True)), True),
        ((Matcher("alertname", "LensMemory"),), False),
        ((Matcher("alertname", "Lens(Memory|Cpu)", regex=True),), False),
        ((ALL, HERE), False),
        ((ALL, Matcher("instance", "api-.*", regex=True)), False),
        ((ALL, Matcher("instance", "api-7:9000", equal=False)), False),
        ((ALL, Matcher("instance", "api-.*", regex=True, equal=False)), False),
    ],
)
def test_what_names_nobody_is_known(matchers, everybody):
    """Neither a target nor an alert: whatever a watcher sees would be in order."""
    assert said.names_nobody(matchers) is everybody
