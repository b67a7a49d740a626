import re

import pytest

from lens_exporter.exposition.pages.anomaly import anomaly
from lens_exporter.exposition.pages.frame import apart, plain
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
    "source": {
        "alertname": "LensMemory",
        "fingerprint": "9f2c",
        "starts_at": "2026-11-20T13:52:00Z",
        "labels": {"alertname": "LensMemory", "instance": "api-7:9000"},
    },
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
    """Who failed, hangs or has yet to learn is named beside what the others see; what those saw before counts no more."""
    watchers = [watching(normal=2), watching("host", "failed"), watching("python", "hung", normal=9)]
    watchers.append(watching("beam", "learning", normal=5))
    page = landing(view(watchers=watchers)).decode()
    said = "Nothing fires, but host failed, python hangs, beam is still learning its past: see below. Series: 2 normal."
    assert said in page
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
    assert "<b>instance</b>=<bdi>api-7:9000</bdi>" in page


def test_alerts_come_worst_first_and_companions_last():
    """A critical alert is never under a companion or a warning, and ten thousand are not all written."""

    def one(name, severity):
        return AlertView(Alert({"alertname": name, "severity": severity}, {}, NOW), "watcher")

    page = landing(view(alerts=[one("LensInvestigation", "info"), one("Warned", "warning"), one("Grave", "critical")])).decode()
    assert page.index("Grave") < page.index("Warned") < page.index("LensInvestigation")
    page = landing(view(alerts=[one(f"A{number}", "info") for number in range(10_000)])).decode()
    assert len(page) < 50_000
    assert "9,950 more" in page


def test_a_companion_stands_inside_the_alert_it_explains():
    """What was found is read where it alerts; the companion of an alert that is not ours stands alone and says whose it is."""
    ours = Alert({"alertname": "LensFiles", "severity": "warning"}, {"summary": "74 of its 512 open files"}, NOW - 60)
    known = {"alertname": "LensInvestigation", "severity": "info", "verdict": "cause_found"}
    found = Alert(
        {**known, "source_alertname": "LensFiles", "source_fingerprint": ours.fingerprint},
        {"summary": "they are not closed", "next": "lsof -p 1"},
        NOW,
    )
    theirs = Alert({**known, "source_alertname": "TooMany", "source_fingerprint": "elsewhere"}, {"summary": "same"}, NOW)
    page = landing(view(alerts=[AlertView(one, "watcher") for one in (found, theirs, ours)])).decode()
    assert page.count("<article") == 2
    first, second = page.split("</article>")[:2]
    assert "LensFiles" in first
    assert "they are not closed" in first
    assert "Next: lsof -p 1" in first
    assert "LensInvestigation of TooMany" in second


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
    assert "<b>instance</b>=<bdi>api-7:9000</bdi>" in page
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


def call(number, **data):
    told = {"receipt": f"r{number}", "tool": "promql_range", "arguments": {"query": f'up{{n="{number}"}}'}, "status": "data"}
    return Event(str(number), NOW + number, "tool.called", "01C", "01X", told | {"seconds": 0.0205889} | data)


def test_twenty_tool_calls_are_one_step_of_twenty_lines():
    """What was asked, how long it took, and what did not answer; nothing else of it is in the way of the story."""
    calls = [call(number) for number in range(1, 20)]
    failed = call(20, tool="get_process", arguments={"pid": 26196}, status="error", note="no such process")
    end = Event("99", NOW + 30, "agent.stopped", "01C", "01X", {"reason": "submitted"})
    page = anomaly("01C", [Event("0", NOW, "investigation.started", "01C", "01X"), *calls, failed, end], NOW).decode()
    assert page.count("tool.called") == 1
    assert page.count('<ol class="story"><li') == 1
    assert page.count("20.6 ms") == 20
    assert "up{n=&quot;7&quot;}" in page
    assert "pid 26196" in page
    assert "no such process" in page
    assert page.index("investigation.started") < page.index("tool.called") < page.index("agent.stopped")


@pytest.mark.parametrize(
    ("event", "title"),
    [
        (
            Event("2", NOW, "anomaly.detected", "01C", "python", {"summary": "api-7 uses 92 % of its memory"}),
            "api-7 uses 92 % of its memory",
        ),
        (Event("2", NOW, "webhook.received", "01C", "01X", {"group_key": '{}:{alertname="TooManyOpenFiles"}'}), "TooManyOpenFiles"),
        (Event("2", NOW, "alert.fired", "01C", "9f", {"labels": {"source_alertname": "HighErrors"}}), "HighErrors"),
    ],
    ids=["ours", "theirs by its group", "theirs by its companion"],
)
def test_a_story_is_called_as_its_alert(event, title):
    """Not by what was found later."""
    later = Event("3", NOW + 9, "investigation.finished", "01C", "01X", {"summary": "Inconclusive: nothing"})
    assert f"<h1>{title}</h1>" in anomaly("01C", [event, later], NOW).decode()


@pytest.mark.parametrize(
    ("kind", "ours"), [("anomaly.detected", True), ("anomaly.expected", True), ("webhook.received", False), ("alert.fired", False)]
)
def test_the_page_of_an_anomaly_of_ours_says_how_to_declare_it_expected(kind, ours):
    """One line, with both ways; a story about somebody else's alert has nothing to declare."""
    page = anomaly("01C", [Event("1", NOW, kind, "01C", "host", {"summary": "full"})], NOW).decode()
    assert ("a comment that begins with \u201cexpected:\u201d" in page) is ours
    assert ("/api/v1/expected" in page) is ours


@pytest.mark.parametrize(
    ("name", "value", "unit", "said"),
    [
        ("due", NOW + 60, "", "14:03:00 UTC"),
        ("1 x.onset_at", NOW - 86_400, "", "2026-11-19 14:02:00 UTC"),
        ("memory_bytes", 2.76316e7, "", "27.6 MB"),
        ("before", 2.76316e7, "bytes", "27.6 MB"),
        ("score", 71.5, "bytes", "71.5"),
        ("utilization", 0.0961, "", "9.6 %"),
        ("seconds", 0.0205889, "", "20.6 ms"),
        ("pid", 26196, "", "26196"),
        ("alerts", 10_000, "", "10,000"),
        ("labels", {"job": "a", "instance": 'x"y'}, "", '{instance="x\\"y",job="a"}'),
        ("by", ["receipts", "claude"], "", "receipts, claude"),
        ("nested", {"a": {"b": 1}}, "", '{"a":{"b":1}}'),
        ("history", None, "", "none"),
        ("priced", False, "", "no"),
        ("note", "as it is", "", "as it is"),
    ],
)
def test_values_read_as_people_write_them(name, value, unit, said):
    """Moments as times, bytes with their unit, label sets as selectors, names made of digits as they are."""
    assert plain(name, value, NOW, unit) == said


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        (0.0, None),
        (1e-15, None),
        (-3e-9, None),
        (4e-6, "per minute 0.0004 %"),
        (0.0123, "per minute 1.2 %"),
        (-0.02, "per minute -2 %"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "1."])
def test_a_slope_is_said_only_of_what_goes_somewhere(prefix, slope, said):
    """No "per minute 0 %" of a level line, nor what the arithmetic leaves of it; a small slope has its digits."""
    seen = {f"{prefix}first": 0.42, f"{prefix}last": 0.42, f"{prefix}per_minute": slope}
    receipt = {"tool": "promql_range", "arguments": {"query": "lens_python_memory_utilization_ratio"}, "seen": seen}
    page = investigation({**DONE, "receipts": {"r1": receipt}}, NOW).decode()
    words = re.sub(r"<[^>]*>", "", page)
    assert "first 42 %" in words
    assert ("per minute" in words) == (said is not None)
    assert said is None or said in words


def test_the_numbers_of_a_receipt_stand_by_their_metric():
    """A ranking shows of which series each number is, in the unit of that series."""
    seen = {"judged": 14.0, "1 lens_python_memory_used_bytes.before": 2.76e7, "1 lens_python_memory_used_bytes.score": 71.5}
    ranked = {"tool": "rank_suspects", "arguments": {}, "seen": seen, "recheck": "confirmed", "at": "2026-11-20T14:01:00Z"}
    asked = {"tool": "promql_range", "arguments": {"query": 'table_bytes{t="a"}'}, "seen": {"first": 5e6}, "recheck": "changed"}
    live = {
        "tool": "get_open_files",
        "arguments": {"pid": 7},
        "seen": {"pattern:/tmp/export_x-*.csv": 184.0},
        "recheck": "recorded",
    }
    page = investigation({**DONE, "receipts": {"r1": ranked, "r2": asked, "r3": live}}, NOW).decode()
    assert "<code>1 lens_python_memory_used_bytes</code>" in page
    assert "before <bdi>27.6 MB</bdi>" in page
    assert "score <bdi>71.5</bdi>" in page
    assert "first <bdi>5 MB</bdi>" in page
    assert "pattern:/tmp/export_x-*.csv <bdi>184</bdi>" in page
    assert "no reviewer; 2 of 3 receipts hold" in page


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
                investigations=[
                    {
                        "id": EVIL,
                        "state": EVIL,
                        "verdict": EVIL,
                        "summary": EVIL,
                        "source": {"alertname": EVIL, "labels": {EVIL: EVIL}},
                    }
                ],
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
