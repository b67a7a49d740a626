"""Structured logs: one line for each record, logfmt or JSON, our own records and those of the libraries alike.

Hostile text (a label value, a server's answer) can neither begin a line of its own nor reach a terminal's control codes; values of
keys that may hold a secret are not shown.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from lens_exporter.foundation import tracing
from lens_exporter.model.secret import hidden, may_hold_a_secret


class LogFormat(StrEnum):
    LOGFMT = "logfmt"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


LEVELS = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_FIRST = ("ts", "level", "component", "msg")
_HIDDEN = "<hidden>"
_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f]+")


def set_up(level: str = LogLevel.INFO, form: str = LogFormat.LOGFMT, *, stream: TextIO | None = None) -> None:
    """Send every record of this process to `stream` (standard error by default). Called once, by the command line.

    Servers that bring their own logging (uvicorn) must be told not to configure it.
    """
    render: Processor = _json if form == LogFormat.JSON else _logfmt
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
        _named,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        # A person reads the correlation id, which is the same number; a log store links by OpenTelemetry's writing of it.
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *([_traced] if form == LogFormat.JSON else []),
            safe,
            render,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[LogLevel(level)])
    for name in list(root.manager.loggerDict):  # libraries imported before now may have handlers and levels of their own
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    # DBOS adds a handler of its own unless it finds one.
    logging.getLogger("dbos").handlers[:] = [handler]
    logging.getLogger("dbos").propagate = False
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it names each of its plugins
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)  # it would write each statement, with the values bound to it
    # Each retried connection would be a warning of urllib3 beside our own error.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # loggers made while modules were imported must follow this set-up
    )


def _traced(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if not tracing.kept():
        return event
    try:
        found = {"trace_id": tracing.written(event["correlation"])}
    except (KeyError, TypeError, ValueError):  # not part of a story, or a library's own word for something else
        found = tracing.exemplar() or {}
    return {**event, **found}


def safe(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what may be secret, in keys at any depth and inside texts, and say only the length of bytes."""
    return {key: _shown(key, value) for key, value in event.items()}


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value  # input_tokens=4120 is a number, not a token
    if may_hold_a_secret(key):
        return _HIDDEN
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, Mapping):
        return {str(name): _shown(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown("", item) for item in value]
    return without_secrets(str(value))


def without_secrets(text: str) -> str:
    """Copy text as a line of the log may hold it. Before it is cut: half a secret is no longer known for one."""
    return hidden(text, lambda _kind: _HIDDEN)


def _named(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["msg"] = str(event.pop("event", "")).rstrip()
    event["component"] = event.pop("logger", "").removeprefix("lens_exporter.")
    event["level"] = "warn" if event.get("level") == "warning" else event.get("level")
    return {**{key: event[key] for key in _FIRST if key in event}, **event}


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return json.dumps(event, default=str)  # ASCII, so every control character is escaped


def _logfmt(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return " ".join(f"{re.sub(r'[^A-Za-z0-9_.-]', '_', key) or '_'}={_logfmt_value(value)}" for key, value in event.items())


def _logfmt_value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    if _PLAIN.fullmatch(text) and text.isprintable():
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in quoted)
