import pytest

from lens_exporter.exposition.pages.anomaly import anomaly
from lens_exporter.exposition.pages.frame import apart
from lens_exporter.exposition.pages.investigation import investigation
from lens_exporter.exposition.pages.landing import Landing, landing
from lens_exporter.exposition.ports import AlertView, WatcherView
from lens_exporter.model.alert import Alert
from lens_exporter.model.decision import Observation, Phase
from lens_exporter.model.event import Event

NOW = 1_795_183_320.0
EVIL = "<img src=x onerror=alert(1)>"
DONE = {
    "version": 1,
    "id": "01JD8ZP5K3",
    "state": "done",
    "verdict": "cause_found",
    "analyst": "offline analyst",
    "correlation": "01JD8ZP5K4",
    "source": {"alertname": "LensMemory", "fingerprint": "9f2c", "starts_at": "2026-11-20T13:52:00Z"},
    "summary": "Open files leak.",
    "findings": [
        {"claim": "open files 61 -> 1,480", "kind": "fact", "receipts": ["r2"], "holds": True},
        {"claim": "CPU tripled", "kind": "fact", "receipts": ["r3"], "holds": False, "struck": "r3 says 0.31"},
    ],
    "hypotheses": [{"claim": "traffic rose", "state": "ruled_out", "receipts": ["r6"]}],
    "recommendations": ["roll back"],
    "receipts": {"r2": {"tool": "promql_range", "arguments": {"query": "fds"}, "seen": {"last": 1480}, "rechecked": True}},
    "review": {"attempts": 1, "verdict": "accept", "by": ["receipts"], "issues": [], "confidence": "high"},
    "cost": {"dollars": 0.0, "model_calls": 0, "tool_calls": 5, "seconds": 0.4},
    "deliveries": [{"target": "alertmanager", "state": "delivered"}],
}


def view(**parts):
    known = {"reasons": (), "watchers": (), "alerts": (), "investigations": ()}
    return Landing(origin="lens", version="0.1.0", telemetry_path="/metrics", now=NOW, **{**known, **parts})


def watching(name="checkout", state="waiting", **phases):
    seen = [
        Observation("m", "", {}, NOW, 1.0, 1.0, 0.0, 2.0, 0.0, Phase(phase))
        for phase, count in phases.items()
        for _ in range(count)
    ]
    return WatcherView(name, "host", "* * * * *", state, series=len(seen), observations=tuple(seen))


def test_empty_sections_say_what_to_do():
    """A fresh installation's page tells how alerts, findings and watchers come about."""
    page = landing(view()).decode()
    assert page.count("No watcher is configured") == 1
    assert "Let Prometheus scrape" not in page
    assert "POST /webhook" in page
    page = landing(view(watchers=[watching()])).decode()
    assert "Let Prometheus scrape this exporter" in page


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ({"normal": 18}, "All quiet: 18 series are as they usually are."),
        ({"collecting": 18}, "Nothing fires. Series: 18 still collecting."),
        (
            {"normal": 10, "collecting": 8, "deviating": 1},
            "Nothing fires. Series: 10 normal, 8 still collecting, 1 outside the band.",
        ),
        ({"normal": 3, "missing": 1}, "Nothing fires. Series: 3 normal, 1 without a value now."),
    ],
)
def test_quiet_is_said_only_of_what_was_judged(phases, said):
    """Series without a baseline yet are not as they usually are: nobody knows how that is."""
    assert said in landing(view(watchers=[watching(**phases)])).decode()


def test_quiet_is_not_said_while_a_watcher_does_not_work():
    """A failed and a hung watcher are named beside what the others see; what the hung one saw last counts no more."""
    watchers = [watching(normal=2), watching("host", "failed"), watching("python", "hung", normal=9)]
    page = landing(view(watchers=watchers)).decode()
    assert "Nothing fires, but host failed, python hangs: see below. Series: 2 normal." in page
    assert "All quiet" not in page


def test_the_first_page_shows_what_watches_fires_and_was_found():
    """Watcher, alert and finding are there, each with its link."""
    alert = AlertView(
        Alert({"alertname": "LensMemory", "severity": "warning"}, {"summary": "too much"}, NOW - 300), "watcher", "01C"
    )
    watcher = WatcherView("host", "host", "*/1 * * * *", "waiting", NOW - 20, NOW + 40, 0.2, 38)
    page = landing(view(watchers=[watcher], alerts=[alert], investigations=[DONE])).decode()
    assert 'href="anomalies/01C"' in page
    assert "5 min ago" in page
    assert 'href="investigations/01JD8ZP5K3"' in page
    assert "offline analyst, high confidence, 5 tool calls, 0.4 s" in page
    assert "in 40 s" in page


def test_alerts_come_worst_first_and_companions_last():
    """A critical alert is never under a companion or a warning, and ten thousand are not all written."""

    def one(name, severity):
        return AlertView(Alert({"alertname": name, "severity": severity}, {}, NOW), "watcher")

    page = landing(view(alerts=[one("LensInvestigation", "info"), one("Warned", "warning"), one("Grave", "critical")])).decode()
    assert page.index("Grave") < page.index("Warned") < page.index("LensInvestigation")
    page = landing(view(alerts=[one(f"A{number}", "info") for number in range(10_000)])).decode()
    assert len(page) < 50_000
    assert "9,950 more" in page


def test_a_part_that_cannot_be_read_does_not_cost_the_page():
    """With the database away the page says so in that section and shows the rest."""
    page = landing(view(alerts="database sqlite: locked", reasons=("database away",))).decode()
    assert "database sqlite: locked" in page
    assert "database away" in page
    assert "No watcher is configured" in page


def test_findings_stand_next_to_their_receipts():
    """A claim links to its receipt, a struck one is struck through with the reason, every receipt shows what was seen."""
    page = investigation(DONE, NOW).decode()
    assert 'href="#r2"' in page
    assert 'id="r2"' in page
    assert "1,480" in page
    assert "<s>CPU tripled</s>" in page
    assert "struck: r3 says 0.31" in page
    assert "http-equiv" not in page


def test_an_unfinished_investigation_has_a_page_that_renews_itself():
    """Fields that are not there yet are left out."""
    page = investigation({"id": "01X", "state": "running", "findings": None, "receipts": None}, NOW).decode()
    assert 'http-equiv="refresh"' in page
    assert "is running" in page


def test_a_story_is_told_in_order_with_its_own_words():
    """Every event has its line; what it says best is in bold; the investigation is linked."""
    events = [
        Event("1", NOW - 9, "anomaly.detected", "01C", "host", {"summary": "memory is high", "target": {"instance": "a"}}),
        Event("2", NOW - 5, "investigation.started", "01C", "01X", {"analyst": "offline"}),
        Event("3", NOW - 4, "judge.failed", "01C", "01X", {"attempt": 1, "error": "overloaded"}),
    ]
    page = anomaly("01C", events, NOW).decode()
    assert page.index("anomaly.detected") < page.index("investigation.started") < page.index("judge.failed")
    assert "<h1>memory is high</h1>" in page
    assert "<b>overloaded</b>" in page
    assert 'href="../investigations/01X"' in page
    assert "+4.0 s" in page


@pytest.mark.parametrize(
    "page",
    [
        landing(
            view(
                watchers=[WatcherView(EVIL, EVIL, EVIL, EVIL, error=EVIL)],
                alerts=[
                    AlertView(
                        Alert({"alertname": EVIL, "severity": EVIL, EVIL: EVIL}, {"summary": EVIL, "description": EVIL}), EVIL, EVIL
                    )
                ],
                investigations=[{"id": EVIL, "state": EVIL, "verdict": EVIL, "summary": EVIL, "source": {"alertname": EVIL}}],
                reasons=(EVIL,),
            )
        ),
        investigation(
            {
                "id": EVIL,
                "state": EVIL,
                "summary": EVIL,
                "reason": EVIL,
                "correlation": EVIL,
                "findings": [{"claim": EVIL, "receipts": [EVIL], "holds": False, "struck": EVIL}],
                "hypotheses": [{"claim": EVIL, "state": EVIL}],
                "recommendations": [EVIL],
                "receipts": {EVIL: {"tool": EVIL, "arguments": {EVIL: EVIL}, "seen": {EVIL: EVIL}, "note": EVIL}},
                "review": {"verdict": EVIL, "by": [EVIL], "issues": [EVIL], "failure": EVIL},
                "deliveries": [{"target": EVIL, "state": EVIL, "detail": EVIL}],
            },
            NOW,
        ),
        anomaly(EVIL, [Event("1", NOW, EVIL, EVIL, EVIL, {EVIL: EVIL, "summary": EVIL, "target": {EVIL: EVIL}})], NOW),
    ],
    ids=["landing", "investigation", "anomaly"],
)
def test_no_text_of_others_becomes_markup(page):
    """Whatever field a hostile value sits in, it is shown, not run."""
    assert b"<img" not in page
    assert b"&lt;img src=x onerror=alert(1)&gt;" in page


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "now"), (45, "45 s ago"), (-40, "in 40 s"), (600, "10 min ago"), (200_000, "2 d ago")]
)
def test_distances_are_said_in_the_unit_that_fits(seconds, said):
    """Up to two of a unit the smaller one is used."""
    assert apart(seconds) == said
