"""`lens-exporter detect` as a person or a script runs it: files, pipes, errors, a terminal."""

import contextlib
import csv
import io
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.servers.waiting import until

pytestmark = pytest.mark.integration

HOURS = 24 * 20
# Whoever runs these tests in a shell's background has signals ignored, and so would the command: it is begun as at a terminal.
HEARD = "import signal; signal.signal(2, signal.default_int_handler); signal.signal(1, signal.SIG_DFL)"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "detect.md"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "lens_exporter.cli", "detect", *map(str, arguments)]


def run(*arguments: object, folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), input=given, capture_output=True, text=True, cwd=folder, timeout=120, check=False, env=environment()
    )


def environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "100"}


def series(rows: int = HOURS) -> str:
    """Four metrics of a machine, hourly: a daily season and noise; in row 400 `cpu` and `load` leave it, `memory` does not."""
    random = np.random.default_rng(3)
    season = 10 * np.sin(np.arange(HOURS) * 2 * np.pi / 24)
    values = 50 + season[:, None] + random.normal(size=(HOURS, 4))
    values[400:404, :2] += [[60, 40]]
    lines = ["timestamp,cpu,load,memory,disk"]
    lines += [",".join([str(3600 * at), *map("{:.2f}".format, row)]) for at, row in enumerate(values[:rows].tolist())]
    return "\n".join(lines) + "\n"


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_table_that_is_too_short_for_alarms_says_so(tmp_path):
    """A day of hours: there are scores, and a word on why none of them is an anomaly; two days are enough."""
    day, longer = (run("--group", "node", folder=tmp_path, given=series(rows)) for rows in (24, 48))
    assert day.stderr.splitlines()[-1] == (
        "<stdin>: 24 rows, 0 values are anomalies; node: no row can be one, the table is too short for a threshold"
    )
    assert longer.stderr.splitlines()[-1].endswith("; node: 0 rows are")
    few, enough = (run(folder=tmp_path, given=series(rows)).stderr.splitlines()[-1] for rows in (30, 60))
    assert few.endswith("values are anomalies, fewer rows than a series needs to be judged by itself")
    assert enough.endswith("values are anomalies")
    assert any(float(row["score"]) > 0.0 for row in read(day.stdout) if row["series"] == "node")


def test_from_a_file_to_a_file_and_from_a_pipe_to_a_pipe(tmp_path):
    """The same scores to the byte; standard output holds nothing else, and standard error says the step and the end."""
    (tmp_path / "in.csv").write_text(series(), "utf-8")
    filed = run("--input", "in.csv", "--output", "out.csv", "--group", "node", folder=tmp_path)
    piped = run("--input", "-", "--output", "-", "--group", "node", folder=tmp_path, given=series())
    plain = run("--group", "node", folder=tmp_path, given=series())
    assert (filed.returncode, piped.returncode, plain.returncode) == (0, 0, 0)
    assert filed.stdout == ""
    assert (tmp_path / "out.csv").read_text("utf-8") == piped.stdout == plain.stdout
    assert filed.stderr.splitlines()[0] == "in.csv: 4 series, a row every 3600 s"
    assert filed.stderr.splitlines()[1].startswith("in.csv: 480 rows, ")
    assert len(read(piped.stdout)) == 480 * 5


def test_the_incident_is_found_and_attributed(tmp_path):
    """The group is an anomaly when two of its series leave their season, and these two are named first."""
    rows = read(run("--group", "node", folder=tmp_path, given=series()).stdout)
    incident = [row for row in rows if row["timestamp"] == str(3600 * 400)]
    group = incident.pop()
    assert (group["series"], group["value"], group["anomaly"]) == ("node", "", "1")
    assert sorted(group["contributors"][1:-1].split(",")[:2]) == ['"cpu"', '"load"']
    by_score = sorted(incident, key=lambda row: float(row["score"]), reverse=True)
    assert {row["series"] for row in by_score[:2]} == {"cpu", "load"}
    before = [row for row in rows if row["series"] == "node" and int(row["timestamp"]) < 3600 * 400]
    assert float(group["score"]) > max(float(row["score"]) for row in before)


def test_a_slow_pipe_is_answered_row_by_row(tmp_path):
    """Once the step is known, the scores of each row are there before the next row is written."""
    header, *lines = series(rows=60).splitlines(keepends=True)
    with subprocess.Popen(
        command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(header)
        assert process.stdout.readline().startswith("timestamp,series,")
        process.stdin.write("".join(lines[:25]))  # a day
        assert [process.stdout.readline().split(",")[0] for _ in range(25 * 4)][-1] == str(24 * 3600)
        for at, line in enumerate(lines[25:], start=25):
            process.stdin.write(line)
            answers = [process.stdout.readline().split(",")[:2] for _ in range(4)]
            assert answers == [[str(at * 3600), name] for name in ("cpu", "load", "memory", "disk")]
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(60) == 0


def test_a_reader_that_leaves_ends_it_quietly(tmp_path):
    """`| head` is no error to write about."""
    (tmp_path / "in.csv").write_text(series(), "utf-8")
    with subprocess.Popen(
        command("--input", "in.csv"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        process.wait(60)
    assert [line for line in said.splitlines() if not line.startswith("in.csv: 4 series")] == []


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("", (), "lens-exporter: in.csv:1: empty; expected a header such as timestamp,cpu,memory"),
        ("timestamp,a\n0,1\n60,x\n", (), 'lens-exporter: in.csv:3: column 2 (a): expected a number, or nothing for a gap, got "x"'),
        (
            "timestamp,a\n9999,1\n60,1\n",
            (),
            'lens-exporter: in.csv:3: column 1 (timestamp): times must ascend, and "60" is not after the row before it',
        ),
        (
            "timestamp,a\n0,1\n",
            ("--group", "a"),
            "lens-exporter: in.csv:1: column 2 (a): the group needs a name that no series has",
        ),
        (
            "timestamp,a\n600,1\n300,2\n0,3\n",
            (),
            "lens-exporter: in.csv:3: column 1 (timestamp): times are in descending order, newest first: turn the table round",
        ),
    ],
)
def test_an_error_is_one_line_and_exit_code_one(text, arguments, expected, tmp_path):
    """File, line and column; no traceback."""
    (tmp_path / "in.csv").write_text(text, "utf-8")
    answer = run("--input", "in.csv", *arguments, folder=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1] == expected
    assert len(answer.stderr.splitlines()) <= 2


def test_a_header_that_is_wrong_costs_no_earlier_output(tmp_path):
    """The output is created only when there is a table to score."""
    (tmp_path / "out.csv").write_text("precious", "utf-8")
    answer = run("--output", "out.csv", folder=tmp_path, given="time,a\n")
    assert answer.returncode == 1
    assert answer.stderr == 'lens-exporter: <stdin>:1: column 1: expected timestamp, got "time"\n'
    assert (tmp_path / "out.csv").read_text("utf-8") == "precious"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--input", "in.csv", "--output", "in.csv"), "--output would overwrite --input"),
        (("--input", "no.csv"), "no.csv"),
        *(
            (
                ("--input", "in.csv", "--false-alarms-per-week", given),
                f"'--false-alarms-per-week': {given} is not in the range 0<x<=1000",
            )
            for given in ("0.0", "nan", "inf", "-inf", "1e+308", "1000.1")
        ),
        (("--input", "in.csv", "--group", ""), "--group needs a name"),
    ],
)
def test_a_wrong_call_is_refused(arguments, expected, tmp_path):
    """Exit code 2, and nothing was touched."""
    (tmp_path / "in.csv").write_text("timestamp,a\n", "utf-8")
    answer = run(*arguments, folder=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert expected in answer.stderr.splitlines()[-1]
    assert "Warning" not in answer.stderr
    assert (tmp_path / "in.csv").read_text("utf-8") == "timestamp,a\n"


@pytest.mark.parametrize(
    ("redirection", "expected"),
    [
        ("<&-", "cannot read <stdin>: it is closed"),
        ("--input in.csv >&-", "cannot write <stdout>: it is closed"),
        (
            "--input in.csv --output out.csv >&-",
            "in.csv: 30 rows, 0 values are anomalies, fewer rows than a series needs to be judged by itself",
        ),
    ],
)
def test_a_standard_stream_that_is_closed_is_named(redirection, expected, tmp_path):
    """As a daemon's child may find them: one line where it is needed, nothing where it is not."""
    (tmp_path / "in.csv").write_text(series(30), "utf-8")
    shell = f"{' '.join(command())} {redirection}"
    answer = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert answer.stderr.splitlines()[-1].removeprefix("lens-exporter: ") == expected
    assert len(answer.stderr.splitlines()) <= 2
    assert answer.returncode == ("cannot" in expected)


@pytest.mark.parametrize(
    ("redirection", "expected"),
    [
        ("< clob.csv --output clob.csv", "--output would overwrite standard input"),
        ("< clob.csv --output link.csv", "--output would overwrite standard input"),
        ("--input clob.csv >> clob.csv", "standard output would overwrite --input"),
        ("< clob.csv >> clob.csv", "standard output would overwrite standard input"),
        ("--input link.csv --output clob.csv", "--output would overwrite --input"),
        ("--input /dev/stdin --output clob.csv < clob.csv", "--output would overwrite --input"),
    ],
)
def test_no_table_is_its_own_scores(redirection, expected, tmp_path):
    """However the shell was told of it: exit code 2, and the table is as it was."""
    (tmp_path / "clob.csv").write_text(series(30), "utf-8")
    (tmp_path / "link.csv").symlink_to("clob.csv")
    shell = f"{' '.join(command())} {redirection}"
    answer = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.splitlines()[-1] == f"Error: {expected}"
    assert (tmp_path / "clob.csv").read_text("utf-8") == series(30)


@pytest.mark.parametrize(("before", "left"), [(None, "out.csv is not written"), ("precious", "out.csv stands as it was")])
def test_a_wrong_cell_costs_no_earlier_output(before, left, tmp_path):
    """However late it comes: the earlier file stands, no part of a new one is left, and how far it came is said."""
    if before is not None:
        (tmp_path / "out.csv").write_text(before, "utf-8")
    answer = run("--output", "out.csv", folder=tmp_path, given=series(30) + "999999,1,2,x,4\n")
    assert answer.returncode == 1
    scored, error = answer.stderr.splitlines()
    assert scored == f"<stdin>: 0 rows are scored; {left}"  # it came with the first rows, before a step was known
    assert error == 'lens-exporter: <stdin>:32: column 4 (memory): expected a number, or nothing for a gap, got "x"'
    assert [path.read_text("utf-8") for path in tmp_path.iterdir()] == ([] if before is None else [before])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("target", ["out.csv", "-"])
def test_who_ends_it_hears_how_far_it_came(number, code, target, tmp_path):
    """The earlier file stands; the exit code is the shell's for that signal."""
    (tmp_path / "out.csv").write_text("precious", "utf-8")
    arguments = [sys.executable, "-c", f"{HEARD}; from lens_exporter.cli import main; main()", "detect", "--output", target]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(series(30))
        process.stdin.flush()
        assert process.stderr.readline() == "<stdin>: 4 series, a row every 3600 s\n"
        if target == "-":
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            next(line for line in lines if line.startswith("104400,disk"))  # of the last row
            process.stdin.write(series(31).splitlines(keepends=True)[-1])
            process.stdin.flush()
            next(line for line in lines if line.startswith("108000,disk"))  # so that those before it are counted
        else:
            until(lambda: [path for path in tmp_path.glob("out.csv.*.new") if b"104400,disk" in path.read_bytes()], 30)
        process.send_signal(number)
        said = process.stderr.read()
        assert process.wait(60) == code
    left = "; out.csv stands as it was" if target == "out.csv" else ""
    assert re.fullmatch(rf"<stdin>: interrupted, \d+ rows are scored{left}\n", said)
    assert int(said.split()[2]) in {30, 31} or target == "out.csv"
    assert [(path.name, path.read_text("utf-8")) for path in tmp_path.iterdir()] == [("out.csv", "precious")]


def test_an_index_is_told_as_such(tmp_path):
    """Rows numbered 0, 1, 2: nobody measures since 1970."""
    given = "timestamp,a\n" + "".join(f"{at},{at % 7}\n" for at in range(100))
    said = run(folder=tmp_path, given=given).stderr
    assert "looks like an index of rows" in said
    assert "give times where it is not a minute" in said


@pytest.mark.parametrize("target", ["/dev/full", "no/such/folder.csv"])
def test_an_output_that_cannot_be_written_is_named(target, tmp_path):
    """The reason of the operating system."""
    answer = run("--output", target, folder=tmp_path, given=series())
    assert answer.returncode == 1
    assert answer.stderr.splitlines()[-1].startswith(f"lens-exporter: cannot write {target}: ")


def test_a_header_alone_gives_a_header(tmp_path):
    """No rows, no scores, no error."""
    answer = run(folder=tmp_path, given="timestamp,a\n")
    assert (answer.returncode, answer.stdout) == (0, "timestamp,series,value,expected,lower,upper,score,anomaly\n")


def test_progress_is_shown_on_a_terminal_only(tmp_path):
    """A person sees how far it is; a log gets the two lines."""
    (tmp_path / "in.csv").write_text(series(), "utf-8")
    ours, theirs = pty.openpty()
    arguments = command("--input", "in.csv", "--output", "out.csv")
    process = subprocess.Popen(arguments, stderr=theirs, cwd=tmp_path, env={**environment(), "TERM": "xterm"})
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end of a terminal is closed
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    assert process.wait(60) == 0
    assert b"480 rows" in shown
    assert b"\x1b[" in shown
    assert b"\x1b[" not in run("--input", "in.csv", "--output", "out.csv", folder=tmp_path).stderr.encode()


def test_the_page_about_it_is_true(tmp_path):
    """The example of docs/how-to/detect.md gives what stands there: texts and flags exactly, numbers to a millionth."""
    blocks = re.findall(r"^```(sh|csv)\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (script, shown) = ("".join(text for kind, text in blocks if kind == wanted) for wanted in ("sh", "csv"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    answer = subprocess.run(
        ["sh", "-ec", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=True,
        env={**environment(), "PATH": path},
    )
    rows, expected = read(answer.stdout), read(shown)
    texts = ("timestamp", "series", "value", "anomaly")
    assert [[row[name] for name in texts] for row in rows] == [[row[name] for name in texts] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        for name in ("expected", "lower", "upper", "score"):
            assert (row[name] == "") == (wanted[name] == "")
            assert float(row[name] or 0) == pytest.approx(float(wanted[name] or 0), rel=1e-6)
    assert [row["contributors"] for row in rows] == [row["contributors"] for row in expected]
