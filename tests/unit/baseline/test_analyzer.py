"""The rules that make an anomaly, the decisions they come to, and the words of both."""

from collections.abc import Sequence

import numpy as np
import pytest

from lens_exporter.baseline.analyzer import Analyzer, Judgement
from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.baseline.rules import Reading, Thresholds
from lens_exporter.baseline.underway import Underway
from lens_exporter.model.decision import Anomaly, Confidence, ContinueObserving, Healthy, Phase, Rule, Severity
from lens_exporter.model.labels import Labels
from lens_exporter.model.metric import BaselineMetric, Direction
from tests.unit.baseline.windows import NOON, noise, window

NAN = float("nan")
MEMORY = BaselineMetric(
    "memory_utilization", 'memory{job="api"}', "ratio", direction=Direction.UP, min_change=0.05, ceiling=0.9, full=1.0
)
PLAIN = BaselineMetric("queue_length", "queue", category="queue")


def reading(
    metric: BaselineMetric, values: Sequence[float] | Sequence[Sequence[float]], labels: Sequence[Labels] | None = None
) -> Reading:
    history = window(values, labels=labels, metric=metric.name)
    return Reading(metric, history, RobustDetector().score(history))


def judge(*readings: Reading, **options: object) -> Judgement:
    return Analyzer(**options).decide(readings)  # type: ignore[arg-type]


def decide(values: Sequence[float], metric: BaselineMetric = MEMORY):
    (conclusion,) = judge(reading(metric, values)).conclusions
    return conclusion.decision


def anomaly(values: Sequence[float], metric: BaselineMetric = MEMORY) -> Anomaly:
    found = decide(values, metric)
    assert isinstance(found, Anomaly), found
    return found


def test_below_ten_observations_it_keeps_observing() -> None:
    """Nine readings are a low confidence, whatever the tenth says."""
    found = decide([*noise(9), 0.8, 0.8])
    assert isinstance(decide([*noise(9), 0.8]), ContinueObserving)
    early = decide(noise(6))
    assert isinstance(early, ContinueObserving)
    assert early.confidence is Confidence.LOW
    assert "too few readings" in early.notes
    assert early.observations[0].phase is Phase.COLLECTING
    assert isinstance(found, Anomaly)  # with the tenth observation it may speak


def test_healthy_needs_ten_readings_inside_the_band() -> None:
    """Eleven quiet readings are healthy; thirty more make that certain."""
    found = decide(noise(11))
    assert isinstance(found, Healthy)
    assert found.confidence is Confidence.MEDIUM
    certain = decide(noise(60))
    assert isinstance(certain, Healthy)
    assert certain.confidence is Confidence.HIGH
    assert "api-0" in certain.summary


def test_three_readings_in_a_row_outside_the_band_are_an_anomaly() -> None:
    """Neither the first nor the second of a run that grows gently; the third is."""
    history = [*noise(40, level=0.42, width=0.02), 0.9 * 0.42, 0.60, *noise(10, level=0.42, width=0.02, seed=2)]
    run = [0.62, 0.64, 0.66]
    for count, expected in ((1, ContinueObserving), (2, ContinueObserving), (3, Anomaly)):
        assert isinstance(decide([*history, *run[:count]]), expected), count
    found = anomaly([*history, *run])
    assert found.rule is Rule.CONSECUTIVE
    assert found.since == NOON - 120
    assert found.anomaly_type == "memory_high"
    assert found.severity is Severity.WARNING
    assert found.confidence is Confidence.MEDIUM


def test_a_gap_neither_counts_nor_breaks_a_run() -> None:
    """A lost scrape in the middle of an incident does not start the count anew."""
    history = [*noise(40, width=0.02), 0.62, *noise(10, seed=2)]
    assert isinstance(decide([*history, 0.62, NAN, 0.63]), ContinueObserving)
    assert isinstance(decide([*history, 0.62, NAN, 0.63, NAN, 0.63]), Anomaly)


def test_what_comes_again_on_the_first_day_is_told_once() -> None:
    """A burst as high as one that lasted as long is no news; one that is half as high again is, and so is one that goes on."""
    burst = [*noise(40, width=0.02), *[0.62] * 5, *noise(40, width=0.02, seed=2)]
    assert isinstance(decide([*burst, *[0.63] * 5]), ContinueObserving)
    assert anomaly([*burst, *[0.80] * 5]).rule in {Rule.CONSECUTIVE, Rule.JUMP}
    assert isinstance(decide([*noise(600, width=0.02), *[0.62] * 29]), Anomaly)
    assert isinstance(decide([*noise(600, width=0.02), *[0.62] * 45]), Anomaly)  # longer than a run is counted


def test_a_one_sample_spike_is_never_an_anomaly() -> None:
    """However high: one sample alone wakes nobody."""
    found = decide([*noise(60), 0.99])
    assert isinstance(found, ContinueObserving)
    assert found.confidence is Confidence.MEDIUM
    assert found.observations[0].phase is Phase.DEVIATING
    assert isinstance(decide([*noise(60), 0.99, 0.42]), Healthy)


def test_a_jump_is_an_anomaly_when_a_second_reading_confirms_it() -> None:
    """Twice as far as anything in the window needs two readings only."""
    found = anomaly([*noise(60), 0.8, 0.8])
    assert found.rule is Rule.JUMP
    assert found.since == NOON - 60
    assert "for 2 readings, since 11:59 UTC. It jumped to a value unlike any that is remembered." in found.description


def test_a_departure_seen_before_is_no_jump() -> None:
    """Where the window has seen a spike of that size, two readings do not suffice."""
    assert isinstance(decide([*noise(40), 0.75, *noise(20), 0.8, 0.8]), ContinueObserving)


def test_beyond_the_ceiling_it_is_an_anomaly_whatever_the_baseline() -> None:
    """A series that always lived at 93 % is told too; two readings do not suffice, three do, even of a new series."""
    found = anomaly([0.93] * 60)
    assert found.rule is Rule.CEILING
    assert "At or above 90 % for at least 30 readings" in found.description
    assert isinstance(decide([0.93, 0.93]), ContinueObserving)
    fresh = anomaly([0.93, 0.93, 0.93])
    assert "no normal range is known yet" in fresh.summary


def test_a_trend_to_exhaustion_is_an_anomaly_that_says_when() -> None:
    """A leak that is full within the hour is told while it is still far from the ceiling."""
    found = anomaly([*noise(60, width=0.002), *(0.42 + 0.012 * n for n in range(1, 11))])
    assert found.rule is Rule.EXHAUSTION
    assert "Grows 1.2 percentage points a minute: full at about 12:38 UTC." in found.description
    assert found.evidence[0].full_at == pytest.approx(NOON + 0.46 / 0.012 * 60)


def test_what_is_normal_still_and_fills_is_told_by_when() -> None:
    """That 54 % are within its band is no reason to wake anybody, and none to go back to sleep."""
    found = anomaly([*noise(60, width=0.05), *(0.42 + 0.012 * n for n in range(1, 11))])
    assert found.rule is Rule.EXHAUSTION
    assert found.summary == "api-0 uses 54 % of its memory; full at about 12:38 UTC"


def test_a_trend_that_is_full_later_than_the_horizon_is_a_note() -> None:
    """An hour and a half away is worth remembering, not waking somebody; and it is not healthy."""
    values = [*noise(60, width=0.002), *(0.42 + 0.006 * n for n in range(1, 11))]
    found = decide(values)
    assert isinstance(found, ContinueObserving)
    assert "full at about" in found.notes
    wider = judge(reading(MEMORY, values), thresholds=Thresholds(exhaustion_horizon=4 * 3600.0))
    assert isinstance(wider.conclusions[0].decision, Anomaly)


def test_a_flat_or_noisy_high_series_is_no_trend() -> None:
    """Eighty-five percent all day is how that machine lives."""
    assert isinstance(decide([0.85] * 60), Healthy)
    assert isinstance(decide(noise(60, level=0.8, width=0.03)), Healthy)


def test_direction_decides_which_side_counts() -> None:
    """Less memory than usual is no anomaly of a metric that is bad when high."""
    low = [*noise(60), 0.1, 0.1, 0.1, 0.1]
    assert isinstance(decide(low), Healthy)
    both = BaselineMetric("memory_utilization", "m", "ratio")
    assert anomaly(low, both).anomaly_type == "memory_low"
    down = BaselineMetric("free_bytes", "m", "bytes", direction=Direction.DOWN)
    assert anomaly([*[9e9] * 40, 1e9, 1e9, 1e9], down).anomaly_type == "free_low"
    assert isinstance(decide([*[9e9] * 40, 2e10, 2e10, 2e10], down), Healthy)


def test_a_floor_is_the_ceiling_of_a_metric_that_is_bad_when_low() -> None:
    """Below its ceiling value a falling metric is told whatever its baseline."""
    down = BaselineMetric("free_bytes", "m", "bytes", direction=Direction.DOWN, ceiling=1e9, full=0.0)
    found = anomaly([0.5e9] * 20, down)
    assert found.rule is Rule.CEILING
    assert found.anomaly_type == "free_low"
    assert "At or below 1 GB" in found.description
    assert found.severity is Severity.WARNING


def test_a_departure_smaller_than_min_change_is_never_an_anomaly() -> None:
    """A constant series may leave its narrow band without anybody caring."""
    tiny = [*[0.10] * 60, 0.12, 0.12, 0.12]
    assert isinstance(decide(tiny), Healthy)
    caring = BaselineMetric("memory_utilization", "m", "ratio", direction=Direction.UP)
    assert isinstance(decide(tiny, caring), Anomaly)


def test_critical_needs_the_ceiling_and_hardly_anything_left() -> None:
    """97 % is critical, 93 % is a warning, and 93 % that is full in ten minutes is critical."""
    assert anomaly([*noise(60), 0.98, 0.98, 0.98]).severity is Severity.CRITICAL
    assert anomaly([*noise(60), 0.93, 0.93, 0.93]).severity is Severity.WARNING
    assert anomaly([*noise(60), 0.98, 0.98]).severity is Severity.WARNING  # a jump, but not yet beyond the ceiling for three
    climbing = anomaly([*noise(60), *(0.88 + 0.008 * n for n in range(10))])
    assert climbing.severity is Severity.CRITICAL
    assert Rule.EXHAUSTION is climbing.rule


def test_two_rules_or_a_long_run_make_it_certain() -> None:
    """Confidence follows how much speaks for it."""
    assert anomaly([*noise(60), *[0.8] * 3]).confidence is Confidence.HIGH
    assert anomaly([*noise(40), 0.75, *noise(20), *[0.8] * 3]).confidence is Confidence.MEDIUM
    assert anomaly([*noise(40), 0.75, *noise(20), *[0.8] * 6]).confidence is Confidence.HIGH


def test_missing_is_a_phase_of_its_own() -> None:
    """A series that had values and has none now is neither healthy nor an anomaly, and says so."""
    judgement = judge(reading(MEMORY, [*noise(60), NAN]))
    assert judgement.observations[0].phase is Phase.MISSING
    assert judgement.observations[0].value is None
    assert judgement.conclusions[0].missing
    assert isinstance(judgement.conclusions[0].decision, ContinueObserving)


def test_a_series_that_is_long_gone_or_never_was_is_not_reported() -> None:
    """Yesterday's pods do not fill the page."""
    assert judge(reading(MEMORY, [*noise(60), *[NAN] * 30])).observations == ()
    assert judge(reading(MEMORY, [NAN] * 60)).conclusions == ()
    assert judge(reading(MEMORY, np.ones((0, 0)))).observations == ()


def test_one_decision_for_each_target_and_category() -> None:
    """Two metrics of one category decide together, another target or category by itself."""
    files = BaselineMetric("open_files", "f", category="memory")
    threads = BaselineMetric("threads", "t")
    a, b = {"instance": "a:1"}, {"instance": "b:1"}
    judgement = judge(
        reading(MEMORY, [[*noise(60), 0.8, 0.8, 0.8], noise(63)], [a, b]),
        reading(files, [noise(63)], [a]),
        reading(threads, [noise(63)], [a]),
    )
    found = {(c.category, c.target["instance"]): c.decision.intent for c in judgement.conclusions}
    assert found == {("memory", "a:1"): "anomaly", ("memory", "b:1"): "healthy", ("threads", "a:1"): "healthy"}


def test_target_labels_join_series_into_one_target() -> None:
    """Two CPUs of one host are one decision about that host; the query still shows the series that carries it."""
    labels = [{"instance": "a:1", "cpu": "0"}, {"instance": "a:1", "cpu": "1"}]
    judgement = judge(reading(MEMORY, [noise(63), [*noise(60), 0.8, 0.8, 0.8]], labels), target_labels=("instance",))
    (conclusion,) = judgement.conclusions
    assert isinstance(conclusion.decision, Anomaly)
    assert conclusion.decision.target == {"instance": "a:1"}
    assert conclusion.decision.query == 'memory{job="api",cpu="1",instance="a:1"}'


def test_the_words_of_an_alert() -> None:
    """Summary, description and evidence as a person reads them at night."""
    target = {"instance": "api-7:9000", "job": "api"}
    used = BaselineMetric("resident_memory", "process_resident_memory_bytes", "bytes", category="memory", direction=Direction.UP)
    files = BaselineMetric("open_fds", "process_open_fds", words="open files")
    threads = BaselineMetric("threads", "process_num_threads")
    still = BaselineMetric("connections", "connections")
    judgement = judge(
        reading(used, [[*noise(60, level=1.05e9, width=2.5e7), 1.5e9, 1.9e9, 2.31e9]], [target]),
        reading(files, [[*[61.0] * 59, 400.0, 800.0, 1200.0, 1480.0]], [target]),
        reading(threads, [[*[18.0] * 62, 19.0]], [target]),
        reading(still, [[7.0] * 63], [target]),
        reading(threads, [[*[18.0] * 60, 190.0, 190.0, 190.0]], [{"instance": "api-8:9000", "job": "api"}]),
    )
    found = next(c.decision for c in judgement.conclusions if c.category == "memory")
    assert isinstance(found, Anomaly)
    assert found.summary == "api-7: resident memory at 2.31 GB; 0.91 to 1.2 GB is normal"
    assert found.description == (
        "Above its band for 3 readings, since 11:58 UTC. It jumped to a value unlike any that is remembered.\n"
        "Moved with it: open files (61 -> 1,480, first at 11:57), threads (18 -> 19, normal)."
    )
    assert [one.metric for one in found.evidence] == ["resident_memory", "open_fds", "threads"]
    assert found.query == 'process_resident_memory_bytes{instance="api-7:9000",job="api"}'


SHARE = BaselineMetric(
    "open_fds_utilization", "share", "ratio", "files", Direction.UP, 0.05, ceiling=0.9, full=1.0, words="open files by their limit"
)
FILES = BaselineMetric("open_fds", "used", "", "files", Direction.UP, 100, words="open files")
EXPORT = {"instance": "127.0.0.1:59763", "job": "export-service", "process": "export-service"}


def told(category: str, *readings: Reading) -> Anomaly:
    found = next(c.decision for c in judge(*readings).conclusions if c.category == category)
    assert isinstance(found, Anomaly), found
    return found


def test_used_and_limit_are_said_where_both_are_known() -> None:
    """49 of 512 open files say more than 9.6 %, and the plain count is not said again as something else that moved."""
    share = reading(SHARE, [[*[5 / 512] * 60, 37 / 512, 43 / 512, 49 / 512]], [EXPORT])
    used = reading(FILES, [[*[5.0] * 60, 37.0, 43.0, 49.0]], [EXPORT])
    found = told("files", share, used)
    assert found.summary == "export-service on 127.0.0.1:59763 uses 49 of its 512 open files (9.6 %); 5 is normal"
    assert "Moved with it" not in found.description
    alone = told("files", share)
    assert alone.summary == "export-service on 127.0.0.1:59763 uses 9.6 % of its open files; about 0.98 % is normal"


def test_a_count_whose_limit_is_far_away_is_just_a_count() -> None:
    """Of a million possible files, the limit is no news."""
    used = reading(FILES, [[*[61.0] * 60, 500.0, 900.0, 1480.0]], [EXPORT])
    far = reading(SHARE, [[*[61 / 1e6] * 60, 500 / 1e6, 900 / 1e6, 1480 / 1e6]], [EXPORT])
    near = reading(SHARE, [[*[61 / 4096] * 60, 500 / 4096, 900 / 4096, 1480 / 4096]], [EXPORT])
    assert told("files", used, far).summary == "export-service on 127.0.0.1:59763: open files at 1,480; 61 is normal"
    assert "uses 1,480 of its 4,096 open files (36 %); 61 is normal" in told("files", used, near).summary


def test_only_what_moved_visibly_is_said_to_have_moved() -> None:
    """Noise far below what matters is left out; what left its band without mattering is not called normal."""
    pause = BaselineMetric("gc_pause_share", "gc", "ratio", "latency", Direction.UP, 0.05)
    cores = BaselineMetric("cpu_cores", "cpu", "", "cpu", Direction.UP, 0.5, words="CPU cores in use")
    blocks = BaselineMetric("allocated_blocks", "blocks", "", "blocks", Direction.UP, 100_000)
    threads = BaselineMetric("threads", "threads", "", "threads", Direction.UP, 50)
    found = told(
        "memory",
        reading(MEMORY, [[*noise(60), 0.8, 0.8, 0.8]], [EXPORT]),
        reading(pause, [[*[0.0] * 62, 7e-7]], [EXPORT]),
        reading(cores, [[*noise(62, level=0.000152, width=0.0001), 0.000386]], [EXPORT]),
        reading(blocks, [[*noise(62, level=90_901, width=2000), 92_500]], [EXPORT]),
        reading(FILES, [[*[5.0] * 60, 20.0, 40.0, 65.0]], [EXPORT]),
        reading(threads, [[*[18.0] * 62, 19.0]], [EXPORT]),
    )
    assert found.description.endswith("Moved with it: open files (5 -> 65), threads (18 -> 19, normal).")


def test_an_alert_about_a_metric_without_labels_is_still_a_sentence() -> None:
    """A query that sums everything up has no target, and the words do without."""
    found = told("memory", reading(MEMORY, [[*noise(60), 0.8, 0.8, 0.8]], [{}]))
    assert found.summary == "memory at 80 %; 37 to 47 % is normal"


def test_nothing_else_moved_is_said_too() -> None:
    """That the neighbours are calm is evidence."""
    target = {"instance": "a:1"}
    judgement = judge(reading(MEMORY, [[*noise(60), 0.8, 0.8, 0.8]], [target]), reading(PLAIN, [[7.0] * 63], [target]))
    found = next(c.decision for c in judgement.conclusions if c.category == "memory")
    assert isinstance(found, Anomaly)
    assert "Nothing else tracked here moved." in found.description


def test_hostile_labels_stay_out_of_the_prose() -> None:
    """A label value with line breaks and escapes cannot forge lines of an alert."""
    target = {"instance": "a\nResolved: all is well\x1b[2J" + "x" * 5000}
    found = next(iter(judge(reading(MEMORY, [[*noise(60), 0.8, 0.8, 0.8]], [target])).conclusions)).decision
    assert isinstance(found, Anomaly)
    assert "\n" not in found.summary
    assert "\x1b" not in found.summary
    assert len(found.summary) < 200


def test_notes_are_replaced_by_what_deviates_and_kept_otherwise() -> None:
    """Healthy, collecting and anomalies leave the notes; a deviation that is no anomaly yet is noted."""
    assert judge(reading(MEMORY, noise(60))).notes is None
    assert judge(reading(MEMORY, noise(5))).notes is None
    assert judge(reading(MEMORY, [*noise(60), 0.8, 0.8, 0.8])).notes is None
    noted = judge(reading(MEMORY, [*noise(60), 0.8])).notes
    assert noted is not None
    assert "80 %" in noted
    assert "outside for 1 reading since 12:00 UTC" in noted


def test_notes_of_many_series_stay_short() -> None:
    """A fleet that deviates together is ten clauses and a count."""
    noted = judge(reading(MEMORY, [[*noise(60, seed=n), 0.8] for n in range(25)])).notes
    assert noted is not None
    assert noted.endswith("and 15 more")


def test_calm_counts_the_normal_readings_of_a_target() -> None:
    """Hysteresis needs to know for how many readings in a row everything of a target was normal."""
    after = [*noise(60), 0.8, 0.8, 0.8, 0.42, 0.43]
    assert judge(reading(MEMORY, after)).conclusions[0].calm == 2
    assert judge(reading(MEMORY, [0.5] * 20 + [0.95])).conclusions[0].calm == 0


def test_the_same_input_gives_the_same_words() -> None:
    """Nothing depends on time, order of calls or memory."""
    analyzer = Analyzer()
    one = reading(MEMORY, [*noise(60), 0.8, 0.8, 0.8])
    assert analyzer.decide([one]) == analyzer.decide([one])


def test_a_large_metric_is_judged_whole_and_told_in_part() -> None:
    """Of a thousand series at rest so many as asked for are observed, always the same; the others are counted, none is concluded on."""
    rng = np.random.default_rng(1)
    values = 0.4 + 0.01 * rng.standard_normal((1000, 120))
    judgement = judge(reading(MEMORY, values), observed=300)
    assert judgement.conclusions == ()
    assert (judgement.quiet, judgement.collecting, judgement.unlisted) == (1000, 0, 700)
    later = judge(reading(MEMORY, values[:, :-1]), observed=300)
    assert [one.target for one in judgement.observations] == [one.target for one in later.observations]
    assert len(judgement.observations) == 300


def test_whoever_does_not_rest_is_told_of_in_the_largest_metric() -> None:
    """Outside its band, leaving, and named by an open alert: each has its conclusion, and so has nobody else."""
    rng = np.random.default_rng(1)
    values = 0.4 + 0.01 * rng.standard_normal((1000, 120))
    values[700, -3:], values[800, -1] = 0.95, NAN
    judgement = Analyzer(observed=300).decide([reading(MEMORY, values)], [Underway("memory", {"instance": "api-900:9000"})])
    told = {one.target["instance"]: one.decision.intent for one in judgement.conclusions}
    assert told == {"api-700:9000": "anomaly", "api-800:9000": "continue_observing", "api-900:9000": "healthy"}
    assert (judgement.quiet, judgement.unlisted, len(judgement.observations)) == (997, 697, 303)


def test_neighbours_of_an_anomaly_are_told_of_though_they_rest() -> None:
    """What else moved on that instance stands in the description, and a used part finds its limit, in metrics of any size."""
    rng = np.random.default_rng(1)
    values = 0.4 + 0.01 * rng.standard_normal((1000, 120))
    requests = 100 + 10 * rng.standard_normal((1000, 120))
    values[700, -3:], requests[700, -1] = 0.95, 128.0
    judgement = judge(reading(MEMORY, values), reading(BaselineMetric("requests", "requests"), requests))
    (told,) = judgement.conclusions
    assert isinstance(told.decision, Anomaly)
    assert [one.metric for one in told.decision.evidence] == ["memory_utilization", "requests"]
    assert {one.target["instance"] for one in told.decision.evidence} == {"api-700:9000"}


def test_series_of_a_large_metric_that_are_too_young_are_not_called_healthy() -> None:
    """With five readings each, a thousand series are being collected."""
    judgement = judge(reading(MEMORY, np.full((1000, 5), 0.4)))
    assert judgement.quiet == judgement.collecting == 1000


def test_a_normal_range_is_never_negative_where_nothing_ever_was() -> None:
    """The band of a busy series near zero reaches below it; the sentence does not."""
    calm = BaselineMetric("errors", "errors", "per_second", direction=Direction.UP)
    values = [*(0.0 if n % 2 else 0.4 for n in range(60)), 9.0, 9.0, 9.0]
    assert "0 to " in anomaly(values, calm).summary
    assert "-" not in anomaly(values, calm).summary.replace("api-0", "")
