"""How a configured Prometheus is asked."""

from collections.abc import Iterator
from typing import Any

import pytest

from lens_exporter.config.secrets import Secrets
from lens_exporter.config.settings import Prometheus
from lens_exporter.errors import AnswerTooLarge
from lens_exporter.foundation.database import Database
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.tool import ToolStatus
from lens_exporter.wiring.ground import lay
from lens_exporter.wiring.remotes import Remotes
from tests.servers.faulty import FaultyServer, Reply

EMPTY = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'


@pytest.fixture
def remotes() -> Iterator[Remotes]:
    database = Database("sqlite://")
    yield Remotes(lay(database, Telemetry(), Secrets({})))
    database.close()


@pytest.mark.parametrize(
    ("headers", "encoding"), [({}, "identity"), ({"accept-encoding": "gzip"}, "gzip"), ({"X-Site": "b"}, "identity")]
)
def test_answers_come_uncompressed_unless_somebody_asks_for_it(remotes: Remotes, headers: dict[str, str], encoding: str) -> None:
    """Compressing costs a Prometheus more than the answer itself; a configured header wins."""
    with FaultyServer(Reply(EMPTY)) as server:
        settings = Prometheus.model_validate({"url": server.url, "headers": headers, "tenant": "team-a"})
        remotes.prometheus("prometheus", settings).query("up")
        sent = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert (sent["accept-encoding"], sent["x-scope-orgid"]) == (encoding, "team-a")


@pytest.mark.parametrize(("more", "fits"), [({}, False), ({"max_series": 40_000}, True)])
def test_more_series_may_answer_more(remotes: Remotes, more: dict[str, Any], fits: bool) -> None:
    """max_series is the one setting for large fleets: it also says how large an answer may be."""
    with FaultyServer(Reply(EMPTY + b" " * (70 * 1024 * 1024))) as server:
        client = remotes.prometheus("prometheus", Prometheus.model_validate({"url": server.url, **more}))
        if fits:
            assert client.query("up").status is ToolStatus.EMPTY
        else:
            with pytest.raises(AnswerTooLarge):
                client.query("up")
