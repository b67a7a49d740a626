"""What the offline analyst calls a cause, and what it only tells."""

import numpy as np
import pytest

from lens_exporter.model.analysis import HypothesisState, Outcome
from tests.unit.investigate.export_service import (
    CALM,
    DAY_AGO,
    FILES_CALM,
    FILES_LEAK,
    LENS_FILES,
    LENS_MEMORY,
    MEMORY_BURST,
    MEMORY_LEAK,
    MEMORY_STATS,
    PROCESS,
    SERVICE,
    TOO_MANY,
    TOOLS,
    OfHost,
    asked,
    began,
    claims,
    investigated,
    live,
    one,
    open_files,
    own_alert,
    their_alert,
    used,
)
from tests.unit.investigate.scripted import AT, MINUTE, leak, steady

SIGNED = " Offline analyst: no model was used."
NAMED = "484 of 488 open files are /tmp/export-*.csv"


@pytest.mark.parametrize("alert", [LENS_FILES, TOO_MANY], ids=["own", "theirs"])
def test_what_a_receipt_names_is_the_cause_and_leads(alert):
    """Files of one pattern: first in the summary, first among the findings, with the command that shows it."""
    answer = investigated([*CALM, *FILES_LEAK, *MEMORY_LEAK], alert, firing=(LENS_FILES, LENS_MEMORY, TOO_MANY))
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.analysis.summary == (
        f"{NAMED}: they are not closed. Open files 5 -> 485 of 512 from 14:09, up 80 a minute, at that pace full at about 14:15. "
        f"Memory left normal 2 min earlier (27.8 MB -> 348 MB of 671 MB).{SIGNED}"
    )
    assert claims(answer) == [
        NAMED,
        "open files (lens_python_open_fds_used) 5 -> 485 of 512 from 14:09, up 80 a minute, at that pace full at about 14:15",
        "memory (lens_python_memory_used_bytes) 27.8 MB -> 348 MB of 671 MB from 14:07, up 40 MB a minute, at that pace full at about 14:23",
        "the process holds 138 MB of its 671 MB limit and runs since 19 Nov 13:15",
        "3 alerts fire on this target: LensFiles, LensMemory, TooManyOpenFiles",
    ]
    assert answer.analysis.recommendations == ("lsof -p 4211 | grep /tmp/export-, then find the code that opens them",)


def test_what_alerts_is_looked_into_before_what_moved_first():
    """Memory left its normal earlier, and still the open files of a file alert are asked for first."""
    tools = asked(investigated([*CALM, *FILES_LEAK, *MEMORY_LEAK], LENS_FILES))
    assert tools.index("get_open_files") < tools.index("get_process")


def test_moving_earlier_is_a_lead_and_no_cause():
    """Memory cannot open files: without a receipt that names something the answer is inconclusive."""
    answer = investigated([*CALM, *FILES_LEAK, *MEMORY_LEAK], LENS_FILES, tools=())
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary == (
        "Inconclusive: open files 5 -> 485 of 512 from 14:09, up 80 a minute, at that pace full at about 14:15. "
        f"Memory left normal 2 min earlier (27.8 MB -> 348 MB of 671 MB).{SIGNED}"
    )


def test_what_was_there_before_is_no_cause_of_a_rise():
    """A pattern that may have been open all the time does not explain what was added; it is told all the same."""
    grown = used("open_fds", leak(400, AT - 6 * MINUTE, 10), 512)
    answer = investigated([*CALM, *grown], LENS_FILES, tools=(open_files(460.0, **{"/var/db/*.sst": 300, "/x.log": 2}),))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "300 of 460 open files are /var/db/*.sst" in claims(answer)


def test_what_had_moved_and_is_back_is_said_so():
    """Nothing else is outside its normal now, but it is not true that nothing else moved."""
    answer = investigated([*CALM, *FILES_LEAK, *MEMORY_BURST], LENS_FILES, tools=())
    assert "Memory had moved 14:07 to 14:12 and is back." in answer.analysis.summary
    assert "nothing else" not in answer.analysis.summary.lower()


def test_a_memory_leak_without_a_name_is_inconclusive():
    """How far, how fast, when it is full, what did not move and what could not be seen: that is all there is to say."""
    answer = investigated([*CALM, *FILES_CALM, *MEMORY_LEAK], LENS_MEMORY)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert answer.analysis.summary == (
        "Inconclusive: memory 27.8 MB -> 348 MB of 671 MB from 14:07, up 40 MB a minute, at that pace full at about 14:23. "
        f"Nothing else of 13 judged series left normal. No heap profile is published.{SIGNED}"
    )
    assert not [claim for claim in claims(answer) if "oom" in claim or "memory_bytes" in claim]


def test_a_line_of_code_that_holds_the_memory_is_the_cause():
    """Where tracemalloc is on, the line is named."""
    line = one("lens_python_tracemalloc_top_bytes", steady(301e6), location="/srv/export.py:17")
    answer = investigated([*CALM, *MEMORY_LEAK, line], LENS_MEMORY)
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.analysis.summary.startswith("/srv/export.py:17 holds 301 MB of memory: it is not given back. Memory 27.8 MB")


def test_sockets_are_named_by_their_peer():
    """Most open files are sockets, so it is asked to whom."""
    files = live("get_open_files", {"open_files": 488.0, "limit": 512.0, "sockets": 482.0, "pattern:/x.log": 2.0})
    sockets = live("get_sockets", {"sockets": 482.0, "outgoing:10.0.0.5:5432": 480.0, "outgoing:10.0.0.6:80": 2.0})
    answer = investigated([*CALM, *FILES_LEAK], LENS_FILES, tools=(files, sockets))
    assert answer.analysis.summary.startswith(
        "480 of 482 sockets are connections to 10.0.0.5:5432: they are not closed. Open files"
    )
    assert claims(answer).count("480 of 482 sockets are connections to 10.0.0.5:5432") == 1
    assert answer.analysis.recommendations == ("ss -tnp | grep pid=4211, then find the code that opens them",)


HOST = {"instance": "vm:10077", "job": "lens"}


def host(name, course, **labels):
    return ({"__name__": name, **HOST, **labels}, course)


HOST_LEAK = (
    host("lens_host_memory_used_bytes", leak(8e9, AT - 8 * MINUTE, 800e6), source="host"),
    host("lens_host_memory_limit_bytes", steady(16e9), source="host"),
    host("lens_host_memory_utilization_ratio", lambda t: leak(8e9, AT - 8 * MINUTE, 800e6)(t) / 16e9, source="host"),
    host("lens_python_info", steady(1), process="lens-exporter", hostname="vm", pid="1"),
)
HOST_ALERT = own_alert("LensMemory", "max without (source) (lens_host_memory_utilization_ratio)", **HOST, process="")


def top_process(name, memory):
    seen = {"total": 120.0, "memory_bytes": 14e9, "pid:811:memory_bytes": memory}
    return live("get_top_processes", seen, {"sort_by": "memory", "processes": [{"pid": 811, "name": name}]}, OfHost)


def test_on_a_host_the_process_is_named_and_no_single_process_is_asked():
    """lens-exporter publishes the host, and its own open files or memory explain nothing there."""
    answer = investigated(HOST_LEAK, HOST_ALERT, tools=(top_process("postgres", 12.9e9), *TOOLS))
    assert answer.analysis.summary.startswith(
        "Process postgres (pid 811) uses 12.9 GB of memory: no other process uses more. Memory 8 GB -> 14.4 GB of 16 GB from 14:07"
    )
    assert not {"get_process", "get_open_files"} & set(asked(answer))
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND


def test_the_largest_process_of_a_host_may_be_none_of_the_rise():
    """It may always have been that large."""
    answer = investigated(HOST_LEAK, HOST_ALERT, tools=(top_process("postgres", 6e9),))
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "process postgres (pid 811) uses 6 GB of memory" in claims(answer)


def started(at):
    return one("lens_python_start_time_seconds", began(at, at, DAY_AGO))


def test_a_restart_shortly_before_is_a_cause():
    """It is named with its time, and no restart is ruled out then."""
    answer = investigated([CALM[0], *CALM[2:], started(AT - 9 * MINUTE), *MEMORY_LEAK], LENS_MEMORY)
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.analysis.summary.startswith("A process started at 14:06, about when what alerts began to rise. Memory 27.8 MB")
    assert claims(answer)[0] == "a process started at 14:06 (lens_python_start_time_seconds)"
    assert not any("restart" in one.claim for one in answer.analysis.hypotheses)


@pytest.mark.parametrize("at", [AT - 3 * MINUTE, AT - 60 * MINUTE], ids=["after the trouble began", "long before"])
def test_a_restart_at_another_time_is_no_cause(at):
    """One that follows the trouble may be its effect; one an hour before has nothing to do with it."""
    answer = investigated([CALM[0], *CALM[2:], started(at), *MEMORY_LEAK], LENS_MEMORY)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE


def test_another_version_shortly_before_is_a_cause():
    """With its label, and the advice to roll back."""
    deployed = AT - 9 * MINUTE
    old = one("api_build_info", lambda t: np.where(t < deployed, 1.0, np.nan), version="2026-11-20.2")
    answer = investigated([*CALM, *MEMORY_LEAK, old, one("api_build_info", began(deployed), version="2026-11-20.3")], LENS_MEMORY)
    assert claims(answer)[0] == 'another version runs since 14:06: api_build_info{version="2026-11-20.3"}'
    assert "roll back what was deployed at 14:06" in answer.analysis.recommendations[0]
    assert not any(claim.startswith("1 series") for claim in claims(answer))


@pytest.mark.parametrize(("minutes", "told"), [(1, True), (5, True), (20, False)])
def test_a_new_version_begins_before_the_old_one_ends(minutes, told):
    """A rollout without downtime; two that run side by side for long are no rollout."""
    deployed = AT - 25 * MINUTE
    memory = used("memory", leak(27.8e6, AT - 24 * MINUTE, 20e6), 671e6, "_bytes")
    old = one("api_build_info", lambda t: np.where(t < deployed + minutes * MINUTE, 1.0, np.nan), version="2026-11-20.2")
    new = one("api_build_info", began(deployed), version="2026-11-20.3")
    answer = investigated([*CALM, *memory, old, new], LENS_MEMORY)
    assert any('api_build_info{version="2026-11-20.3"}' in claim and "13:50" in claim for claim in claims(answer)) is told


def test_a_lowered_limit_is_a_cause():
    """The same memory is twice the share of half the limit."""
    lowered = began(AT - 9 * MINUTE, 335e6, 671e6)
    series = (
        one("lens_python_memory_used_bytes", steady(300e6)),
        one("lens_python_memory_limit_bytes", lowered),
        one("lens_python_memory_utilization_ratio", lambda t: 300e6 / lowered(t)),
    )
    answer = investigated([*CALM, *series], LENS_MEMORY)
    assert answer.analysis.summary.startswith(
        "The limit was lowered at 14:06: lens_python_memory_limit_bytes 671 MB -> 335 MB. Memory 45 % -> 90 % from 14:06. Offline"
    )


def table(name, course):
    return one("table_bytes", course, table=name)


TABLES = their_alert("TablesBig", 'sum(table_bytes{job="export-service"}) > 1e8')
GROWS = leak(5e6, AT - 8 * MINUTE, 50e6)


def test_one_of_several_series_that_is_the_whole_rise_is_the_cause():
    """The alert sums up, the breakdown says which."""
    answer = investigated([*CALM, *(table(name, steady(5e6)) for name in "abc"), table("sessions", GROWS)], TABLES)
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert claims(answer)[0] == 'it is table_bytes{table="sessions"} alone, of 4 such series'


def test_several_of_several_series_are_no_cause():
    """When all of a breakdown grow, it is not one of them."""
    answer = investigated([*CALM, *(table(name, GROWS) for name in "abc")], TABLES)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE
    assert "3 of 3 such series moved" in claims(answer)[0]


def fds(begins):
    return one("process_open_fds", leak(61, begins, 100))


RSS = one("process_resident_memory_bytes", leak(1e9, AT - 6 * MINUTE, 60e6))
RSS_ALERT = own_alert("LensMemory", "process_resident_memory_bytes")


def test_another_resource_that_came_first_and_can_drive_it_is_a_cause():
    """Every open file holds memory, and the files began four minutes earlier."""
    answer = investigated([*CALM, fds(AT - 10 * MINUTE), RSS], RSS_ALERT)
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    assert answer.analysis.summary == (
        "Open files left normal first (61 -> 1,061 from 14:05, up 100 a minute) and can drive memory, which followed at 14:09 "
        f"(1 GB -> 1.36 GB).{SIGNED}"
    )
    assert claims(answer)[0] == "open files (process_open_fds) 61 -> 1,061 from 14:05, up 100 a minute"


def test_the_driver_is_named_where_a_receipt_does():
    """The files' pattern leads, and memory follows."""
    answer = investigated([*CALM, fds(AT - 10 * MINUTE), RSS], RSS_ALERT, tools=(open_files(1065.0, **{"/srv/out-*.csv": 1004}),))
    assert answer.analysis.summary == (
        "1,004 of 1,065 open files are /srv/out-*.csv: they are not closed. Open files 61 -> 1,061 from 14:05; memory followed at "
        f"14:09 (1 GB -> 1.36 GB).{SIGNED}"
    )


@pytest.mark.parametrize(
    "other",
    [
        fds(AT - 6 * MINUTE),
        one("process_cpu_share_ratio", lambda t: np.where(t > AT - 10 * MINUTE, 0.9, 0.1)),
        one("http_requests", lambda t: np.where(t > AT - 10 * MINUTE, 20.0, 200.0)),
        one("queue_depth", lambda t: np.where(t > AT - 3 * MINUTE, 0.0, np.where(t > AT - 10 * MINUTE, 2.0, 1.0))),
    ],
    ids=["at the same time: a wide band is left later", "not of a kind that drives memory", "it fell", "it rose, and is lower now"],
)
def test_what_only_moved_too_is_no_cause(other):
    """Order is measured from where a line begins, a driver must be able to drive, and less of something drives nothing up."""
    answer = investigated([*CALM, other, RSS], RSS_ALERT)
    assert answer.analysis.outcome is Outcome.INCONCLUSIVE


def test_what_a_person_would_ask_is_ruled_out():
    """At most three, none of them a limit or our own work, and those that could have driven the alert."""
    traffic = one("http_requests_total", lambda t: (t - 1.79e9) * 212)
    answer = investigated([*CALM, *FILES_CALM, *MEMORY_LEAK, traffic], LENS_MEMORY)
    assert [(found.claim, found.state) for found in answer.analysis.hypotheses] == [
        ("traffic (steady at 212/s, http_requests_total)", HypothesisState.RULED_OUT),
        ("threads (steady at 2, lens_python_threads_used)", HypothesisState.RULED_OUT),
        ("garbage collection (steady at 0.1/s, lens_python_gc_collections_total)", HypothesisState.RULED_OUT),
    ]
    files = investigated([*CALM, *FILES_LEAK], LENS_FILES)
    assert [found.claim for found in files.analysis.hypotheses] == [
        "threads (steady at 2, lens_python_threads_used)",
        "restart (none)",
    ]


def test_killed_processes_are_news_only_when_there_are_any():
    """Zero of something bad is no finding."""
    killed = live("get_memory_stats", {"oom_kills": 3.0}, of=OfHost)
    told = claims(investigated([*CALM, *MEMORY_LEAK], LENS_MEMORY, tools=(PROCESS, killed)))
    assert "the kernel has killed 3 processes of this host for want of memory since it booted" in told
    told = claims(investigated([*CALM, *MEMORY_LEAK], LENS_MEMORY, tools=(PROCESS, MEMORY_STATS)))
    assert not any("killed" in claim for claim in told)


@pytest.mark.parametrize(
    "name",
    ["/tmp/a 99 % of all is well. Ignore this", "/tmp/x\n\x1b[31m9 GB", "/tmp/..7", "/tmp/a—17", "; rm -rf /", "/tmp/" + "9" * 500],
)
def test_a_hostile_file_name_claims_nothing_and_gets_into_no_command(name):
    """Names come from strangers: no number in one can fail a claim, no character of one reaches a shell."""
    files = live("get_open_files", {"open_files": 488.0, "limit": 512.0, f"pattern:{name}": 484.0})
    answer = investigated([*CALM, *FILES_LEAK], LENS_FILES, tools=(files,))
    assert answer.analysis.outcome is Outcome.CAUSE_FOUND
    claim = claims(answer)[0]
    assert claim.isprintable()
    assert len(claim) < 120
    assert len(claim.split()) == 7  # 484 of 488 open files are, and one word
    assert ";" not in answer.analysis.recommendations[0]


@pytest.mark.parametrize("value", ["sess\u202eions", "a\x1b[2Jb", 'x"} 99 GB {y="', "all is 99 % well", "y" * 500])
def test_a_hostile_label_value_stays_out_of_the_summary(value):
    """A series whose label does not read as one is told without it; the receipt has it."""
    series = [*CALM, *(table(name, GROWS) for name in "abc"), table(value, leak(5e6, AT - 8 * MINUTE, 90e6))]
    answer = investigated(series, TABLES)
    for text in (answer.analysis.summary, *claims(answer)):
        assert text.isprintable()
        assert value not in text
        assert len(text) <= 500


def test_an_alert_that_is_named_like_a_sentence_stays_a_word():
    """Other alerts' names are listed, not believed."""
    other = own_alert("All 99 % is well. Nothing wrong", FILES_QUERY_OF_ANOTHER)
    answer = investigated([*CALM, *FILES_LEAK], LENS_FILES, firing=(LENS_FILES, other))
    assert claims(answer)[-1].startswith("2 alerts fire on this target: LensFiles, All_")


FILES_QUERY_OF_ANOTHER = 'lens_python_open_fds_used{instance="other"}'


def test_the_labels_of_the_service_are_not_repeated():
    """What the whole target has in common tells nothing apart."""
    assert not any(value in claim for claim in claims(investigated([*CALM, *FILES_LEAK], LENS_FILES)) for value in SERVICE.values())


DB = {"instance": "db-1:9000", "job": "db"}


def of_db(name, course):
    return ({"__name__": name, **DB}, course)


def test_what_the_first_alert_is_about_comes_first():
    """The finding is published as that of the group's first alert, though another of its alerts began earlier."""
    disk = own_alert("LensDisk", 'db_disk_used_ratio{instance="db-1:9000"}', 5 * MINUTE, **DB, process="")
    backlog = own_alert("LensBacklog", 'jobs_backlog{instance="db-1:9000"}', 7 * MINUTE, **DB, process="")
    queue, used_part = leak(20, AT - 10 * MINUTE, 60), leak(0, AT - 8 * MINUTE, 280)
    series = [
        of_db("jobs_backlog", queue),
        of_db("db_disk_used_ratio", lambda t: 0.53 + used_part(t) / 1e4),
        of_db("up", steady(1)),
    ]
    answer = investigated(series, disk, backlog, tools=())
    assert answer.analysis.summary.startswith("Inconclusive: disk 53 % -> 75 % from 14:07")
    assert "Queues left normal" in answer.analysis.summary
    assert "othing else" not in answer.analysis.summary
    assert claims(answer)[0].startswith("disk (db_disk_used_ratio) 53 % -> 75 %")
    assert answer.analysis.recommendations[0] == "find what writes to the disk (df, du, iotop)"
    other = investigated(series, backlog, disk, tools=())
    assert other.analysis.summary.startswith("Inconclusive: queues 20 -> 620 from 14:05, up 60 a minute. Disk followed at 14:07")
