"""What was written down and read again goes on as if there had been no restart."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.analyzer import Analyzer
from lens_exporter.baseline.baselines import Baselines, Learning
from lens_exporter.foundation import snapshot
from lens_exporter.model.metric import BaselineMetric
from lens_exporter.watch.look import Looker
from lens_exporter.watch.ports import Watched
from tests.unit.baseline.looks import same
from tests.unit.baseline.past import Past

STEP = 900.0
DAY = 86_400.0
WINDOW = 4 * DAY
BEGINS = 1_700_006_400.0
ROWS = round(9 * DAY / STEP)
METRICS = tuple(BaselineMetric(name, name) for name in ("memory", "cpu", "latency", "errors", "queue"))


def past(seed: int) -> Past:
    """Five metrics of four instances and three queues by themselves: a season, noise, steps, gaps, some that come and some that go, an outage."""
    rng = np.random.default_rng(seed)
    hours = np.arange(ROWS) * STEP / 3600.0
    labels, values = {}, {}
    for metric in METRICS:
        x = rng.uniform(1, 1e9) * (1 + 0.3 * np.sin(2 * np.pi * hours / 24) + 0.05 * rng.standard_normal((7, ROWS)))
        x[0, 620:640] *= 3
        x[rng.random(x.shape) < 0.02] = np.nan
        x[1, : rng.integers(300, 600)] = np.nan
        x[2, 500:] = np.nan
        x[5] = np.round(x[5], -8)
        x[6, :510] = np.nan
        labels[metric.name] = tuple({"instance": f"api-{i}:9000"} if i < 4 else {"queue": f"{i}"} for i in range(7))
        values[metric.name] = x
    nobody = slice(520, 526)  # was there to look
    for x in values.values():
        x[:, nobody] = np.nan
    labels["up"], values["up"] = ({},), BEGINS + STEP * np.arange(ROWS, dtype=np.float64)[None]
    values["up"][0, nobody] = np.nan
    return Past(BEGINS, STEP, labels, values, block=int(rng.integers(7, 400)))


def looker(source: Past) -> Looker:
    watched = Watched("api", METRICS, window=WINDOW, step=STEP)
    return Looker(watched, source, Baselines(watched.asked, Learning(STEP, WINDOW, missing=True)), Analyzer())


@given(st.integers(0, 3), st.integers(470, 560), st.lists(st.integers(1, 40), min_size=1, max_size=5))
@settings(max_examples=12, deadline=None)
def test_a_restart_changes_nothing(tmp_path_factory, seed, first, gaps):
    """However long it was down, it says afterwards what one says that was never stopped, and asks for what came since."""
    path = tmp_path_factory.mktemp("kept") / "api.lens-snapshot"
    never_stopped, stopped = looker(past(seed)), looker(past(seed))
    at = BEGINS + first * STEP
    same(never_stopped.look(at), stopped.look(at))
    for gap in gaps:
        at += gap * STEP
        snapshot.save(path, stopped.remembered(), fingerprint="this", given=stopped.given)
        source = past(seed)
        stopped = looker(source)
        state = snapshot.load(path, fingerprint="this", given=stopped.given, package="lens_exporter.baseline")
        useful = stopped.recall(state, at)
        same(stopped.look(at), never_stopped.look(at))
        if useful:
            assert min(start for _, start, _ in source.asked) >= at - (gap + 2) * STEP
