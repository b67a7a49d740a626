"""The kinds of values settings are made of, each with the words an error says it in.

The `title` of a type is the noun its errors use ("expected a duration like ...") and its name in docs/configuration.md.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, croniter
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from lens_exporter.model.duration import seconds

Key = tuple[str | int, ...]

_MATCHER = r'[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*(?:"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
_SELECTOR = re.compile(rf"\s*(?:{_MATCHER}\s*(?:,\s*{_MATCHER}\s*)*,?\s*)?")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Labels of our alerts, and of companions beside lens_origin: what routes and silences know them by.
_OURS = frozenset({"alertname", "severity", "watcher", "category", "verdict", "source_alertname", "source_fingerprint"})
_GAPS = 10  # looked at, to know how close moments of a schedule may be
_CRON_FIELDS = (
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12, jan to dec"),
    ("day of the week", "0 to 7, sun to sat"),
    ("second", "0 to 59"),
)
_RANDOM_FIELD = re.compile(r"(?<![A-Za-z])[HhRr](?![A-Za-z])")  # croniter's extension; a schedule here says when, not whether
_LAST_PORT = 65535
_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:\[\]/]*):(?P<port>\d{1,5})", re.ASCII)


class Misfit(ValueError):
    """Settings that are right each by itself but do not fit together. Carries where inside the model the fault lies."""

    def __init__(self, key: Key, problem: str) -> None:
        super().__init__(problem)
        self.key = key


class Settings(BaseModel):
    """The base of all settings: unknown keys are errors, values do not change, and no error repeats what was given.

    Numbers are finite: with a least change of infinity, or a limit that is NaN, nothing would ever be told, and nobody would know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


def _length(value: object, info: ValidationInfo) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return seconds(value if isinstance(value, str) else "")
    if not isfinite(value):
        raise ValueError("expected a duration that ends")
    if value and info.context:  # in a file; code gives seconds
        raise ValueError(f'expected a duration with its unit, like "{abs(value)}s" or "{abs(value)}d"')
    return float(value)


def _url(value: str) -> str:
    match = re.fullmatch(r"https?://([^\s/?#]+)[^\s?#]*", value)
    if match is None:
        raise ValueError('expected an address like "http://localhost:9090"')
    if "@" in match[1]:
        raise ValueError("an address holds no user or password here: use basic_auth")
    if not _has_port_or_none(match[1]):
        raise ValueError('expected an address like "http://localhost:9090", with a port from 1 to 65535')
    return value.rstrip("/")


def _has_port_or_none(place: str) -> bool:
    found = re.fullmatch(r"(?:\[[^\]]+\]|[^:\[\]]+)(?::(\d{1,5}))?", place, re.ASCII)
    return found is not None and (found[1] is None or 0 < int(found[1]) <= _LAST_PORT)


def _database_url(value: str) -> str:
    if not re.fullmatch(r"(?:sqlite|postgresql)(?:\+\w+)?://\S*", value):
        raise ValueError('expected a database address like "sqlite:///data/lens.db" or "postgresql://lens@db/lens"')
    if re.match(r"[^/]+://[^@/]*:[^@/]*@", value):
        raise ValueError("a password does not belong into this file: use database_password_file or database_password_env")
    return value


def _listen_address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None or int(match["port"]) > _LAST_PORT:
        raise ValueError('expected an address to listen on like "127.0.0.1:10077" or ":10077"')
    return value


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value):
        raise ValueError("expected the name of an HTTP header")
    if value.lower() in {"authorization", "proxy-authorization", "cookie"}:
        raise ValueError("secrets do not belong into this file: use basic_auth or bearer_token_file")
    return value


def _header_value(value: str) -> str:
    if not value.isprintable():
        raise ValueError("expected one line of printable text")
    return value


def _variable_name(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        # Without what was given: it may be the secret itself.
        raise ValueError("must be the name of an environment variable (letters, digits and _), not the secret itself")
    return value


def _label_name(value: str) -> str:
    if not _LABEL.fullmatch(value.replace(".", "_")):  # with OpenTelemetry's dots, which Prometheus 3 keeps: service.name
        raise ValueError('expected the name of a label like "instance"')
    return value


def _external_label(value: str) -> str:
    if not _LABEL.fullmatch(value) or value.startswith("__"):
        raise ValueError('expected the name of a label like "cluster": letters, digits and _, no digit first, no __')
    if value in _OURS or value.startswith("lens_"):
        raise ValueError(f"the label {value} is lens-exporter's own; give it another name")
    return value


def _schedule(value: str) -> str:
    fields = len(value.split())
    if fields not in {5, 6} or _RANDOM_FIELD.search(value):
        raise ValueError('expected five cron fields (UTC) like "*/5 * * * *", or six with the seconds last')
    try:
        # A day that never comes (30 February) is found only by looking for the next one.
        croniter(value, 0.0).get_next(float)
    except CroniterBadDateError as error:
        raise ValueError("expected a schedule for a day that comes") from error
    except (ValueError, KeyError) as error:
        reason = _wrong_field(value.split()) or str(error).removeprefix(f"[{value}] ")
        raise ValueError(f"expected five cron fields (UTC), or six with the seconds last: {reason}") from error
    return value


def _wrong_field(fields: Sequence[str]) -> str:
    """Name the first field of a schedule that is wrong by itself, and what it takes; "" where none is."""
    for place, field in enumerate(fields):
        alone = ["*"] * len(fields)
        alone[place] = field
        try:
            croniter(" ".join(alone), 0.0)
        except (ValueError, KeyError):
            name, takes = _CRON_FIELDS[place]
            return f'"{field}" is no {name}: {takes}, or a list, range or step of them'
    return ""


def shortest_gap(schedule: str) -> float:
    """Give the least seconds between any of the next few moments of a schedule."""
    moments = croniter(schedule, 0.0)
    due = [moments.get_next(float) for _ in range(_GAPS)]
    return min(after - before for before, after in pairwise(due))


def _moments(value: str) -> str:
    if value == "flagged":
        return value
    try:
        return _schedule(value)
    except ValueError as error:
        raise ValueError(f'expected "flagged", or {str(error).removeprefix("expected ")}') from error


def _selector(value: str) -> str:
    if not _SELECTOR.fullmatch(value):
        raise ValueError('expected PromQL matchers like "job=\\"api\\", env!=\\"test\\"" without braces')
    return value.strip().rstrip(",")


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('expected a time zone like "Europe/Berlin" that this machine knows') from None
    return value


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"expected a regular expression: {error}") from error
    return value


def _some_path(value: object) -> object:
    if value == "":
        raise ValueError("expected a path")
    return value


def _beside_the_file(value: Path, info: ValidationInfo) -> Path:
    if "\0" in str(value):
        raise ValueError("no path holds a zero byte")
    base = (info.context or {}).get("base")
    return Path(base) / value if base else value


Duration = Annotated[float, BeforeValidator(_length), Field(gt=0, title='duration like "30s", "5m" or "1h30m"')]
Pause = Annotated[float, BeforeValidator(_length), Field(ge=0, title='duration like "30s" or "5m", or 0')]
Url = Annotated[str, AfterValidator(_url), Field(title='address like "http://localhost:9090"')]
DatabaseUrl = Annotated[str, AfterValidator(_database_url), Field(title="database address")]
ListenAddress = Annotated[str, AfterValidator(_listen_address), Field(title='address to listen on like "127.0.0.1:10077"')]
VariableName = Annotated[str, BeforeValidator(_variable_name), Field(title="name of an environment variable")]
HeaderName = Annotated[str, AfterValidator(_header_name), Field(title="name of an HTTP header")]
HeaderValue = Annotated[str, AfterValidator(_header_value), Field(title="text")]
LabelName = Annotated[str, AfterValidator(_label_name), Field(title="label name")]
ExternalLabel = Annotated[str, AfterValidator(_external_label), Field(title="label name")]
LabelValue = Annotated[str, Field(min_length=1, max_length=1024)]
Schedule = Annotated[str, AfterValidator(_schedule), Field(title='schedule like "*/5 * * * *"')]
Moments = Annotated[str, AfterValidator(_moments), Field(title='"flagged", or a schedule like "0 * * * *"')]
Selector = Annotated[str, AfterValidator(_selector), Field(title="PromQL matchers")]
TimeZone = Annotated[str, AfterValidator(_time_zone), Field(title='time zone like "Europe/Berlin"')]
Regex = Annotated[str, AfterValidator(_regex), Field(title="regular expression")]
# Relative to the configuration file.
FilePath = Annotated[Path, BeforeValidator(_some_path), AfterValidator(_beside_the_file), Field(title="path")]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]*$", title="name of letters, digits, _ and -")]
