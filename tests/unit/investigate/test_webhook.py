"""Alertmanager's webhook body becomes an alert group, or a BadWebhook that says what is wrong."""

import json
import time

import orjson
import pytest

from lens_exporter.errors import BadWebhook
from lens_exporter.investigate import webhook

FIRING = {
    "status": "firing",
    "labels": {"alertname": "HighLatency", "pod": "api-7"},
    "annotations": {"summary": "slow"},
    "startsAt": "2026-11-20T14:02:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "9f2c000000000001",
}
BODY = {
    "version": "4",
    "groupKey": '{}:{alertname="HighLatency"}',
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "lens",
    "groupLabels": {"alertname": "HighLatency"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "alerts": [FIRING],
}


def parse(**changes: object):
    return webhook.parse(json.dumps({**BODY, **changes}).encode())


def parse_alert(**changes: object):
    return parse(alerts=[{**FIRING, **changes}]).alerts[0]


def test_a_real_body():
    """Everything an investigation needs is kept; a firing alert has no end."""
    group = parse()
    assert (group.key, group.receiver, group.truncated) == ('{}:{alertname="HighLatency"}', "lens", 0)
    assert (group.external_url, group.labels) == ("http://alertmanager:9093", {"alertname": "HighLatency"})
    [alert] = group.alerts
    assert (alert.name, alert.labels["pod"], alert.annotations) == ("HighLatency", "api-7", {"summary": "slow"})
    assert (alert.starts_at, alert.ends_at) == (pytest.approx(1795183320.123456), None)
    assert alert.generator_url == "http://prometheus/graph"


def test_the_senders_fingerprint_is_the_alerts_identity():
    """Whoever asks Alertmanager about the alert must use its name for it; one that is no fingerprint is not used."""
    assert parse_alert().fingerprint == "9f2c000000000001"
    computed = parse_alert(fingerprint=None).fingerprint
    assert computed == parse_alert(fingerprint="nonsense").fingerprint == parse_alert(fingerprint=7).fingerprint
    assert len(computed) == 16


def test_unknown_fields_are_accepted():
    """Newer Alertmanagers add some."""
    assert parse(notificationReason="x", alerts=[{**FIRING, "silenceURL": "y"}]).alerts


@pytest.mark.parametrize(
    ("ends_at", "expected"),
    [("2026-11-20T15:00:00Z", 1795186800.0), ("0001-01-01T00:00:00Z", 1795183320.0), (None, 1795183320.0)],
)
def test_a_resolved_alert_always_has_an_end(ends_at, expected):
    """Where the sender forgot it, or wrote Go's zero time, the start stands in."""
    alert = parse_alert(status="resolved", startsAt="2026-11-20T14:02:00Z", endsAt=ends_at)
    assert alert.ends_at == expected


def test_a_firing_alert_with_an_end_in_the_future_fires():
    """The status decides, not the clock of whoever reads."""
    assert parse_alert(endsAt="2099-01-01T00:00:00Z").ends_at is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"version": "\\ud800"}', "not JSON"),
        (b"[" * 3000 + b"]" * 3000, "not JSON"),
        (b"[]", "expected a JSON object, got a list"),
        (b'"hello"', "expected a JSON object, got text"),
        (b"{}", 'the body has no version, expected "4"'),
        (b'{"version": "3"}', "the body has version '3'"),
        (b'{"version": 4}', "the body has version 4"),
        (b'{"version": "4"}', "groupKey is missing"),
        (b'{"version": "4", "groupKey": "k"}', "alerts is missing"),
        (b'{"version": "4", "groupKey": "k", "alerts": {}}', "alerts is not a list"),
        (b'{"version": "4", "groupKey": "k", "alerts": [7]}', "alerts[0] is a number, expected an object"),
        (b'{"version": "4", "groupKey": "k", "alerts": [], "groupLabels": 1}', "groupLabels is a number"),
    ],
)
def test_what_is_no_webhook_is_said_in_words(body, reason):
    """Whoever configured the sender learns what is wrong and where."""
    with pytest.raises(BadWebhook) as error:
        webhook.parse(body)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "on fire"}, "alerts[0].status is 'on fire', expected firing or resolved"),
        ({"startsAt": None}, "alerts[0].startsAt is missing"),
        ({"startsAt": "yesterday"}, "alerts[0].startsAt is 'yesterday', expected a time like"),
        ({"startsAt": 1795183320}, "alerts[0].startsAt is a number"),
        ({"status": "resolved", "endsAt": "soon"}, "alerts[0].endsAt is 'soon'"),
        ({"labels": "pod=api"}, "alerts[0].labels is text, expected an object"),
        ({"annotations": ["x"]}, "alerts[0].annotations is a list"),
    ],
)
def test_a_malformed_alert_is_named(change, reason):
    """With its place in the list."""
    with pytest.raises(BadWebhook) as error:
        parse_alert(**change)
    assert reason in str(error.value)


def test_numbers_where_text_belongs_become_text():
    """Other senders are less strict than Alertmanager; what is no scalar is left out and counted."""
    alert = parse_alert(labels={"alertname": "A", "port": 8080, "ratio": 0.5, "up": True, "nothing": None, "list": [1]})
    assert alert.labels == {"alertname": "A", "port": "8080", "ratio": "0.5", "up": "true"}
    assert alert.annotations[webhook.CUT] == "2 labels and 0 annotations were left out"


def test_null_bytes_are_replaced():
    """PostgreSQL cannot store them as text."""
    assert parse(groupKey="a\0b").key == "a\ufffdb"
    assert parse_alert(labels={"a\0": "b\0c"}).labels == {"a\ufffd": "b\ufffdc"}


def test_hostile_sizes_are_bounded_and_said():
    """Everything behind keeps what comes in here, so it is cut, and what is cut says how much is missing."""
    labels = {f"l{number}": "v" for number in range(100)}
    alert = parse_alert(labels={"long": "x" * 5000, **labels}, annotations={"description": "y" * 20_000, "n" * 300: "z"})
    assert len(alert.labels) == webhook.MAX_LABELS
    assert alert.labels["long"].endswith("x ... (2952 more characters)")
    assert alert.annotations["description"].endswith("y ... (3616 more characters)")
    assert alert.annotations[webhook.CUT] == "37 labels and 1 annotations were left out"


def test_a_long_group_key_is_shortened_and_stays_itself():
    """Two long keys that begin alike are two groups."""
    one, other = parse(groupKey="k" * 10_000 + "1").key, parse(groupKey="k" * 10_000 + "2").key
    assert len(one) == len(other) == webhook.MAX_KEY
    assert one != other
    assert one == parse(groupKey="k" * 10_000 + "1").key


def test_more_alerts_than_a_body_may_hold_are_counted():
    """As truncated, like those Alertmanager itself left out."""
    group = parse(alerts=[FIRING] * (webhook.MAX_ALERTS + 3), truncatedAlerts=4)
    assert (len(group.alerts), group.truncated) == (webhook.MAX_ALERTS, 7)


@pytest.mark.parametrize(("said", "read"), [(5, 5), (-1, 0), ("7", 0), (None, 0), (True, 0), (1e300, 1_000_000_000)])
def test_the_number_of_truncated_alerts_is_only_a_number(said, read):
    """A number that makes no sense is not believed."""
    assert parse(truncatedAlerts=said).truncated == read


def test_ten_thousand_alerts_are_read_quickly():
    """Well within the time Alertmanager waits for an answer."""
    body = json.dumps({**BODY, "alerts": [{**FIRING, "fingerprint": f"{number:016x}"} for number in range(10_000)]}).encode()
    began = time.process_time()
    assert len(webhook.parse(body).alerts) == 10_000
    assert time.process_time() - began < 2.0


def test_one_bad_alert_does_not_cost_the_others():
    """It is poison, with the reason; a body of nothing but bad alerts is refused as before."""
    good = {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-20T14:02:00Z"}
    bad = {**good, "startsAt": "yesterday"}
    group = webhook.parse(orjson.dumps({"version": "4", "groupKey": "g", "alerts": [bad, good]}))
    assert [dict(alert.labels) for alert in group.alerts] == [{}, {"alertname": "A"}]
    assert "alerts[0].startsAt" in group.alerts[0].annotations["problem"]
    with pytest.raises(BadWebhook, match=r"alerts\[0\].startsAt"):
        webhook.parse(orjson.dumps({"version": "4", "groupKey": "g", "alerts": [bad, bad]}))
