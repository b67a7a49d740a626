"""Whatever a series does, an alert of it is over within an hour of calm, and what is remembered of it goes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.watch.test_flapping import WATCHED, Told, conclusion

MINUTE = 60.0
LOOKS = st.lists(
    st.tuples(st.sampled_from(["out", "calm", "gone", "not looked", "not admitted"]), st.integers(1, 40)), min_size=1, max_size=30
)


@given(stretches=LOOKS, step=st.sampled_from([1, 5, 30, 90]))
def test_an_alert_ends_within_an_hour_of_calm_and_nothing_stays(stretches: list[tuple[str, int]], step: int) -> None:
    """Never before three calm readings, at the latest an hour after the last anomaly; after one more nothing is remembered."""
    seen = Told(replace(WATCHED, step=MINUTE * step))
    minute = calm = out = 0
    for kind, looks in [*stretches, ("calm", 60)]:
        for _ in range(looks):
            minute += step
            if kind == "not looked":
                continue
            is_out = kind in {"out", "not admitted"}
            calm, out = (min(calm + 1, 30), out) if kind == "calm" else (0, minute if is_out else out)
            before = len(seen.open)
            found = [] if kind == "gone" else [conclusion(is_out, calm)]
            seen.look(minute, found, admitted=lambda _minute, kind=kind: kind == "out")
            if kind == "calm":
                assert not (before and not seen.open and calm < WATCHED.resolve_after)
                assert not seen.open or calm < WATCHED.resolve_after or minute - out < max(60, WATCHED.resolve_after * step)
            assert len(seen.memory.courses) <= 1
    assert seen.open == []
    seen.look(minute + 61 + WATCHED.resolve_after * step, [conclusion(False, 30)])
    assert seen.memory.courses == {}
