"""The numbers a sentence claims: found, with their units, rounding and rate, as one of their readers would take them.

Digits that are part of a name (api-7, p99, http2, 2.42.0, /tmp/export-17.csv, port 9090) claim nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

_SI = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_BINARY = {"": 1.0, "k": 2.0**10, "m": 2.0**20, "g": 2.0**30, "t": 2.0**40}


class Unit(StrEnum):
    NONE = "none"
    BYTES = "bytes"
    PERCENT = "percent"
    SECONDS = "seconds"
    TIMES = "times"  # a factor: 3x
    CLOCK = "clock"  # a time of day or a date


@dataclass(frozen=True, slots=True)
class Quoted:
    """One number as written. value x any of scales is it in base units; half is half of its last digit shown, in its own unit."""

    text: str
    value: float
    half: float = 0.5
    unit: Unit = Unit.NONE
    scales: tuple[float, ...] = (1.0,)
    written: str = ""  # the unit as written, lower case: gb, ms
    signed: bool = False
    rate: float | None = None  # seconds, for "a minute"
    per: bool = False  # "per open file": a ratio
    digits: int = 1  # significant digits shown
    date: str = ""  # for a clock: the ISO date or its end (-11-20), when one was written
    has_time: bool = False  # for a clock: whether a time of day was written


_DURATIONS = {
    "ns": 1e-9, "µs": 1e-6, "us": 1e-6, "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "m": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0, "d": 86_400.0, "day": 86_400.0, "days": 86_400.0,
}  # fmt: skip
_PERCENTS = {"%", "percent", "percentage", "pp"}
_FACTORS = {"x", "\u00d7", "times", "fold"}
_PLAIN = {"k": 1e3, "thousand": 1e3, "M": 1e6, "million": 1e6, "G": 1e9, "billion": 1e9}
_BYTES = re.compile(r"([kmgt]?)(i?)b(?:ytes?)?", re.IGNORECASE)

_NUMBER = re.compile(
    r"(?P<sign>[-+])?(?P<digits>\d{1,3}(?:,\d{3})+|\d+)?(?P<fraction>\.\d+)?(?P<exponent>[eE][-+]?\d+)?(?P<unit>%|[^\W\d_]+)?"
    r"(?:/(?P<over>[^\W\d_]+))?"
)
_CLOCK = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-]00:00)?")
_DATED = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)(?:T(?P<clock>\S+))?")
# PromQL's matchers and ranges, as in up{job="a"}[5m]: they name series.
_MATCHERS = re.compile(r"(?<=\w)\{[^{}]*\}|\{[^{}]*=[^{}]*\}|(?<=[\w)}])\[[^\[\]]*\]")
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|xx|am|pm)", re.IGNORECASE)
_NAMING = {"pid", "port", "version", "release", "line", "http", "status", "code", "-p"}  # the next number is a name
_PAIRING = {"->", "to", "of", "and", "or", "vs"}  # "0.4 -> 2.31 GB": the left number has the right one's unit
_ABOUT = {"about", "roughly", "around", "nearly", "almost", "over", "above", "below", "under", "than", "least", "most"}
_REACH = 4  # words after a number in which its "a minute" may stand


def quoted(text: str) -> list[Quoted]:
    """List the numbers that `text` claims, in order."""
    words = _words(text)
    found: list[Quoted] = []
    for index, word in enumerate(words):
        before = words[index - 1].lower().rstrip(":") if index else ""
        if before in _NAMING:
            continue
        number = _clock(word) or _day(words, index) or _number(words, index, approximate=before in _ABOUT)
        if number is not None:
            found.append(number)
    return found


def _words(text: str) -> list[str]:
    text = _MATCHERS.sub(" ", text)
    text = re.sub(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}\b)", ",", text).replace("\u2212", "-")
    text = re.sub(r"->|=>|→|⇒|\.\.+|…|–", " -> ", text)  # noqa: RUF001 - ranges are written with this dash
    text = re.sub(r"[—|~≈]", lambda match: " about " if match.group() in "~≈" else " ", text)
    return list(_split(text.split()))


def _split(tokens: Sequence[str]) -> Iterator[str]:
    """Take punctuation off, and part what is written together: rss=2.31, 10-20, 3/5, 61,62."""
    for token in tokens:
        end = "," if token[-1] in ",;." else ""
        word = token.lstrip("([{\"'`<>≤≥*").rstrip(")]}\"'`*,.;:!?")
        if re.search(r"[\"'\[{(]", word):  # a PromQL fragment: rate(x[5m]), up{job="a"}
            continue
        word = re.sub(r"^(?:[A-Za-z_]\w*)?[=<>≤≥]+(?=[-+.\d])", "", word).lstrip("$€≤≥")
        if _DATED.fullmatch(word) or _NUMBER.fullmatch(word) or not re.match(r"[-+.]?\d", word):
            parts = [word]
        elif re.fullmatch(r"[-+]?[\d.,]+[^\W\d]*%?(?:-[\d.,]+[^\W\d]*%?)+", word) and not re.fullmatch(r"\d{4}-\d\d-.*", word):
            parts = re.split(r"(?<=[\w%])(-)(?=\d)", word)
            parts = ["->" if part == "-" else part for part in parts]
        elif re.fullmatch(r"\d+(?:\.\d+)?(?:/\d+(?:\.\d+)?)+", word):
            parts = word.split("/")
        elif re.fullmatch(r"[-+]?[\d.,]+%?-[^\W\d]+", word):  # a 1,999-file leak, a 5-minute gap
            parts = word.rsplit("-", 1)
        elif "," in word and not re.match(r"[-+]?\d{1,3}(?:,\d{3})+(?:\D|$)", word):
            parts = word.split(",")
        else:
            parts = [word]
        yield from (part for part in parts if part)
        if end:
            yield end


def _clock(word: str) -> Quoted | None:
    dated = _DATED.fullmatch(word)
    date = dated["date"] if dated else ""
    clock = _CLOCK.fullmatch(dated["clock"] if dated and dated["clock"] else word)
    if clock:
        minutes = int(clock["hour"]) * 60.0 + int(clock["minute"])
        return Quoted(word, minutes, unit=Unit.CLOCK, date=date, has_time=True)
    return Quoted(word, 0.0, unit=Unit.CLOCK, date=date) if dated else None


def _day(words: Sequence[str], index: int) -> Quoted | None:
    """Read "20 Nov"."""
    month = _MONTHS.find(words[index + 1][:3].lower()) if index + 1 < len(words) and len(words[index + 1]) >= 3 else -1
    if month < 0 or month % 3 or not re.fullmatch(r"\d\d?", words[index]):
        return None
    return Quoted(f"{words[index]} {words[index + 1]}", 0.0, unit=Unit.CLOCK, date=f"-{month // 3 + 1:02d}-{int(words[index]):02d}")


def _number(words: Sequence[str], index: int, *, approximate: bool) -> Quoted | None:
    word = words[index]
    match = _NUMBER.fullmatch(word)
    if match is None or not (match["digits"] or match["fraction"]) or _ORDINAL.fullmatch(word):
        return None
    whole, fraction = (match["digits"] or "0").replace(",", ""), match["fraction"] or ""
    exponent = int(match["exponent"][1:]) if match["exponent"] else 0
    value = float(f"{match['sign'] or ''}{whole}{fraction}e{exponent}")
    last_digit = 10.0 ** (exponent - max(0, len(fraction) - 1))
    shown = (whole + fraction[1:]).lstrip("0")
    if approximate and not fraction:
        last_digit *= 10.0 ** (len(whole) - len(whole.rstrip("0"))) if whole.strip("0") else 1.0
    unit, scales, written = _unit(words, index, match["unit"] or "")
    rate, per = _per(words, index + 1, match["over"] or "")
    return Quoted(
        text=word if match["unit"] or not written else f"{word} {written}",
        value=value,
        half=last_digit / 2,
        unit=unit,
        scales=scales,
        written=written.lower(),
        signed=bool(match["sign"]),
        rate=rate,
        per=per,
        digits=max(1, len(shown)),
    )


def _unit(words: Sequence[str], index: int, glued: str) -> tuple[Unit, tuple[float, ...], str]:
    following = words[index + 1] if index + 1 < len(words) else ""
    written = glued or following.split("/")[0]
    known = _scales(written)
    if known is not None:
        return (*known, written)
    if not glued and following.lower() in _PAIRING and index + 2 < len(words):
        partner = _NUMBER.fullmatch(words[index + 2])
        if partner is not None and (partner["digits"] or partner["fraction"]):
            unit, scales, written = _unit(words, index + 2, partner["unit"] or "")
            return unit, tuple(dict.fromkeys((1.0, *scales))), written
    return Unit.NONE, (1.0,), ""


def _scales(written: str) -> tuple[Unit, tuple[float, ...]] | None:
    if written in _PLAIN:
        return Unit.NONE, (_PLAIN[written],)
    word = written.lower()
    if word in _DURATIONS:
        return Unit.SECONDS, (_DURATIONS[word],)
    if word in _PERCENTS:
        return Unit.PERCENT, (0.01,)
    if word in _FACTORS:
        return Unit.TIMES, (1.0,)
    size = _BYTES.fullmatch(written)
    if size:
        prefix = size[1].lower()
        scales = (_BINARY[prefix],) if size[2] else (_SI[prefix], _BINARY[prefix])
        return Unit.BYTES, tuple(dict.fromkeys(scales))
    return None


def _per(words: Sequence[str], start: int, over: str) -> tuple[float | None, bool]:
    """Find "/s", "a minute", "per second" (a rate) or "per open file" (a ratio) after a number."""
    if over.lower() in _DURATIONS:
        return _DURATIONS[over.lower()], False
    for offset, word in enumerate(words[start : start + _REACH]):
        if word == "," or word in _PAIRING or re.match(r"[-+.]?\d", word):
            break
        _noun, slash, unit = word.partition("/")
        if slash and unit.lower() in _DURATIONS:
            return _DURATIONS[unit.lower()], False
        following = words[start + offset + 1].lower() if start + offset + 1 < len(words) else ""
        if word.lower() in {"a", "an", "per", "every", "each"}:
            if following in _DURATIONS and len(following) > 1:
                return _DURATIONS[following], False
            if word.lower() in {"per", "each", "every"}:
                return None, True
    return None, bool(over)
