"""From what somebody says to a declaration: a silence whose comment says so, or a request; and what is not taken as one."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lens_exporter.baseline.expected import Declaration, DeclarationSource, covers
from lens_exporter.errors import DeclarationInvalid
from lens_exporter.model.labels import Labels
from lens_exporter.model.matcher import Matcher
from lens_exporter.model.silence import Silence

DAY = 86_400.0
LONGEST = 31 * DAY  # seconds of one span: what is in order for longer is the new normal
FURTHEST = 366 * DAY  # seconds ahead
MOST_MATCHERS = 64
MOST_CHARACTERS = 1024  # of a name, a value or a comment

_SAYS_SO = re.compile(r"\s*expected:", re.IGNORECASE)
_ALMOST = re.compile(r"\s*expected\b", re.IGNORECASE)  # "Expected to end soon" is prose; "expected - load test" was meant
_NOT_SO = 'the comment begins with the word "expected", and not with "expected:"'
_WHOEVER = ("watcher", "severity")
_ANYBODY = "LensAnybody"  # a value that no expression matches which means something; Lens.* is every alert of ours
_OWN = ("alertname", "severity", "watcher", "category")


@dataclass(frozen=True, slots=True)
class Refused:
    """A silence that says expected, or nearly so, and is not taken, and why."""

    silence: Silence
    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """A declaration as it is now."""

    declaration: Declaration


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A declaration that is none any more, and why. It held until ends_at; None: it is as if it had never been made."""

    declaration: Declaration
    reason: str
    ends_at: float | None = None


def says_expected(silence: Silence) -> bool:
    """Say whether a silence declares something to be in order. Every other one only silences."""
    return _SAYS_SO.match(silence.comment) is not None


def taken(silences: Iterable[Silence], own: Collection[Labels], *, at: float, kept: float) -> list[Declaration | Refused]:
    """Give what silences declare about our own alerts.

    own has the labels of our own (alertname, watcher, category) of every alert that any watcher may raise; a silence that they
    rule out speaks of somebody else's alerts. kept is for how many seconds back anything is remembered.
    """
    found: list[Declaration | Refused] = []
    for silence in silences:
        # One that was expired before it began never held; one that was over before all we know says nothing any more.
        if silence.ends_at <= max(silence.starts_at, at - kept):
            continue
        if not says_expected(silence):
            if (
                _ALMOST.match(silence.comment)
                and silence.ends_at > at
                and not silence.unreadable
                and concerns(silence.matchers, own)
            ):
                found.append(Refused(silence, _NOT_SO))
            continue
        if silence.unreadable:
            found.append(Refused(silence, silence.unreadable))
            continue
        if not concerns(silence.matchers, own):
            continue
        declaration = Declaration(
            silence.id,
            DeclarationSource.SILENCE,
            silence.matchers,
            silence.starts_at,
            silence.ends_at,
            silence.created_by,
            silence.comment,
        )
        try:
            found.append(checked(declaration, at=at, kept=kept))
        except DeclarationInvalid as error:
            found.append(Refused(silence, str(error)))
    return found


def concerns(matchers: Iterable[Matcher], own: Collection[Labels]) -> bool:
    """Say whether matchers may speak of an alert whose own labels (alertname, watcher, category) are among these."""
    owned = [matcher for matcher in matchers if matcher.name in _OWN]
    return any(covers(owned, labels) for labels in own)


def names_nobody(matchers: Iterable[Matcher]) -> bool:
    """Say whether matchers leave out nobody's alerts but other watchers': no target, and no alert by its name."""
    named = [matcher for matcher in matchers if matcher.name not in _WHOEVER]
    return all(matcher.regex and matcher.equal and matcher.matches({matcher.name: _ANYBODY}) for matcher in named)


def checked(declaration: Declaration, *, at: float, kept: float) -> Declaration:
    """Give a declaration that can be kept: its times in whole milliseconds, its words as every database takes them.

    Raises:
        DeclarationInvalid: names what is wrong.

    """
    begin, end = round(declaration.starts_at, 3), round(declaration.ends_at, 3)
    if end <= begin:
        raise DeclarationInvalid(what="to", reason=f"{_moment(end)} is not after {_moment(begin)}")
    if end - begin > LONGEST:
        days = (end - begin) / DAY
        raise DeclarationInvalid(what="to", reason=f"the span lasts {days:.1f} days, at most {LONGEST / DAY:.0f} are taken")
    if end <= at - kept:
        raise DeclarationInvalid(what="to", reason=f"{_moment(end)} is before all that is remembered, from {_moment(at - kept)} on")
    if end > at + FURTHEST:
        raise DeclarationInvalid(what="to", reason=f"{_moment(end)} is more than {FURTHEST / DAY:.0f} days ahead")
    if len(declaration.matchers) > MOST_MATCHERS:
        raise DeclarationInvalid(what="labels", reason=f"there are {len(declaration.matchers)}, at most {MOST_MATCHERS} are taken")
    for matcher in declaration.matchers:
        if max(len(matcher.name), len(matcher.value)) > MOST_CHARACTERS:
            reason = f"the name or value has more than {MOST_CHARACTERS} characters"
            raise DeclarationInvalid(what=f"label {matcher.name[:40]!r}", reason=reason)
    return replace(declaration, starts_at=begin, ends_at=end, by=_text(declaration.by), comment=_text(declaration.comment))


def changes(
    stored: Iterable[Declaration], silences: Iterable[Silence], declared: Iterable[Declaration], at: float, *, complete: bool
) -> list[Keep | Withdraw]:
    """Give what has to be written so that what is stored is what silences declare.

    complete: every Alertmanager answered. One keeps a silence until long after its end, so one that is gone before was lost.
    """
    known, keeps = {silence.id for silence in silences}, {one.id: Keep(one) for one in declared}
    found: list[Keep | Withdraw] = list(keeps.values())
    for one in stored:
        if one.source is not DeclarationSource.SILENCE or one.id in keeps or one.ends_at <= at:
            continue
        if one.id in known:
            found.append(Withdraw(one, "its silence does not say so any more"))
        elif complete:
            found.append(Withdraw(one, "no Alertmanager knows its silence any more", at if one.starts_at < at else None))
    return found


def after(stored: Iterable[Declaration], made: Iterable[Keep | Withdraw]) -> tuple[Declaration, ...]:
    """Give what is stored once changes are made, in the order in which it begins."""
    known = {one.id: one for one in stored}
    for change in made:
        match change:
            case Keep(one):
                known[one.id] = one
            case Withdraw(one, ends_at=end) if end is not None:
                known[one.id] = replace(one, ends_at=end)
            case Withdraw(one):
                del known[one.id]
    return tuple(sorted(known.values(), key=lambda one: (one.starts_at, one.id)))


def _text(text: str) -> str:
    # Lone surrogates are no UTF-8, and PostgreSQL keeps no NUL.
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:MOST_CHARACTERS]


def _moment(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"
