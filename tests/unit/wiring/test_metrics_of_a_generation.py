"""What a generation shows of itself, and takes along when it goes: alerts are built on it."""

import pytest

from lens_exporter.errors import RemoteError
from lens_exporter.foundation.breaker import BreakerState
from lens_exporter.foundation.telemetry import Telemetry
from lens_exporter.model.analysis import Outcome
from tests.unit.wiring.test_generation import generation

AWAY, ELSEWHERE = "http://127.0.0.1:1", "http://127.0.0.1:2"


def test_a_server_that_is_no_longer_configured_has_no_open_breaker():
    """Else its alert fires until a restart. Those that both generations know are shown as the new one has them."""
    telemetry = Telemetry()
    servers = {"prometheus": {"url": AWAY}, "alertmanager": {"urls": [ELSEWHERE]}}
    with generation(servers, telemetry=telemetry) as old:
        for _ in range(5):
            with pytest.raises(RemoteError):
                old.investigation.sources[""].query("up", 0.0)
        assert telemetry.value("lens_breaker_state", client=f"prometheus {AWAY}") == BreakerState.OPEN
        mended = {**servers, "prometheus": {"url": ELSEWHERE}}
        with generation(mended, telemetry=telemetry) as new:
            old.close()
            new.keep_alive()
            assert telemetry.value("lens_breaker_state", client=f"prometheus {AWAY}") is None
            assert telemetry.value("lens_breaker_state", client=f"prometheus {ELSEWHERE}") == BreakerState.CLOSED
            assert telemetry.value("lens_breaker_state", client=f"alertmanager {ELSEWHERE}") == BreakerState.CLOSED


def test_verdicts_are_counted_from_zero_on():
    """increase() does not see the one that a counter begins with."""
    telemetry = Telemetry()
    with generation({}, telemetry=telemetry):
        assert [telemetry.value("lens_investigations_total", verdict=one.value) for one in Outcome] == [0.0] * len(Outcome)
