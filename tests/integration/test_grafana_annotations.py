"""Grafana's annotations API over HTTP, right answers and wrong ones."""

import pytest

from lens_exporter.errors import BadAnswer, RemoteRefused, RemoteTimeout, RemoteUnavailable, Unreachable
from lens_exporter.foundation.http import Credentials
from lens_exporter.publish.grafana import Annotation, Grafana
from tests.servers.endpoints import endpoint
from tests.servers.faulty import FaultyServer, Reply, ok
from tests.servers.grafana import FakeGrafana

pytestmark = pytest.mark.integration

NOTE = Annotation(1000.25, 1060.5, ("lens", "lens:01JD"), "open files leak")


def grafana(server, token="glsa_secret", dashboard_uid=None, timeout=5):
    one = endpoint(server.url, "grafana", credentials=Credentials(bearer=lambda: token), timeout=timeout)
    return Grafana(one, dashboard_uid=dashboard_uid)


def test_create_find_and_end():
    """Milliseconds, tags and text as Grafana wants them; found by its unique tag; the end is moved."""
    with FakeGrafana() as server:
        one = grafana(server)
        assert one.find("lens:01JD") is None
        created = one.create(NOTE)
        assert server.annotations[1] == {"time": 1000250, "timeEnd": 1060500, "tags": list(NOTE.tags), "text": NOTE.text}
        assert one.find("lens:01JD") == created
        assert one.find("lens:other") is None
        one.end(created, 2000.0)
        assert server.annotations[1]["timeEnd"] == 2_000_000
        one.end("77", 2000.0)  # somebody deleted it


def test_a_dashboard_is_named_where_one_is_configured():
    """Without one it is an annotation of the organisation."""
    with FakeGrafana() as server:
        grafana(server, dashboard_uid="lens").create(NOTE)
        assert server.annotations[1]["dashboardUID"] == "lens"


def test_a_wrong_token_is_a_refusal():
    """Named with status and Grafana's own words."""
    with FakeGrafana() as server, pytest.raises(RemoteRefused, match=r"refused the request with 401.*Unauthorized"):
        grafana(server, token="old").create(NOTE)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(b"<html>", content_type="text/html"), BadAnswer),
        (ok({"message": "fine, but no id"}), BadAnswer),
        (ok([1]), BadAnswer),
        (Reply(b'{"id": 5}', half=True), BadAnswer),
        (Reply(b"", 500), RemoteUnavailable),
        (Reply(hang=True), RemoteTimeout),
    ],
)
def test_every_way_to_fail_has_its_name(reply, error):
    """Creating and looking fail by name, and never pretend."""
    with FaultyServer(reply) as server:
        one = grafana(server, timeout=0.3 if reply.hang else 5)
        with pytest.raises(error):
            one.create(NOTE)
        with pytest.raises(error):
            one.find("lens:01JD")
    with pytest.raises(Unreachable):
        grafana(server).end("1", 0.0)
