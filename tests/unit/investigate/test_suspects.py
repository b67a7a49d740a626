"""Which series left their normal, in what order, and which did not."""

import numpy as np
import pytest

from lens_exporter.baseline.robust import RobustDetector
from lens_exporter.investigate.families import family_of
from lens_exporter.investigate.measures import COARSE
from lens_exporter.investigate.samples import Samples
from lens_exporter.investigate.suspects import HISTORY, JUDGED, fine_step, rank
from lens_exporter.investigate.toolbox import Toolbox
from lens_exporter.investigate.tools_suspects import suspect_tool
from lens_exporter.model.tool import ToolStatus
from tests.unit.investigate.scripted import API_7, AT, MINUTE, Target, counting, leak, leaking_api, steady

STEP = 10.0
TIMES = AT - STEP * np.arange(HISTORY * COARSE - 1, -1, -1)


def series(name, course, **labels):
    return Samples({"__name__": name, **labels}, course(TIMES).astype(float))


def ranked(*samples):
    return rank(samples, TIMES, RobustDetector())


def test_who_left_first_is_named_first():
    """Order is by onset among the strong; before, after and slope are those of the series."""
    ranking = ranked(
        series("memory", leak(100, AT - 5 * MINUTE, 1000)),
        series("files", leak(61, AT - 9 * MINUTE, 100)),
        series("threads", steady(18)),
    )
    first, second = ranking.suspects
    assert (first.metric, second.metric) == ("files", "memory")
    assert (first.before, first.after) == (61.0, 961.0)
    assert first.onset == pytest.approx(AT - 9 * MINUTE, abs=30)
    assert first.per_minute == pytest.approx(100, rel=0.02)
    assert [one.metric for one in ranking.steady] == ["threads"]
    assert (ranking.looked_at, ranking.judged) == (3, 3)


def test_a_weak_early_wobble_does_not_come_before_the_leak():
    """A series just outside its band is not the cause of one that is far outside, whoever was first."""
    wobble = series("wobble", lambda t: np.where(t > AT - 10 * MINUTE, 112.0, 100.0))
    ranking = ranked(wobble, series("files", leak(61, AT - 5 * MINUTE, 100)))
    assert [one.metric for one in ranking.suspects] == ["files", "wobble"]


def test_a_counter_is_judged_by_its_rate_and_resets_are_no_news():
    """Ever more requests are normal; ten times as many a second are not, and a restart is not a fall."""
    calm = series("a_total", counting(200))
    busy = series(
        "b_total", lambda t: np.maximum.accumulate(np.where(t > AT - 6 * MINUTE, (t - AT) * 2000 + 1e6, (t - AT) * 20)) + 1e6
    )
    restarted = series("c_total", lambda t: np.where(t > AT - 6 * MINUTE, t - AT + 6 * MINUTE, t - AT + 90_000) * 5.0)
    ranking = ranked(calm, busy, restarted)
    assert [one.metric for one in ranking.suspects] == ["b_total"]
    assert ranking.suspects[0].rate
    assert ranking.suspects[0].before == pytest.approx(20, rel=0.05)


def test_a_rate_does_not_jump_with_the_scrapes():
    """A counter scraped every 15 s is a staircase on a finer grid; its rate is even all the same."""
    scraped = series("calm_total", lambda t: np.floor(t / 15) * 15 * 212)
    (calm,) = ranked(scraped).steady
    assert (calm.before, calm.after, calm.score) == (pytest.approx(212), pytest.approx(212), 0.0)


def test_what_is_over_is_said_and_comes_last():
    """A burst that ended shows how far it went and when it ended."""
    burst = series("queue", lambda t: np.where((t > AT - 10 * MINUTE) & (t < AT - 4 * MINUTE), 500.0, 3.0))
    over, *_ = reversed(ranked(burst, series("files", leak(61, AT - 9 * MINUTE, 100))).suspects)
    assert (over.metric, over.before, over.after) == ("queue", 3.0, 500.0)
    assert over.until == pytest.approx(AT - 4 * MINUTE, abs=60)


def test_a_level_that_the_band_got_used_to_is_not_back():
    """With a short past half of it is trouble soon, and the band follows; the series is still far from where it was."""
    begins = AT - 9 * MINUTE
    short = series("memory", lambda t: np.where(t < AT - 12 * MINUTE, np.nan, 100 + np.where(t > begins, (t - begins) * 10, 0)))
    (still,) = ranked(short).suspects
    assert still.until is None
    assert still.after == pytest.approx(100 + 9 * 600)


def test_what_ends_while_it_is_outside_is_not_back():
    """A process that died of its leak did not recover from it."""
    (ended,) = ranked(
        series("memory", lambda t: np.where(t > AT - 4 * MINUTE, np.nan, leak(100, AT - 9 * MINUTE, 1000)(t)))
    ).suspects
    assert ended.until is None


def test_series_without_enough_history_are_not_judged():
    """A series that has just begun has no normal; gaps do not count as values."""
    ranking = ranked(series("new", lambda t: np.where(t > AT - 20, 5.0, np.nan)), series("never", lambda t: t * np.nan))
    assert (ranking.looked_at, ranking.judged, ranking.suspects) == (2, 0, ())


def test_what_disappeared_and_what_restarted():
    """A series that ended inside the looked-at time, and a process that started in it."""
    ranking = ranked(
        series("gone", lambda t: np.where(t < AT - 7 * MINUTE, 5.0, np.nan)),
        series("long_gone", lambda t: np.where(t < AT - 60 * MINUTE, 5.0, np.nan)),
        series("process_start_time_seconds", lambda t: np.where(t < AT - 7 * MINUTE, AT - 90_000, AT - 7 * MINUTE)),
    )
    assert [(one.metric, round(AT - one.at)) for one in ranking.gone] == [("gone", 430)]
    assert [(one.metric, one.at) for one in ranking.restarts] == [("process_start_time_seconds", AT - 7 * MINUTE)]


def test_a_known_limit_says_when_it_is_full():
    """Used beside limit, by the names that exporters give them; a limit of nothing, or one that is years away, says nothing."""
    ranking = ranked(
        series("lens_python_open_fds_used", leak(5, AT - 9 * MINUTE, 10)),
        series("lens_python_open_fds_limit", steady(512)),
        series("lens_python_open_fds_utilization_ratio", lambda t: leak(5, AT - 9 * MINUTE, 10)(t) / 512),
        series("process_open_fds", leak(61, AT - 9 * MINUTE, 100)),
        series("process_max_fds", steady(1e12)),
        series("container_memory_working_set_bytes", leak(1e6, AT - 9 * MINUTE, 1e6)),
        series("container_spec_memory_limit_bytes", steady(0)),
    )
    found = {one.metric: (one.limit, one.full_at) for one in ranking.suspects}
    full_at = AT + (512 - 95) / 10 * MINUTE
    assert found["lens_python_open_fds_used"] == (512.0, pytest.approx(full_at, abs=60))
    assert found["lens_python_open_fds_utilization_ratio"] == (1.0, pytest.approx(full_at, abs=60))
    assert found["process_open_fds"] == (1e12, None)
    assert found["container_memory_working_set_bytes"] == (None, None)


def test_of_a_breakdown_it_is_said_how_many_moved():
    """One of three series of a metric."""
    others = [series("table_bytes", steady(5e6), table=name) for name in ("a", "b")]
    (one,) = ranked(series("table_bytes", leak(5e6, AT - 9 * MINUTE, 5e6), table="sessions"), *others).suspects
    assert (one.labels, one.alike, one.alike_moved) == ({"table": "sessions"}, 3, 1)


def test_another_version_is_a_deploy_and_a_new_neighbour_is_not():
    """An info series that follows one of another version; a second replica, or the same version again, deploys nothing."""
    begins = AT - 7 * MINUTE
    old = series("api_build_info", lambda t: np.where(t < begins, 1.0, np.nan), version="2026-11-20.2", host="a")
    new = series("api_build_info", lambda t: np.where(t >= begins, 1.0, np.nan), version="2026-11-20.3", host="a")
    (deploy,) = ranked(old, new).deploys
    assert (deploy.metric, deploy.labels) == ("api_build_info", {"version": "2026-11-20.3"})
    assert deploy.at == pytest.approx(begins, abs=STEP)
    assert ranked(old, new).gone == ()
    lasts = series("api_build_info", lambda t: np.where(t < begins + 2 * MINUTE, 1.0, np.nan), version="2026-11-20.2", host="a")
    assert ranked(lasts, new).gone == (), "a rolling update has both for a while"
    neighbour = series("api_build_info", steady(1), version="2026-11-20.2", host="b")
    assert [one.metric for one in ranked(old, neighbour).gone] == ["api_build_info"]
    more = series("api_build_info", lambda t: np.where(t >= begins, 1.0, np.nan), version="2026-11-20.3", host="c")
    beside = series("api_build_info", steady(1), version="2026-11-20.3", host="b")
    assert ranked(lasts, beside, more).deploys == (), "one more of a version that runs already"
    stays = series("api_build_info", steady(1), version="2026-11-20.2", host="b")
    assert ranked(stays, new).deploys == ()
    again = series("api_build_info", lambda t: np.where(t >= begins, 1.0, np.nan), version="2026-11-20.2", host="c")
    assert ranked(old, again).deploys == ()


@pytest.mark.parametrize("age", [0.0, 30.0, 600.0, 10_800.0])
def test_the_judged_points_reach_from_before_the_alert_until_now(age):
    """Whatever the alert's age, its beginning and some time before it are judged, and ten times that is history."""
    step = fine_step(AT - age, AT)
    assert 60 % step == 0 or step % 60 == 0
    assert step * COARSE * JUDGED >= age + max(60.0, age / 2)
    assert fine_step(AT - age, AT, history=21_600) * COARSE * HISTORY >= 21_600


def asked(target, **arguments):
    box = Toolbox([suspect_tool(target, RobustDetector())], lambda: AT)
    return box.call("rank_suspects", {"labels": API_7, "start": AT - 11 * MINUTE, **arguments})


def test_the_tool_ranks_a_target_and_names_the_leak_first():
    """Numbers are there to be cited; what lens-exporter counts about itself is no suspect."""
    result = asked(leaking_api())
    assert [row["metric"] for row in result.data["suspects"]] == ["process_open_fds", "process_resident_memory_bytes"]
    assert result.seen["1 process_open_fds.before"] == 61.0
    assert result.seen["1 process_open_fds.onset_at"] == pytest.approx(AT - 14 * MINUTE, abs=60)
    assert result.seen["series"] == 5.0
    assert {row["metric"] for row in result.data["steady"]} == {"process_threads", "http_requests_total"}
    assert asked(leaking_api()) == result


def test_limits_and_our_own_work_rule_nothing_out():
    """That a limit is still the limit, or that our lens is as quick as ever, tells nobody anything."""
    own = {name: steady(1.3) for name in ("lens_collect_duration_seconds", "lens_up", "lens_ticks_total", "lens_queue_depth")}
    limits = {name: steady(512) for name in ("lens_python_threads_limit", "process_max_fds", "lens_python_memory_limit_bytes")}
    threads = {"lens_python_threads_used": steady(18), "lens_python_threads_utilization_ratio": steady(0.01)}
    result = asked(Target({**own, **limits, **threads, "process_open_fds": leak(61, AT - 9 * MINUTE, 100)}))
    assert [row["metric"] for row in result.data["steady"]] == ["lens_python_threads_used"]
    assert result.seen["series"] == 6.0
    assert "steady 1 lens_python_threads_used.before" in result.seen


def test_trouble_of_days_is_compared_with_weeks():
    """However old the alert, the range stays bounded, and the onset is still found."""
    target = Target({"files": leak(61, AT - 3 * 86_400, 10)})
    result = asked(target, start=AT - 3 * 86_400 + 600)
    assert result.seen["1 files.onset_at"] == pytest.approx(AT - 3 * 86_400, abs=3600)
    assert result.seen["1 files.before"] == 61.0


def test_the_tool_says_when_there_is_nothing_to_rank():
    """No series is an answer and a hint; a label name that is none never reaches the query."""
    assert asked(Target({})).status is ToolStatus.EMPTY
    assert "try fewer labels" in asked(Target({})).note
    assert "not a label name" in asked(leaking_api(), labels={'x"}': "y"}).note


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("process_open_fds", "open files"),
        ("lens_python_open_fds_utilization_ratio", "open files"),
        ("process_resident_memory_bytes", "memory"),
        ("python_gc_objects_collected_total", "garbage collection"),
        ("process_cpu_seconds_total", "CPU"),
        ("http_request_duration_seconds_count", "traffic"),
        ("http_request_duration_seconds_sum", "latency"),
        ('sum(rate(http_requests_total{path="/memory"}[5m])) by (pod)', "traffic"),
        ("http_server_request_seconds", "latency"),
        ("http_server_request_seconds_count", "traffic"),
        ("LensMemory", "memory"),
        ("up", None),
    ],
)
def test_names_tell_the_family(name, family):
    """Good enough to say which resource moved and where to look next."""
    found = family_of(name)
    assert (found.name if found else None) == family


@pytest.mark.parametrize(
    "name",
    [
        "node_load1",
        "node_load5",
        "node_load15",
        "system_load_average_1m",
        "system_load1",
        "system_load_1",
        "elasticsearch_os_load15",
        "process_load_avg",
        "host_loadavg_5",
        "collectd_load_shortterm",
        "system_load",
        "lens_host_load_per_cpu",
        "cpu_load",
        "avg by (instance) (node_load5) / 4",
    ],
)
def test_the_load_of_a_machine_is_cpu(name):
    """As node_exporter, Telegraf, collectd, Micrometer and others name it."""
    assert family_of(name).name == "CPU"


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("queue_load", "queues"),
        ("page_load_seconds", None),
        ("page_load_duration_seconds_sum", "latency"),
        ("load_balancer_requests_total", "traffic"),
        ("node_load_balancer_up", None),
        ("battery_load", None),
        ("data_load_rows", None),
        ("class_load_10", None),
        ("load_test_users", None),
        ("load", None),
        ("page_load_average", None),
        ("upload_load_5", None),
        ("config_last_reload_success", None),
        ("payload_bytes", None),
    ],
)
def test_another_load_is_not_cpu(name, family):
    """A page that loads says nothing of a processor, and what explains one does not explain the other."""
    found = family_of(name)
    assert (found.name if found else None) == family
