"""Declarations and the cache of what was learnt: whenever somebody said it, a long life and a fresh start agree."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.baseline.expected import Declaration, DeclarationSource
from lens_exporter.model.matcher import Matcher
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Watched
from tests.property.test_baselines_cache import BEGINS, METRICS, STEP, past, same

DAY = 86_400.0
WINDOW = 8 * DAY
FIRST = 640  # row of the first look: an incident of api-0 ends there


def looker(source, declared) -> Looker:
    watched = Watched("api", METRICS, window=WINDOW, step=STEP)
    learning = Learning(STEP, WINDOW, declared=lambda: tuple(declared))
    return Looker(watched, source, Baselines(watched.asked, learning), Analyzer())


@st.composite
def declarations(draw) -> Declaration:
    begin = draw(st.integers(560, 720))
    matcher = draw(
        st.sampled_from(
            [
                Matcher("instance", "api-0:9000"),
                Matcher("instance", "api-[01]:.*", regex=True),
                Matcher("job", "web", equal=False),
                Matcher("job", "web"),
            ]
        )
    )
    at, length = BEGINS + begin * STEP, draw(st.integers(1, 60)) * STEP
    return Declaration(draw(st.uuids()).hex, DeclarationSource.API, (matcher,), at, at + length)


# A step is fifteen minutes here, the rest between two beginnings anew, so each look may begin anew.
@given(
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(1, 40), st.lists(declarations(), max_size=2), st.booleans()), min_size=2, max_size=4),
)
@settings(max_examples=8, deadline=None)
def test_whenever_it_was_said_a_long_life_and_a_fresh_start_see_the_same(seed, looks):
    """Before each look something may be declared, about the past or the future, and something taken back."""
    declared = []
    old_hand = looker(past(seed), declared)
    at = BEGINS + FIRST * STEP
    old_hand.look(at)
    for gap, more, less in looks:
        at += gap * STEP
        if less and declared:
            declared.pop(0)
        declared += more
        seen = old_hand.look(at)
    same(looker(past(seed), declared).look(at), seen)


def test_declaring_the_incident_changes_what_is_seen():
    """The property above could fail: what is declared does change what is learnt."""
    at = BEGINS + 700 * STEP
    incident = Declaration(
        "i", DeclarationSource.API, (Matcher("instance", "api-0:9000"),), BEGINS + 620 * STEP, BEGINS + 640 * STEP
    )
    ours, theirs = (looker(past(0), said).look(at) for said in ([incident], []))
    stands = [{one.labels["instance"]: one.score for one in look.groups} for look in (ours, theirs)]
    assert stands[0].keys() == stands[1].keys()
    assert {name for name in stands[0] if stands[0][name] != stands[1][name]} == {"api-0:9000"}
