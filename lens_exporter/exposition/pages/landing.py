"""The first page: what watches, what fires, what was found."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from lens_exporter.exposition.html import Child, Html, el, link
from lens_exporter.exposition.pages.frame import apart, badge, empty, label_set, moment, page, section
from lens_exporter.exposition.pages.investigation import Brief
from lens_exporter.exposition.ports import AlertView, Document, WatcherView
from lens_exporter.model.alert import COMPANION
from lens_exporter.model.decision import Phase
from lens_exporter.model.labels import without

T = TypeVar("T")
_REFRESH = 15  # seconds
_SHOWN = 50
_RANK = {"critical": 0, "warning": 1, "info": 2}
_IDLE = {"failed": "failed", "hung": "hangs", "learning": "is still learning its past"}
_PHASES = {
    Phase.NORMAL: "normal",
    Phase.COLLECTING: "still collecting",
    Phase.DEVIATING: "outside the band",
    Phase.ANOMALY: "abnormal",
    Phase.MISSING: "without a value now",
}
_API = ("watchers", "alerts", "investigations", "events", "openapi.json")


@dataclass(frozen=True, slots=True)
class Landing:
    """What the page shows. A part that could not be read is its error's text."""

    origin: str
    version: str
    telemetry_path: str
    now: float
    reasons: Sequence[str]  # why it is not ready; none: ready
    watchers: Sequence[WatcherView] | str
    alerts: Sequence[AlertView] | str
    investigations: Sequence[Document] | str


def landing(view: Landing) -> bytes:
    """Write the page."""
    watchers = view.watchers if not isinstance(view.watchers, str) else ()
    return page(
        f"{view.origin}: lens-exporter",
        "",
        _header(view),
        el(
            "main",
            _trouble(view.reasons),
            section("Alerts", _part(view.alerts, lambda alerts: _alerts(alerts, watchers, view.now)), note="firing now"),
            section("Findings", _part(view.investigations, lambda found: _findings(found, view.now)), note="newest first"),
            section("Watchers", _part(view.watchers, lambda all_: _watchers(all_, view.now))),
        ),
        _footer(view),
        refresh=_REFRESH,
    )


def _header(view: Landing) -> Html:
    state = badge("not_ready" if view.reasons else "ready")
    about = el("p", el("bdi", view.origin), " ", state, el("span", f" version {view.version}", class_="quiet"))
    return el("header", el("h1", "lens-exporter"), about)


def _trouble(reasons: Sequence[str]) -> Html | None:
    if not reasons:
        return None
    return el("div", el("b", "Not ready"), el("ul", *(el("li", reason) for reason in reasons)), class_="card bad")


def _part(value: Sequence[T] | str, render: Callable[[Sequence[T]], Child]) -> Child:
    if isinstance(value, str):
        return el("p", "Cannot be read now: ", value, class_="card bad")
    return render(value)


def _alerts(alerts: Sequence[AlertView], watchers: Sequence[WatcherView], now: float) -> Child:
    if not alerts:
        return _nothing_fires(watchers)
    there = {view.alert.fingerprint for view in alerts if view.alert.name != COMPANION}
    explained: dict[str, list[AlertView]] = {}
    for view in alerts:
        source = view.alert.labels.get("source_fingerprint", "") if view.alert.name == COMPANION else ""
        if source in there:
            explained.setdefault(source, []).append(view)
    nested = {id(view) for views in explained.values() for view in views}
    order = sorted(
        (view for view in alerts if id(view) not in nested),
        key=lambda view: (view.alert.name == COMPANION, _RANK.get(_severity(view), 9), -view.alert.starts_at),
    )
    shown = (_alert(view, now, explained.get(view.alert.fingerprint, ())) for view in order[:_SHOWN])
    return [*shown, _rest(len(order), "api/v1/alerts")]


def _nothing_fires(watchers: Sequence[WatcherView]) -> Child:
    """Say how much that is worth: what is judged, what is not yet, and which watchers do not do their work."""
    if not watchers:
        return empty("Nothing fires.")  # the section on watchers says why
    idle = [f"{one.name} {_IDLE[one.state]}" for one in watchers if one.state in _IDLE]
    trouble = f"Nothing fires, but {', '.join(idle)}: see below. " if idle else ""
    phases = Counter(seen.phase for one in watchers if one.state not in ("hung", "learning") for seen in one.observations)
    if not phases:
        return empty(
            trouble or "Nothing fires, and nothing is judged yet. ",
            "Let Prometheus scrape this exporter, then ",
            el("code", "lens-exporter watch NAME --once"),
            " shows what a watcher sees.",
        )
    if phases.keys() == {Phase.NORMAL} and not idle:
        return empty(f"All quiet: {phases[Phase.NORMAL]:,} series are as they usually are.")
    counted = ", ".join(f"{phases[phase]:,} {words}" for phase, words in _PHASES.items() if phases[phase])
    return empty(f"{trouble or 'Nothing fires. '}Series: {counted}.")


def _severity(view: AlertView) -> str:
    return view.alert.labels.get("severity", "info")


def _alert(view: AlertView, now: float, explained_by: Sequence[AlertView] = ()) -> Html:
    alert = view.alert
    severity = _severity(view)
    description = alert.annotations.get("description", "")
    explains = alert.labels.get("source_alertname", "") if alert.name == COMPANION else ""
    title = f"{alert.name} of {explains}" if explains else alert.name
    return el(
        "article",
        el(
            "h3",
            badge(severity),
            " ",
            link(f"anomalies/{quote(view.correlation)}", title) if view.correlation else title,
            el("small", "since ", moment(alert.starts_at, now)),
        ),
        el("p", alert.annotations.get("summary", "")),
        el("p", description, class_="prose quiet") if description else None,
        label_set(without(alert.labels, ("alertname", "severity"))),
        [_explanation(one) for one in explained_by],
        class_=f"card {severity if severity in _RANK else 'info'}",
    )


def _explanation(view: AlertView) -> Html:
    """Show a companion inside the card of the alert it explains."""
    alert = view.alert
    verdict = alert.labels.get("verdict", "")
    steps = alert.annotations.get("next", "")
    return el(
        "div",
        el("p", badge(verdict) if verdict else None, " ", alert.annotations.get("summary", "")),
        el("p", "Next: ", steps, class_="quiet") if steps else None,
        class_="explained",
    )


def _findings(found: Sequence[Document], now: float) -> Child:
    if not found:
        return empty(
            "No investigation yet. One starts by itself when a watcher alerts, and for any alert that Alertmanager sends to ",
            el("code", "POST /webhook"),
            ".",
        )
    return el("ul", *(_finding(one, now) for one in found[:_SHOWN]), class_="findings")


def _finding(one: Document, now: float) -> Html:
    brief = Brief(one)
    return el(
        "li",
        el(
            "h3",
            badge(brief.verdict or brief.state),
            " ",
            link(f"investigations/{quote(brief.id)}", brief.source or brief.id),
            el("small", moment(brief.at, now)) if brief.at else None,
        ),
        el("p", brief.summary or "no answer yet"),
        label_set(brief.about) if brief.about else None,
        el("p", brief.byline, class_="quiet") if brief.byline else None,
        class_="card",
    )


def _watchers(watchers: Sequence[WatcherView], now: float) -> Child:
    if not watchers:
        return empty(
            "No watcher is configured. Add one under ", el("code", "watchers:"), ", then ", el("code", "POST /-/reload"), "."
        )
    columns = (
        ("name", ""),
        ("lens", "minor"),
        ("schedule (UTC)", "minor"),
        ("state", ""),
        ("last run", ""),
        ("next", ""),
        ("series", "number"),
    )
    rows = [
        el(
            "tr",
            el("th", link(f"api/v1/watchers/{quote(one.name)}", one.name), scope="row"),
            el("td", one.lens, class_="minor"),
            el("td", el("code", one.schedule), class_="minor"),
            el("td", badge(one.state), el("p", one.error, class_="error") if one.error else None, class_="loose"),
            el("td", apart(now - one.last_run) if one.last_run is not None else "never"),
            el("td", apart(now - one.next_run) if one.next_run is not None else ""),
            el("td", f"{one.series:,}", class_="number"),
        )
        for one in watchers
    ]
    heads = (el("th", title, scope="col", class_=kind or None) for title, kind in columns)
    table = el("table", el("thead", el("tr", *heads)), el("tbody", *rows))
    return el("div", table, class_="wide")


def _rest(total: int, address: str) -> Child:
    return None if total <= _SHOWN else el("p", f"and {total - _SHOWN:,} more: ", link(address, address), class_="quiet")


def _footer(view: Landing) -> Html:
    links = [el("li", link(view.telemetry_path.lstrip("/"), "metrics")), *(el("li", link(f"api/v1/{name}", name)) for name in _API)]
    return el("footer", el("ul", *links), el("p", f"This page reads itself anew every {_REFRESH} s."))
