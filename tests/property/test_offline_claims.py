"""Whatever happens to a target, the offline analyst says nothing that its receipts do not prove."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lens_exporter.model.analysis import Outcome
from tests.unit.investigate.export_service import (
    CALM,
    LENS_FILES,
    LENS_MEMORY,
    PROCESS,
    TOO_MANY,
    investigated,
    live,
    open_files,
    used,
)
from tests.unit.investigate.scripted import AT, MINUTE

MINUTES = st.floats(0.5, 40)


@st.composite
def courses(draw, level):
    """A course that is steady, leaks, jumps, or goes and comes back, with some noise."""
    begins, ends = AT - MINUTE * draw(MINUTES), AT - MINUTE * draw(st.floats(0, 10))
    size = level * draw(st.floats(0.01, 50))
    noise = level * draw(st.sampled_from([0.0, 0.01]))
    kind = draw(st.sampled_from(["steady", "leak", "jump", "burst", "ends"]))

    def course(times):
        moved = {
            "steady": 0.0 * times,
            "leak": np.maximum(times - begins, 0.0) / 60.0 * size / 10.0,
            "jump": np.where(times > begins, size, 0.0),
            "burst": np.where((times > begins) & (times < ends), size, 0.0),
            "ends": np.where(times > ends, np.nan, np.maximum(times - begins, 0.0) / 60.0 * size / 10.0),
        }[kind]
        return np.round(level + moved + noise * np.sin(times / 7.0))

    return course


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=courses(60.0),
    memory=courses(3e7),
    threads=courses(18.0),
    counted=st.integers(0, 2000),
    alert=st.sampled_from([LENS_FILES, LENS_MEMORY, TOO_MANY]),
)
def test_every_claim_of_the_offline_analyst_holds(files, memory, threads, counted, alert):
    """No finding struck, no sentence dropped, no text too long; a cause has a finding that names it."""
    series = [
        *CALM[:5],
        *used("open_fds", files, 4096),
        *used("memory", memory, 2e9, "_bytes"),
        *used("threads", threads, 32_768),
    ]
    tools = (open_files(float(counted + 4), **{"/tmp/export-*.csv": counted}), PROCESS, live("get_sockets", {"sockets": 1.0}))
    answer = investigated(series, alert, tools=tools)
    assert 10 <= len(answer.analysis.summary) <= 500
    assert answer.analysis.summary.endswith("Offline analyst: no model was used.")
    assert len(answer.analysis.hypotheses) <= 3
    if answer.analysis.outcome is Outcome.CAUSE_FOUND:
        assert answer.analysis.findings
    else:
        assert not answer.analysis.summary.startswith(("Inconclusive: inconclusive", "Inconclusive: ."))
