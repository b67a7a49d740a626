"""What several Alertmanagers hold together."""

from typing import Any

import pytest

from lens_exporter.errors import RemoteUnavailable
from lens_exporter.publish.alertmanager import Alertmanager, Holdings, held_alerts
from tests.servers.endpoints import endpoint
from tests.servers.faulty import FaultyServer, Reply, ok

DOWN = Reply(status=503)


def held(name: str, fingerprint: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name},
        "annotations": {},
        "startsAt": "2026-11-20T14:02:00Z",
        "fingerprint": fingerprint,
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "receivers": [],
    }


def manager(server: FaultyServer) -> Alertmanager:
    return Alertmanager(endpoint(server.url, "alertmanager"))


def test_together_they_hold_each_alert_once() -> None:
    """Alerts do not gossip: what only one of them knows counts, and what both know is one alert."""
    with FaultyServer(ok([held("A", "a"), held("B", "b")])) as one, FaultyServer(ok([held("B", "b"), held("C", "c")])) as other:
        holdings = held_alerts([manager(one), manager(other)])
    assert [each.alert.name for each in holdings.alerts] == ["A", "B", "C"]
    assert holdings.failures == ()


@pytest.mark.parametrize("first_is_down", [True, False])
def test_one_that_answers_is_enough_and_the_other_is_named(first_is_down: bool) -> None:
    """Whoever needs all of them sees that one did not answer."""
    with FaultyServer(DOWN) as down, FaultyServer(ok([held("A", "a")])) as up:
        pair = [manager(down), manager(up)]
        holdings = held_alerts(pair if first_is_down else pair[::-1])
        (failure,) = holdings.failures
        assert down.url in str(failure)
    assert [each.alert.name for each in holdings.alerts] == ["A"]


def test_when_none_answers_that_is_an_error_and_not_an_empty_list() -> None:
    """The last one's error says which it is about."""
    with FaultyServer(DOWN) as one, FaultyServer(DOWN) as other:
        with pytest.raises(RemoteUnavailable) as raised:
            held_alerts([manager(one), manager(other)])
        assert other.url in str(raised.value)
    assert held_alerts([]) == Holdings()


def test_hostile_label_values_stay_inside_their_quotes() -> None:
    """A quote, a backslash and a line's end in a group's label would otherwise be a broken matcher, or another one."""
    with FaultyServer(ok([])) as server:
        held_alerts([manager(server)], {"path": 'C:\\a "b"\nc', "job": "api"})
        assert server.requests[0].params["filter"] == ['job="api"', 'path="C:\\\\a \\"b\\"\\nc"']
