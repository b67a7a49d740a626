"""Log lines."""

import io
import json
import logging
import re

import pytest
import sqlalchemy as sa
import structlog
from opentelemetry.sdk.trace import TracerProvider

from lens_exporter.foundation import logs


@pytest.fixture
def written():
    """Give a function that sets logging up and returns the stream; put everything back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def set_up(*arguments: str) -> io.StringIO:
        stream = io.StringIO()
        logs.set_up(*arguments, stream=stream)
        return stream

    yield set_up
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
    dbos = logging.getLogger("dbos")
    dbos.handlers.clear()
    dbos.propagate = True


log = structlog.get_logger("lens_exporter.watch")  # made before the set-up, as every module's is


def test_a_record_is_one_logfmt_line_with_time_level_and_component(written):
    """RFC 3339 in UTC, Prometheus' level words, the part that speaks, the message; then the rest in order."""
    stream = written()
    log.warning("tick failed", watcher="host", seconds=1.5, series=3, late=True, reason=None, words="two words")
    assert re.fullmatch(
        r'ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z level=warn component=watch msg="tick failed" '
        r'watcher=host seconds=1\.5 series=3 late=true reason=null words="two words"\n',
        stream.getvalue(),
    )


def test_json_carries_the_same(written):
    """One object for each record, numbers as numbers."""
    stream = written("info", "json")
    log.info("tick", watcher="host", seconds=1.5, target={"job": "api"})
    record = json.loads(stream.getvalue())
    assert record.pop("ts").endswith("Z")
    assert record == {
        "level": "info",
        "component": "watch",
        "msg": "tick",
        "watcher": "host",
        "seconds": 1.5,
        "target": {"job": "api"},
    }


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_libraries_speak_through_the_same_renderer(written, form):
    """uvicorn, DBOS and alembic give lines of the same shape, once each, whatever handlers they had before."""
    own = logging.StreamHandler(io.StringIO())
    logging.getLogger("uvicorn.error").addHandler(own)
    stream = written("info", form)
    for name in ("uvicorn.error", "dbos", "alembic.runtime"):
        logging.getLogger(name).warning("%s is here", name)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert own.stream.getvalue() == ""
    if form == "json":
        assert [json.loads(line)["component"] for line in lines] == ["uvicorn.error", "dbos", "alembic.runtime"]
    else:
        assert 'level=warn component=dbos msg="dbos is here"' in lines[1]


@pytest.mark.parametrize(("level", "seen"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_the_level_bounds_what_is_written(written, level, seen):
    """--log.level works for our records and for libraries'."""
    stream = written(level)
    for logger in (log, logging.getLogger("uvicorn.error")):
        for say in (logger.debug, logger.info, logger.warning, logger.error):
            say("x")
    assert len(stream.getvalue().splitlines()) == 2 * seen


@pytest.mark.parametrize("level", ["debug", "info"])
def test_statements_and_their_values_are_not_written(written, level):
    """At no level does the database library write its SQL, which carries what is stored."""
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)  # as it does itself when it is imported
    stream = written(level)
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT :value"), {"value": "stored"})
    assert stream.getvalue() == ""


HOSTILE = ["a\nts=2026 level=info msg=forged", "a\r\x1b[2K", "a\u2028b\u0085c\u202ed", 'say "x" \\', "\ud800", "a=b", ""]


@pytest.mark.parametrize("form", ["logfmt", "json"])
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_inside_its_quotes(written, form, value):
    """As message, value, key, nested or from a library: one line, no control character, and it reads back."""
    stream = written("info", form)
    log.info(value, value=value, nested={"k": [value]}, **{value or "k": 1})
    logging.getLogger("uvicorn.error").info("%s", value)
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert all(char.isprintable() for char in text.replace("\n", ""))
    for line in text.splitlines():
        read = json.loads(line) if form == "json" else logfmt(line)
        assert read["msg"] == value
    assert (
        set(logfmt(text.splitlines()[0])) - {"ts", "level", "component", "msg", "value", "nested"}
        <= {re.sub(r"[^A-Za-z0-9_.-]", "_", value) or "k"}
        or form == "json"
    )


def logfmt(line: str) -> dict[str, str]:
    """Read a line as a log collector would."""
    pairs = re.findall(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)', line)
    return {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}


def test_what_may_be_a_secret_is_not_shown(written):
    """By the key's name at any depth, inside texts, and never the content of bytes; numbers and places are shown."""
    stream = written()
    log.info(
        "sent with Authorization: Bearer hunter2.hunter2",
        api_key="hunter2",
        headers={"Cookie": "hunter2", "Accept": "json"},
        url="postgresql://lens:hunter2@db/lens",
        body=b"hunter2",
        input_tokens=4120,
        token_file="/etc/lens/token",
    )
    logging.getLogger("uvicorn.error").info("x", extra={"password": "hunter2"})
    text = stream.getvalue()
    assert "hunter2" not in text
    assert 'body="<7 bytes>" input_tokens=4120 token_file=/etc/lens/token' in text
    assert '\\"Accept\\":\\"json\\"' in text
    assert "url=postgresql://<hidden>@db/lens" in text


def test_an_error_that_quotes_secrets_is_written_without_them(written):
    """Names and shapes of secrets are known inside a text, and every name that may stand before one as a key."""
    stream = written()
    log.info(
        "x",
        error=f"password=hunter2 api_key=sk-ant-api03-{'Zz9' * 8} from ghp_{'Zz9' * 8}",
        private_key="AAAA",
        db_passphrase="AAAA",
        secret_access_key="AAAA",
    )
    fields = logfmt(stream.getvalue())
    assert fields["error"] == "password=<hidden> api_key=<hidden> from <hidden>"
    assert [fields[key] for key in ("private_key", "db_passphrase", "secret_access_key")] == ["<hidden>"] * 3


def test_a_traceback_is_part_of_its_line(written):
    """One record, one line, also for exceptions of libraries."""
    stream = written()
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("failed")
        logging.getLogger("alembic").exception("failed")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert all("ValueError: two\nlines" in logfmt(line)["exception"] for line in lines)


def test_json_links_a_story_to_its_trace(written, monkeypatch):
    """By the trace id, which a log store follows; a person reads the correlation id, which says the same in fewer letters."""
    correlation = "01JD0000000000000000000000"
    stream = written("info", "json")
    log.info("anomaly.detected", correlation=correlation)
    assert "trace_id" not in stream.getvalue(), "nobody keeps traces"
    monkeypatch.setattr(logs.tracing.trace, "get_tracer_provider", TracerProvider)
    stream = written("info", "json")
    log.info("anomaly.detected", correlation=correlation)
    log.info("tick", correlation="no ulid")
    log.info("tick")
    first, *others = map(json.loads, stream.getvalue().splitlines())
    assert (first["correlation"], first["trace_id"]) == (correlation, "01934000000000000000000000000000")
    assert not any("trace_id" in line for line in others)
    stream = written("info", "logfmt")
    log.info("anomaly.detected", correlation=correlation)
    assert "trace_id" not in stream.getvalue()
