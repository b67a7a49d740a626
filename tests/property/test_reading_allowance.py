"""Whatever a model answers, whenever looks come and the process restarts: its word reaches as far as its bounds, no further."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.baseline.reading.asker import Asker
from lens_exporter.baseline.reading.bounds import RENEWED_AFTER, Bounds, urgency
from lens_exporter.baseline.reading.holds import Holds
from lens_exporter.baseline.reading.reader import AlertStanding, JudgedLook, Reader
from lens_exporter.baseline.reading.teller import Teller
from lens_exporter.errors import ModelTimeout
from lens_exporter.foundation.clock import new_ulid
from lens_exporter.foundation.database import Database, metadata
from lens_exporter.foundation.events import Events
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.conversation import Reply
from lens_exporter.model.decision import Anomaly, Healthy, Rule, Severity
from lens_exporter.model.tool import ToolStatus
from lens_exporter.prometheus.answers import QueryAnswer
from tests.unit.baseline.reading_site import ANOMALY, Model, answers, confirms, defers, healthy

START = 1_795_176_000.0

replies = st.sampled_from(
    [
        defers(),
        healthy(),
        confirms(),
        confirms("info", cooldown_minutes=1e9),
        confirms("critical"),
        confirms(anomaly_type="disk_full"),
        answers("continue_observing", notes="x"),
        Reply((), text="no"),
        ModelTimeout(client="claude", seconds=10),
    ]
)
anomalies = st.builds(
    lambda severity, rule, furthest: replace(ANOMALY, severity=severity, rule=rule, furthest=furthest),
    st.sampled_from([Severity.WARNING] * 5 + [Severity.CRITICAL]),
    st.sampled_from([Rule.CONSECUTIVE, Rule.JUMP] * 4 + [Rule.CEILING]),
    st.sampled_from([1.1, 2.0, 2.9, 2.9, 2.9, 3.0, 50.0]),
)
# One look: seconds until the next one, what is flagged, what a model would say, and whether the process restarts before it.
looks = st.lists(
    st.tuples(st.sampled_from([15.0, 60.0, 60.0, 300.0]), st.none() | anomalies | anomalies, replies, st.booleans()),
    min_size=5,
    max_size=60,
)


class Nowhere:
    def query_range(self, _query, _start, _end, _step):
        return QueryAnswer(ToolStatus.EMPTY)


@given(looks=looks, bounds=st.builds(Bounds, times=st.integers(0, 5), within=st.sampled_from([60.0, 300.0, 900.0, 1800.0])))
@settings(max_examples=80)
def test_no_answers_hold_an_alert_back_for_longer_than_allowed(looks, bounds):
    """It never invents, never raises, never touches what is urgent, and within an hour its word stands for its allowance at most."""
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    telemetry, now, model = Telemetry(), [START], Model([])
    events = Events(database, telemetry, clock=lambda: now[0])
    gap = [0.0]

    def built() -> Reader:
        asker = Asker("claude", model.within, Nowhere(), bounds, step=60.0, stopwatch=lambda: 0.0)
        teller = Teller("w", "claude", events, telemetry)
        return Reader(asker, Holds("w", events), teller, bounds, next_look=lambda at: at + gap[0], new_id=new_ulid)

    reader, is_open, first_touched = built(), False, None
    try:
        for following, anomaly, reply, restarts in looks:
            gap[0], model.replies = following, [reply]
            if restarts:
                reader = built()
            given_ = Conclusion("latency", ANOMALY.target, anomaly or Healthy("fine"), calm=0, missing=False)
            standing = AlertStanding.OPEN if is_open else AlertStanding.NEW
            after = reader.review(JudgedLook(now[0], (given_,), (), None), lambda _one, _anomaly, to=standing: to, lambda: None)
            (out,) = after.conclusions
            if anomaly is None:
                assert out == given_
                is_open = False
            else:
                untouched = isinstance(out.decision, Anomaly) and out.decision.severity is anomaly.severity
                if not untouched:
                    assert urgency(anomaly, bounds) is None
                    assert not isinstance(out.decision, Anomaly) or out.decision.severity is Severity.INFO
                    if first_touched is None or now[0] >= first_touched + RENEWED_AFTER:
                        first_touched = now[0]
                    assert now[0] + following <= first_touched + bounds.within
                if isinstance(out.decision, Anomaly):
                    is_open = True
                    assert out.decision.cooldown_minutes <= max(anomaly.cooldown_minutes, bounds.within / 60.0)
            now[0] += following
    finally:
        database.close()
