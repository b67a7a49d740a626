"""What must hold of any schedule."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.watch.schedule import next_due

MOMENTS = st.floats(min_value=946_684_800, max_value=4_102_444_800, allow_nan=False)  # 2000 to 2100


def field(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        value.map(str),
        st.integers(1, high).map(lambda n: f"*/{n}"),
        st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.lists(value, min_size=1, max_size=4, unique=True).map(lambda some: ",".join(map(str, some))),
    )


CRONS = st.tuples(field(0, 59), field(0, 23), st.just("*"), st.just("*"), field(0, 6), st.one_of(st.none(), field(0, 59))).map(
    lambda parts: " ".join(part for part in parts if part is not None)
)


@given(CRONS, MOMENTS)
@settings(max_examples=300, deadline=None)
def test_the_next_moment_is_in_the_future_and_on_a_whole_second(cron: str, after: float) -> None:
    """Never the moment itself, never a fraction."""
    due = next_due(cron, after)
    assert due > after
    assert due == int(due)


@given(CRONS, MOMENTS, st.floats(0, 1e6, allow_nan=False))
@settings(max_examples=300, deadline=None)
def test_later_moments_have_no_earlier_next(cron: str, after: float, more: float) -> None:
    """Monotone: waiting longer never brings back a moment that is over."""
    assert next_due(cron, after + more) >= next_due(cron, after)


@given(CRONS, MOMENTS)
@settings(max_examples=300, deadline=None)
def test_nothing_is_due_between_a_moment_and_its_next(cron: str, after: float) -> None:
    """From anywhere before the next moment, that moment is the next one."""
    due = next_due(cron, after)
    assert next_due(cron, (after + due) / 2) == due
    assert next_due(cron, due - 0.5) == due
