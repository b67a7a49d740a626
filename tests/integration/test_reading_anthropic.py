"""A reading through the real SDK, the guards around it and real HTTP."""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from lens_exporter.config.settings import Budget
from lens_exporter.foundation.breaker import BreakerState
from tests.integration.llm_site import KEY, site
from tests.servers.model_server import fail, hang, say, use
from tests.servers.waiting import until
from tests.unit.baseline.reading_site import LATENCY, reading, slightly
from tests.unit.publish.timeline import NOON
from tests.unit.watch.site import API, MINUTE

pytestmark = pytest.mark.integration

DEFER = use("continue_observing", notes="one burst, look again", confidence="low")
CONFIRM = use("anomaly", anomaly_type="latency_high", severity="warning", summary="500 ms since 12:05 UTC", confidence="high")


@contextmanager
def read_by(script, folder, *, seconds=20.0, provider="anthropic", **options):
    with site(script, folder, provider=provider, **options) as s:
        client = partial(s.registry.within, "claude")
        with reading(client=client, seconds=seconds) as (here, _):
            here.story.tell(LATENCY.name, slightly(5))
            yield s, here


def began(here):
    return [(event.at - NOON) / MINUTE for event in here.line.events.query(kind="alert.fired")]


def count(here, outcome):
    return here.metric("lens_readings_total", outcome=outcome)


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_deferral_and_a_confirmation_over_the_wire(tmp_path, provider):
    """Three tools are offered and one must be called; held back at 12:06, asked again and confirmed at 12:11."""
    with read_by([DEFER, CONFIRM], tmp_path, provider=provider) as (s, here):
        here.every_minute(0, 11)
        first, second = s.server.requests
        assert sorted(first.offered) == ["anomaly", "continue_observing", "healthy"]
        assert first.body["tool_choice"] == ({"type": "any"} if provider == "anthropic" else "required")
        assert "500 ms; expected 420 ms" in first.text
        assert "one burst, look again." in second.text
        assert s.telemetry.value("lens_llm_calls_total", client="claude", role="reader") == 2
        assert began(here) == [11]
        assert here.firing[0].annotations["lens_reading"].endswith("500 ms since 12:05 UTC.")
        # The calls are part of the anomaly's story.
        assert [event.correlation for event in s.events.query(kind="llm.called")] == [here.announced[0][1]] * 2


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_malformed_answer_is_corrected_over_the_wire(tmp_path, provider):
    """The refusal goes out as the result of the call, as both protocols demand."""
    with read_by([use("healthy", summary="fine"), DEFER], tmp_path, provider=provider) as (s, here):
        here.every_minute(0, 6)
        assert "confidence: Field required" in s.server.requests[1].tool_results[0]
        assert count(here, "deferred") == 1


def test_prose_twice_is_no_answer(tmp_path):
    """A server that ignores the tools gets one correction."""
    with read_by([say("All is well."), say("Really.")], tmp_path) as (s, here):
        here.every_minute(0, 6)
        assert (count(here, "invalid"), len(s.server.requests), began(here)) == (1, 2, [6])


def test_secrets_do_not_leave(tmp_path):
    """What passes the choke point of every model call is redacted: a key in a label, and what the configuration names."""
    with read_by([DEFER], tmp_path) as (s, here):
        labels = {**API, "password": "hunter2hunter2", "path": f"/x?api_key={KEY}", "peer": "internal-billing.corp"}
        here.story.series[LATENCY.name] = [(labels, slightly(5))]
        here.every_minute(0, 6)
        assert count(here, "deferred") == 1
        for secret in (KEY, "internal-billing"):
            assert secret.encode() not in s.server.wire


def one_after_another(here):
    """Seven series leave their band, each three minutes after the one before."""
    series = [({**API, "instance": f"api-{number}:9000"}, slightly(5 + 3 * number, level=0.49)) for number in range(7)]
    here.story.series[LATENCY.name] = series
    here.every_minute(0, 24)
    assert len(here.firing) == 7


def test_a_model_that_hangs_is_given_up_and_opens_no_breaker(tmp_path):
    """Each call is cancelled with the reading's time, the alerts are out, and investigations find the breaker closed."""
    with read_by([hang(60)] * 9, tmp_path, seconds=0.5) as (s, here):
        one_after_another(here)
        assert count(here, "timeout") == 7
        until(lambda: len(s.server.abandoned) == len(s.server.requests), 10)
        assert s.telemetry.value("lens_breaker_state", client="claude") == BreakerState.CLOSED


def test_a_model_that_refuses_opens_its_breaker_and_is_left_alone(tmp_path):
    """Errors of the service count; then nothing leaves, and every alert goes out as it is."""
    with read_by([fail(401)] * 9, tmp_path) as (s, here):
        one_after_another(here)
        assert (count(here, "failed"), count(here, "breaker"), len(s.server.requests)) == (5, 2, 5)


def test_without_money_nobody_is_asked(tmp_path):
    """A spent budget is an outcome, and the alert goes out with that tick."""
    with read_by([DEFER], tmp_path, budget=Budget(dollars_per_day=0, burst_dollars=0)) as (s, here):
        here.every_minute(0, 6)
        assert (count(here, "budget"), s.server.requests, began(here)) == (1, [], [6])


def test_in_a_storm_the_budget_ends_the_questions_and_not_the_alerts(tmp_path):
    """Twelve series a minute apart and a cent a call: two calls are paid, twelve pages go out, and critical calls keep their part."""
    costly = replace(use("healthy", summary="all is well", confidence="high"), usage={"output_tokens": 2000})
    with read_by([costly] * 40, tmp_path, budget=Budget(dollars_per_day=0, burst_dollars=0.05)) as (s, here):
        here.story.series[LATENCY.name] = [
            ({**API, "instance": f"api-{number}:9000"}, slightly(5 + number, level=0.49)) for number in range(12)
        ]
        here.every_minute(0, 18)
        assert (len(s.server.requests), count(here, "deferred"), len(here.firing)) == (2, 2, 12)
        # Two were held back for five minutes, and then there was no money to ask again; the others were not held back.
        assert sorted(began(here)) == sorted([11, 12, *range(8, 18)])
        assert count(here, "budget") == 12
        s.ask(critical=True)
        assert len(s.server.requests) == 3
