"""A reload does what it says, on the whole program."""

import pytest

from tests.servers.leaky_prometheus import LeakyPrometheus, watcher
from tests.servers.lens_process import LensProcess

pytestmark = pytest.mark.acceptance


def test_a_reload_that_is_taken_took_effect_and_one_that_cannot_is_refused(tmp_path):
    """The page shows the new origin at once; the number of investigations at once is the durable engine's, made at the start."""
    with LeakyPrometheus() as prometheus:
        config = {"prometheus": {"url": prometheus.url}, "watchers": [watcher("stays")]}
        with LensProcess(tmp_path, {"origin": "before", **config}).start() as lens:
            lens.configure({"origin": "after", **config})
            assert lens.post("/-/reload").status_code == 200
            page = lens.get("/").text
            assert "after: lens-exporter" in page
            assert "before" not in page
            lens.configure({"origin": "later", "investigate": {"concurrency": 5}, **config})
            answer = lens.post("/-/reload")
            assert answer.status_code == 500
            message = answer.json()["error"]["message"]
            assert message.endswith("investigate.concurrency cannot change while running: restart lens-exporter")
            assert "after: lens-exporter" in lens.get("/").text
