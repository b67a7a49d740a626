"""The page a running lens-exporter serves: clean for promtool, in each format that scrapers ask for."""

import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from lens_exporter.errors import ServerMissing
from tests.servers.faulty import FaultyServer, ok
from tests.servers.lens_process import LensProcess
from tests.servers.missing import skip_or_fail
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance

TEXT, OPENMETRICS = "text/plain", "application/openmetrics-text"
# What scrapers send: curl, Prometheus 2.42, Prometheus 3.x, VictoriaMetrics, and what means the same in other words.
ASKED = {
    "*/*": TEXT,
    "": TEXT,
    "text/plain": TEXT,
    "application/json": TEXT,
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1": OPENMETRICS,
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2": OPENMETRICS,
    "text/plain;version=0.0.4;q=1,*/*;q=0.1": TEXT,
}


def test_the_whole_page_is_clean_in_each_format(tmp_path):
    """With real lenses, watchers that look and fail, refusals and an investigation on it: promtool says nothing, OpenMetrics parses."""
    with skip_or_fail():
        if shutil.which("promtool") is None:
            raise ServerMissing(program="promtool", package="prometheus")
    with FaultyServer(ok({"status": "success", "data": {"resultType": "matrix", "result": []}})) as prometheus:
        config = {
            "prometheus": {"url": prometheus.url},
            "alertmanager": {"urls": ["http://127.0.0.1:1"]},
            "watchers": [{"host": "* * * * * *"}, {"python": "* * * * * *"}],
            "investigate": {"debounce": "0s"},
        }
        with LensProcess(tmp_path, config).start() as lens:
            assert lens.post("/webhook", json={}).status_code == 400
            until(lambda: lens.metrics().value("lens_ticks_total") > 1, 60)
            pages = {}
            for accept, kind in ASKED.items():
                lens.showing["headers"] = {"Accept": accept, "Accept-Encoding": "gzip"}
                answer = lens.get("/metrics")
                assert answer.headers["Content-Type"].startswith(kind), accept
                assert answer.headers["Content-Encoding"] == "gzip"
                assert "Accept" in answer.headers["Vary"]
                pages[kind] = answer
    linted = subprocess.run(
        ["promtool", "check", "metrics"], input=pages[TEXT].content, capture_output=True, timeout=60, check=False
    )
    assert (linted.returncode, linted.stderr, linted.stdout) == (0, b"", b"")
    assert pages[OPENMETRICS].text.endswith("# EOF\n")
    families = {family.name for family in parse_openmetrics(pages[OPENMETRICS].text)}
    assert {"lens_ticks", "lens_webhooks", "lens_http_refused", "lens_build_info", "lens_up"} <= families
    assert families >= {
        line.split()[2].removesuffix("_total") for line in pages[TEXT].text.splitlines() if line.startswith("# TYPE")
    }
