"""What two looks have to agree in."""

import pytest

from lens_exporter.watch.look import Look


def same(one: Look, other: Look) -> None:
    """Hold two looks of the same moment to be equal, but for rounding in the last digits."""
    assert len(one.observations) == len(other.observations)
    by_series = {(seen.metric, tuple(sorted(seen.target.items()))): seen for seen in other.observations}
    for seen in one.observations:
        twin = by_series[seen.metric, tuple(sorted(seen.target.items()))]
        assert (seen.phase, seen.since, seen.value) == (twin.phase, twin.since, twin.value)
        for name in ("expected", "lower", "upper", "score"):
            ours, theirs = getattr(seen, name), getattr(twin, name)
            assert (ours is None) == (theirs is None)
            if ours is not None:
                assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    decisions = [
        sorted((c.category, str(sorted(c.target.items())), c.decision.intent) for c in x.conclusions) for x in (one, other)
    ]
    assert decisions[0] == decisions[1]
    groups = [sorted((sorted(group.labels.items()), group.readings) for group in x.groups) for x in (one, other)]
    assert groups[0] == groups[1]
    levels = [[value for group in sorted(x.groups, key=str) for value in (group.score, group.threshold)] for x in (one, other)]
    assert levels[0] == pytest.approx(levels[1], rel=1e-9)
