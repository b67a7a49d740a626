"""The text of `watch NAME --once`."""

import pytest

from lens_exporter.baseline.analyzer import Conclusion
from lens_exporter.errors import QueryError
from lens_exporter.model.decision import Anomaly, Healthy, Observation, Phase, Rule, Severity
from lens_exporter.model.labels import Labels
from lens_exporter.watch.look import Look
from lens_exporter.watch.table import table

NOON = 1_795_176_000.0
API = {"instance": "api-7:9000", "job": "api"}


def seen(
    metric: str, value: float | None, lower: float | None, upper: float | None, score: float | None, phase: Phase, **more: object
) -> Observation:
    expected = None if lower is None or upper is None else (lower + upper) / 2
    target: Labels = more.pop("target", API)  # type: ignore[assignment]
    unit = str(more.pop("unit", "ratio"))
    return Observation(metric, unit, target, NOON, value, expected, lower, upper, score, phase, **more)  # type: ignore[arg-type]


ANOMALY = Anomaly(
    "memory_high",
    Severity.WARNING,
    "api-7: memory at 92 %",
    "Above its band for 9 readings.\nNothing else tracked here moved.",
    "m",
    API,
    Rule.JUMP,
    NOON,
    (),
)


def test_every_series_stands_next_to_what_is_normal_for_it() -> None:
    """Aligned columns, one block per target, the decision with its words and its fate at the end."""
    look = Look(
        NOON,
        (
            seen("memory_utilization", 0.92, 0.36, 0.48, 11.4, Phase.ANOMALY, since=NOON - 540, full_at=NOON + 840),
            seen("resident", 2.31e9, 0.9e9, 1.2e9, 14.9, Phase.ANOMALY, since=NOON - 600, unit="bytes"),
            seen("event_loop_lag_seconds", 0.004, -0.001, 0.006, 0.4, Phase.NORMAL, unit="seconds"),
            seen("threads", None, 16.5, 19.5, None, Phase.MISSING, unit=""),
            seen("memory_utilization", 0.1, None, None, None, Phase.COLLECTING, target={"instance": "api-8:9000"}),
        ),
        (Conclusion("memory", API, ANOMALY, 0, missing=False), Conclusion("memory", {}, Healthy("fine"), 30, missing=False)),
        None,
    )
    assert table("python", look, fate=lambda _anomaly: "would alert").splitlines() == [
        "python   api-7:9000       now      normal            score  since",
        "  memory_utilization      0.92     0.36 .. 0.48      11.4   11:51  anomaly     full at about 12:14",
        "  resident                2.31 GB  900 MB .. 1.2 GB  14.9   11:50  anomaly",
        "  event_loop_lag_seconds  0.004    0 .. 0.006        0.4           normal",
        "  threads                 -        16.5 .. 19.5      -             missing",
        "api-8:9000",
        "  memory_utilization      0.1      -                 -             collecting",
        "decision: anomaly memory_high (warning) - would alert",
        "  api-7: memory at 92 %",
        "  Above its band for 9 readings.",
        "  Nothing else tracked here moved.",
    ]


@pytest.mark.parametrize(
    ("targets", "headings"),
    [
        (
            [
                {"instance": "h:1", "job": "lens"},
                {"instance": "h:1", "job": "lens", "mountpoint": "/"},
                {"instance": "h:1", "job": "lens", "device": "sda", "mountpoint": "/var"},
                {"instance": "i:1", "job": "other", "mountpoint": "/"},
            ],
            ["h:1", "h:1 (mountpoint=/)", "h:1 (device=sda, mountpoint=/var)", "i:1"],
        ),
        ([{"pod": "a"}, {"pod": "b"}], ["pod=a", "pod=b"]),
        ([{"service": "shop", "pod": "a"}, {"service": "shop", "pod": "b"}], ["shop (pod=a)", "shop (pod=b)"]),
        ([{"pod": "a", "code": "500"}], ["a (code=500)"]),
        ([{}], ["the only series"]),
    ],
)
def test_headings_say_what_tells_targets_apart(targets: list[Labels], headings: list[str]) -> None:
    """Which disk or which pod: the labels in which the targets of one address differ, and no others."""
    look = Look(NOON, tuple(seen("m", 1.0, 0.0, 2.0, 0.1, Phase.NORMAL, target=one) for one in targets), (), None)
    lines = [line for line in table("w", look).splitlines()[:-1] if not line.startswith("  m ")]
    assert [line.removeprefix("w   ").split("  ")[0] for line in lines] == headings


def test_a_quiet_watcher_says_so() -> None:
    """Without anomalies the decisions are counted."""
    look = Look(NOON, (), (Conclusion("memory", {}, Healthy("fine"), 30, missing=False),) * 3, None)
    assert table("host", look).splitlines()[-1] == "decision: 3 healthy"


def test_series_at_rest_are_counted_and_warnings_are_said() -> None:
    """Of a large metric nothing is concluded series by series, and what a limit left out stands at the end."""
    look = Look(NOON, (), (), None, quiet=700, collecting=100, unlisted=200, warnings=("load: 5 of 10 series left out",))
    assert table("host", look).splitlines()[-2:] == [
        "decision: 600 healthy, 100 continue observing",
        "warning: load: 5 of 10 series left out",
    ]


def test_a_watcher_without_series_says_so() -> None:
    """Nothing to see is said, and so is what could not be read."""
    look = Look(NOON, (), (), None, failures=(QueryError(kind="bad_data", reason="parse error", query="up{"),))
    text = table("host", look)
    assert "host   no series" in text
    assert "decision: nothing to decide on" in text
    assert "could not be read: PromQL query failed (bad_data): parse error; query: up{" in text


def test_hostile_labels_cannot_write_to_the_terminal() -> None:
    """Escape sequences in label values do not reach the screen."""
    look = Look(NOON, (seen("m", 1.0, 0.0, 2.0, 0.1, Phase.NORMAL, target={"instance": "a\x1b[2J\nb"}),), (), None)
    assert "\x1b" not in table("host", look)


def test_a_look_without_a_series_says_what_to_look_for() -> None:
    """And names those of the queries written by hand that gave none, while others did; where all are listed."""
    question = "does the query name a metric that exists?"
    assert table("zero", Look(NOON, (), (), None), written=("nothing",)).splitlines()[-2:] == [
        "decision: nothing to decide on",
        f"no series: {question} does a selector leave all out?",
    ]
    some = (seen("memory", 0.4, 0.3, 0.5, 0.1, Phase.NORMAL),)
    told = table("shop", Look(NOON, some, (), None), written=("memory", "erors")).splitlines()
    assert told[-1] == f"no series of erors: {question}"
    assert "no series" not in table("shop", Look(NOON, some, (), None), written=("memory",))
    assert "no series of" not in table("shop", Look(NOON, some, (), None, quiet=9, unlisted=9), written=("erors",))
    failed = Look(NOON, (), (), None, failures=(QueryError(kind="bad_data", reason="parse error", query="up{"),))
    assert question not in table("zero", failed)
