"""A bad release, as a real Prometheus and a real VictoriaMetrics remember it."""

import math
import re
import time
from urllib.parse import quote

import numpy as np
import pytest

from lens_exporter.demo.backfill import Series
from lens_exporter.model.alert import Alert
from lens_exporter.model.analysis import Outcome, Recheck
from tests.integration.desk import Desk
from tests.servers.prometheus import PrometheusServer
from tests.servers.victoriametrics import VictoriaMetricsServer

pytestmark = pytest.mark.integration

STEP = 30.0
# Back-filled samples must be three hours old; the investigation is made as if it were then.
AT = math.floor((time.time() - 3.3 * 3600) / 60) * 60.0
RELEASED = AT - 50 * 60
OLD, NEW = "web-7d9f8c6b5", "web-64bd9c8c4f"
ENDS = ("x2x4k", "9kq2v", "b7c5d")


def history():
    """Three pods give way to three others, one a minute: every hundredth request failed, now every tenth does, under noise of 20 %."""
    rng = np.random.default_rng(3)
    for number, end in enumerate(ENDS):
        turn = RELEASED + 60 * number
        for release, failing, begin, stop in ((OLD, 0.01, AT - 6 * 3600, turn + 90), (NEW, 0.1, turn, AT + 60)):
            times = np.arange(begin, stop, STEP)
            served = np.cumsum(rng.poisson(40 * STEP, times.size))
            failed = np.cumsum(rng.poisson(40 * STEP * failing * np.exp(0.2 * rng.standard_normal(times.size))))
            labels = {
                "namespace": "shop",
                "pod": f"{release}-{end}",
                "instance": f"10.0.{number}.{int(failing * 100)}:80",
                "job": "web",
            }
            yield Series("http_requests_total", labels, list(zip(times.tolist(), served.astype(float).tolist(), strict=True)))
            yield Series("http_errors_total", labels, list(zip(times.tolist(), failed.astype(float).tolist(), strict=True)))


def prometheus(folder):
    return PrometheusServer(folder, history=list(history()))


def victoriametrics(folder):
    server = VictoriaMetricsServer(folder).start()
    server.write(history())
    return server


@pytest.mark.parametrize("store", [prometheus, victoriametrics])
def test_the_release_that_brought_the_errors_is_the_cause(tmp_path, store):
    """The rule is the user's, and names no pod; every number is asked again and proved."""
    labels = {"alertname": "Errors", "severity": "critical", "namespace": "shop", "pod": f"{NEW}-{ENDS[0]}", "job": "web"}
    labels["instance"] = "10.0.0.10:80"
    alert = Alert(labels, {}, AT - 40 * 60, generator_url=f"http://p/graph?g0.expr={quote('rate(http_errors_total[5m]) > 2')}")
    with store(tmp_path) as server:
        answer = Desk(server.url, AT).investigate(alert)
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND, answer.analysis
    assert answer.analysis.summary.startswith(f"It came with a release: {NEW} has run since ")
    told = (
        rf"in place of {OLD}; errors (3\.\d+|4(\.\d+)?)/s in its middle pod, 0\.[345]\d*/s before \(0\.\d+/s at most over 20 min\)"
    )
    assert re.search(told, answer.analysis.summary), answer.analysis.summary
    assert all(finding.holds for finding in answer.analysis.findings)
    (asked,) = [one for one in answer.receipts if one.tool == "compare_releases"]
    assert asked.recheck is Recheck.CONFIRMED
