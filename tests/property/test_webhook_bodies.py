"""Whatever arrives at the webhook is a group or a BadWebhook, never another error."""

import json

from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.errors import BadWebhook
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.investigate import webhook
from lens_exporter.investigate.unit import pack_group, unpack_group
from lens_exporter.model.alert import AlertGroup

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=15)
times = st.sampled_from(["2026-11-20T14:02:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999-23:59", "x"]) | anything
alerts = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["firing", "resolved"]) | anything,
        "labels": st.dictionaries(st.text(), anything) | anything,
        "annotations": st.dictionaries(st.text(), anything) | anything,
        "startsAt": times,
        "endsAt": times,
        "generatorURL": anything,
        "fingerprint": st.from_regex(r"[0-9a-f]{16}", fullmatch=True) | anything,
    },
)
bodies = st.fixed_dictionaries(
    {"version": st.just("4"), "groupKey": st.text(min_size=1), "alerts": st.lists(alerts, max_size=5)},
    optional={"truncatedAlerts": anything, "groupLabels": anything, "receiver": anything, "externalURL": anything},
)


def parse(body: bytes) -> AlertGroup | None:
    try:
        return webhook.parse(body)
    except BadWebhook:
        return None


@given(st.binary())
def test_any_bytes(body):
    """Noise is refused by name."""
    assert parse(body) is None


@given(anything)
def test_any_json(value):
    """JSON that is no webhook is refused by name; lone surrogates and infinities are what Python's writer lets through."""
    parse(json.dumps(value).encode(errors="surrogatepass"))


@given(bodies)
def test_any_body_of_the_right_form(body):
    """What is taken is within its bounds, fits every database, and survives being stored."""
    group = parse(json.dumps(body).encode(errors="surrogatepass"))
    if group is None:
        return
    assert 0 < len(group.key) <= webhook.MAX_KEY
    assert group.truncated >= 0
    for alert in group.alerts:
        assert len(alert.fingerprint) == 16
        assert alert.starts_at >= 0.0
        assert alert.ends_at is None or alert.ends_at >= alert.starts_at
        assert len(alert.labels) <= webhook.MAX_LABELS
        assert not any("\0" in text for pair in (*alert.labels.items(), *alert.annotations.items()) for text in pair)
        assert rfc3339(alert.starts_at)
    assert unpack_group(pack_group(group)) == group
