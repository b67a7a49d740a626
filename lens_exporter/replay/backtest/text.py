"""A backtest as text that a person likes to read: lines, each with the style it has on a terminal."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from lens_exporter.baseline.naming import cleaned, target_names
from lens_exporter.baseline.numbers import number
from lens_exporter.model.duration import duration_text
from lens_exporter.model.labels import Labels
from lens_exporter.replay.backtest.overlap import MARGIN, Detection
from lens_exporter.replay.backtest.report import GroupRate, Report, WouldBe

Line = tuple[str, str]  # text, style of rich; "" for none

_MOST = 10  # lines of a list that is not the alerts themselves
_HEADING = "bold"
_QUIET = "dim"
_SEVERITY = {"critical": "red", "warning": "yellow", "info": "cyan"}
_COLUMNS = ("began", "lasted", "severity", "alert", "about", "rule", "beside")


def text(report: Report) -> Iterator[Line]:
    """Write a report, most important first."""
    yield from _head(report)
    yield "", ""
    yield from _alerts(report)
    for title, lines in (
        ("by group", _groups(report)),
        ("your rules", _rules(report)),
        ("silences", _silences(report)),
        ("expected", _expected(report)),
        ("incidents", _incidents(report)),
    ):
        yield "", ""
        for index, (line, style) in enumerate(lines):
            yield f"{title if index == 0 else '':<12} {line}".rstrip(), style


def day_and_time(at: float) -> str:
    """Write a moment of UTC to the minute, with its date."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


def lasted(seconds: float) -> str:
    """Write a duration in days, hours and minutes; seconds only where it is less than a minute."""
    return duration_text(float(round(seconds) if seconds < 60.0 else round(seconds / 60.0) * 60))


def _head(report: Report) -> Iterator[Line]:
    asked, replayed = report.asked, report.replayed
    begin, end = asked.span.begin, asked.span.end
    yield f"backtest of {asked.watcher}, {day_and_time(begin)} to {day_and_time(end)} UTC ({lasted(end - begin)})", _HEADING
    every = f", at least {duration_text(asked.span.every)} apart" if asked.span.every else ""
    pace = f"{replayed.ticks / report.seconds:,.0f} ticks a second" if report.seconds else "in no time"
    yield f"{many(replayed.ticks, 'tick')} ({asked.schedule}{every}) in {lasted(report.seconds)}, {pace}", _QUIET
    series = f"{many(len(replayed.series), 'series', 'series')} in {many(len(report.groups), 'group')}"
    yield f"{series}; history from {day_and_time(replayed.learnt_from)}, {asked.source}", _QUIET
    if replayed.judged < replayed.ticks:
        yield f"in {many(replayed.ticks - replayed.judged, 'tick')} nothing could be judged yet, or any more", "yellow"
    for error, times in sorted(replayed.errors.items(), key=lambda pair: -pair[1])[:_MOST]:
        yield f"could not be read in {many(times, 'tick')}: {cleaned_line(error)}", "red"
    if asked.reading:
        yield "a model reads this watcher's anomalies when it runs; none was asked here", "yellow"


def _alerts(report: Report) -> Iterator[Line]:
    asked, count = report.asked, len(report.alerts)
    yield fired(report), _HEADING
    budget = f"the budget is {number(asked.budget)} a week for each of {many(len(report.groups), 'group')}"
    if report.tells_of_a_week:
        yield f"{budget}; {number(report.per_week(report.budgeted))} a week count against it", ""
    else:
        yield f"{budget}; {lasted(asked.span.end - asked.span.begin)} is too short to compare", ""
    if kept := len(report.replayed.suppressed):
        yield f"{many(kept, 'anomaly', 'anomalies')} came too soon after an alert about the same thing, and stayed quiet", ""
    if not count:
        return
    yield "", ""
    names = target_names([one.alert.about for one in report.alerts])
    header, *rows = _aligned([_COLUMNS, *(_row(one, name, report) for one, name in zip(report.alerts, names, strict=True))])
    yield header, _HEADING
    for one, row in zip(report.alerts, rows, strict=True):
        yield row, _SEVERITY.get(one.alert.severity, "")
        yield f"  {one.alert.summary}", _QUIET


def fired(report: Report) -> str:
    """Say how many alerts there were."""
    count = len(report.alerts)
    return f"{many(count, 'alert')} would have fired{_a_week(count, report)}" if count else "no alert would have fired"


def _a_week(count: int, report: Report) -> str:
    return f", {number(report.per_week(count))} a week" if report.tells_of_a_week else ""


def _row(one: WouldBe, name: str, report: Report) -> tuple[str, ...]:
    alert = one.alert
    still = "" if alert.ended is not None else " so far"
    beside = [cleaned(report.theirs.alerts[place].name) for place in one.rule_alerts]
    beside += ["silenced"] if one.silences else []
    beside += ["incident"] if one.incidents else []
    return (
        day_and_time(alert.began),
        lasted(alert.seconds(report.asked.span.end)) + still,
        alert.severity,
        alert.name,
        name,
        alert.rule,
        ", ".join(dict.fromkeys(beside)),
    )


def _groups(report: Report) -> Iterator[Line]:
    loud = [one for one in report.groups if one.alerts]
    for one in loud[:_MOST]:
        # One alert in two days is three and a half a week, and proves nothing.
        over = report.tells_of_a_week and one.budgeted > 1 and report.per_week(one.budgeted) > report.asked.budget
        said = f"{_told(one)}: {many(one.alerts, 'alert')}{_a_week(one.alerts, report)}"
        yield f"{said}{', more than its budget' if over else ''}", "yellow" if over else ""
    if rest := loud[_MOST:]:
        yield f"{many(sum(one.alerts for one in rest), 'alert')} of {many(len(rest), 'more group')}", ""
    if silent := len(report.groups) - len(loud):
        yield f"{many(silent, 'group')} without an alert", ""


def _rules(report: Report) -> Iterator[Line]:
    theirs = report.theirs
    if theirs.alerts_unread:
        yield f"could not be asked: {cleaned_line(theirs.alerts_unread)}", "yellow"
        return
    if not theirs.alerts:
        yield "none of them fired in this time", ""
        return
    met = sum(bool(one.rule_alerts) for one in report.alerts)
    margin = duration_text(MARGIN)
    yield (
        f"fired {_times(len(theirs.alerts))}; {met} of {many(len(report.alerts), 'alert')} coincide (same thing, within {margin})",
        "",
    )
    alone = report.alone
    if alone:
        yield f"none of ours coincides with {many(len(alone), 'of them', 'of them')}:", ""
    for one, name in zip(alone[:_MOST], target_names([one.about for one in alone[:_MOST]]), strict=True):
        yield f"  {day_and_time(one.began)}  {lasted(one.ended - one.began)}  {cleaned(one.name)}  {name}", _QUIET
    if len(alone) > _MOST:
        yield f"  and {len(alone) - _MOST} more", _QUIET


def _silences(report: Report) -> Iterator[Line]:
    theirs = report.theirs
    if not theirs.alertmanagers:
        yield "no Alertmanager is configured", ""
        return
    for error in theirs.silences_unread:
        yield f"could not be asked: {cleaned_line(error)}", "yellow"
    if len(theirs.silences_unread) < theirs.alertmanagers or theirs.silences:
        held = many(len(report.silenced), "alert")
        yield f"{many(len(theirs.silences), 'silence')} known of this time; {held} would have fired into one", ""


def _expected(report: Report) -> Iterator[Line]:
    expected = report.asked.expected
    if expected.ignored:
        yield "what is declared was left out (--ignore-expected)", ""
        return
    if expected.unread:
        yield f"what is stored could not be read: {cleaned_line(expected.unread)}", "yellow"
    kept = len(report.replayed.expected)
    told = f"{many(kept, 'anomaly was', 'anomalies were')} expected, and not told"
    yield f"{many(len(expected.declarations), 'declaration')} about this time; {told}", ""


def _incidents(report: Report) -> Iterator[Line]:
    detections = report.detections
    if detections is None:
        yield "none were given (--incidents)", ""
        return
    caught = [one for one in detections if one.by is not None]
    delay = report.median_delay
    after = f", half of them within {lasted(delay)}" if delay is not None else ""
    yield f"{len(caught)} of {many(len(detections), 'incident')} caught{after}", ""
    false = len(report.false_alarms)
    yield f"{many(false, 'alert')} outside of them all{_a_week(false, report)}", ""
    for one in detections:
        yield f"  {_detection(one, report)}", _QUIET if one.by is not None else "yellow"
    if report.elsewhere:
        yield f"{many(len(report.elsewhere), 'incident')} outside of the span", ""


def _detection(one: Detection, report: Report) -> str:
    named = f"{day_and_time(one.incident.start)}  {cleaned(one.incident.name) or 'incident'}"
    if one.by is None:
        return f"{named}: missed"
    return f"{named}: caught after {lasted(one.delay)} by {report.alerts[one.by].alert.name}"


def _told(one: GroupRate) -> str:
    labels = _labels(one.labels) or "the only series"
    return f"{one.metric} {labels}" if one.metric else labels


def _labels(labels: Labels) -> str:
    return ", ".join(f"{cleaned(name)}={cleaned(value)}" for name, value in sorted(labels.items()))


def cleaned_line(said: str) -> str:
    """Put an error of strangers' words into one line."""
    return " ".join(said.split())


def many(count: int, one: str, several: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
