"""lens-exporter's own health: what its rules alert on, and what its runbooks look at."""

from dashboards.generate.frame import Board, Panels
from dashboards.generate.parts import OWN, Query, listing, number, series

_RATE = "[$__rate_interval]"


def board() -> Board:
    """Give the dashboard."""
    return Board(
        uid="lens-health",
        title="lens-exporter / Health",
        description="Whether lens-exporter itself works: watchers, delivery, outside services, parts, database.",
        of="lens_build_info",
        rows=[("Now", _now()), ("Watchers", _watchers()), ("Delivery and outside services", _outside()), ("Parts", _parts())],
    )


def _now() -> Panels:
    return [
        number(
            "Answer",
            "Of the chosen lens-exporters, the share that is scraped.",
            "percentunit",
            f"avg(up{{{OWN}}} and on (job, instance) last_over_time(lens_build_info[1d]))",
            bad=1,
            low=True,
        ),
        number(
            "Ready",
            "The share that is ready to work; /-/ready has the reason where one is not.",
            "percentunit",
            f"avg(lens_ready{{{OWN}}})",
            bad=1,
            low=True,
        ),
        number(
            "Configuration",
            "1 where the last reload was taken everywhere, the web config file and tokens included.",
            "short",
            f"min(lens_config_last_reload_successful{{{OWN}}} * lens_web_config_last_reload_successful{{{OWN}}})",
            bad=1,
            low=True,
        ),
        number(
            "Loaded",
            "Since a configuration was last taken.",
            "s",
            f"min(time() - lens_config_last_reload_success_timestamp_seconds{{{OWN}}})",
        ),
        number(
            "Parts down", "Supervised parts that do not run.", "short", f"count(lens_child_up{{{OWN}}} == 0) or vector(0)", bad=1
        ),
        number(
            "Breakers open",
            "Outside services that are left alone because they fail.",
            "short",
            f"count(lens_breaker_state{{{OWN}}} == 2) or vector(0)",
            bad=1,
        ),
        listing(
            "Alerts about lens-exporter",
            "Those of rules/lens-exporter.yml that are pending or fire.",
            "short",
            f'ALERTS{{{OWN},alertname=~"LensExporter.+"}}',
            width=16,
        ),
        listing("Versions", "Which version runs where.", "short", f"lens_build_info{{{OWN}}}", width=8),
    ]


def _watchers() -> Panels:
    took = f"sum by (watcher, le) (rate(lens_tick_duration_seconds_bucket{{{OWN}}}{_RATE}))"
    return [
        series(
            "Ticks",
            "Looks of watchers that ran, that failed, and that were due while the one before still ran.",
            "short",
            Query(f"sum by (watcher) (increase(lens_ticks_total{{{OWN}}}{_RATE}))", "{{watcher}}"),
            Query(f"sum by (watcher) (increase(lens_ticks_failed_total{{{OWN}}}{_RATE}))", "{{watcher}} failed"),
            Query(f"sum by (watcher) (increase(lens_ticks_skipped_total{{{OWN}}}{_RATE}))", "{{watcher}} skipped"),
        ),
        series(
            "Since the last good tick",
            "It grows while a watcher sees nothing.",
            "s",
            Query(f"time() - lens_watcher_last_run_timestamp_seconds{{{OWN}}}", "{{watcher}} {{instance}}"),
        ),
        series(
            "Duration of ticks",
            "Half of them, and nine of ten.",
            "s",
            Query(f"histogram_quantile(0.5, {took})", "{{watcher}} half"),
            Query(f"histogram_quantile(0.9, {took})", "{{watcher}} nine of ten"),
        ),
        series("Series", "How many a watcher judges.", "short", Query(f"lens_watcher_series{{{OWN}}}", "{{watcher}} {{instance}}")),
        series(
            "Age of snapshots",
            "How far back a restart would have to ask: the file with what a watcher has learnt is written every six hours.",
            "s",
            Query(f"time() - lens_snapshot_timestamp_seconds{{{OWN}}}", "{{watcher}} {{instance}}"),
        ),
    ]


def _outside() -> Panels:
    took = f"sum by (service, le) (rate(lens_remote_request_duration_seconds_bucket{{{OWN}}}{_RATE}))"
    return [
        series(
            "Alerts posted",
            "Taken, not taken, and refused for what is in them, by Alertmanager; resends included.",
            "short",
            Query(f"sum by (alertmanager) (increase(lens_alerts_sent_total{{{OWN}}}{_RATE}))", "{{alertmanager}}"),
            Query(f"sum by (alertmanager) (increase(lens_alerts_failed_total{{{OWN}}}{_RATE}))", "{{alertmanager}} failed"),
            Query(f"sum by (alertmanager) (increase(lens_alerts_refused_total{{{OWN}}}{_RATE}))", "{{alertmanager}} refused"),
        ),
        series(
            "Annotations",
            "Taken and not taken by Grafana.",
            "short",
            Query(f"sum(increase(lens_annotations_sent_total{{{OWN}}}{_RATE}))", "taken"),
            Query(f"sum(increase(lens_annotations_failed_total{{{OWN}}}{_RATE}))", "failed"),
        ),
        series(
            "Requests",
            "To outside services, and those that failed, by error.",
            "reqps",
            Query(f"sum by (service) (rate(lens_remote_requests_total{{{OWN}}}{_RATE}))", "{{service}}"),
            Query(f"sum by (service, error) (rate(lens_remote_requests_failed_total{{{OWN}}}{_RATE}))", "{{service}} {{error}}"),
        ),
        series(
            "Metrics pushed",
            "Exports to the OTLP endpoint, and those that it did not take; none where nothing is pushed.",
            "short",
            Query(f"sum(increase(lens_otlp_exports_total{{{OWN}}}{_RATE}))", "exports"),
            Query(f"sum(increase(lens_otlp_exports_failed_total{{{OWN}}}{_RATE}))", "failed"),
        ),
        series("Duration of requests", "How long nine of ten took.", "s", Query(f"histogram_quantile(0.9, {took})", "{{service}}")),
        series("Breakers", "0 closed, 1 half-open, 2 open.", "short", Query(f"lens_breaker_state{{{OWN}}}", "{{client}}")),
        series(
            "Alerts alive",
            "Kept alive by lens-exporter, by origin.",
            "short",
            Query(f"sum by (origin) (lens_alerts_firing{{{OWN}}})", "{{origin}}"),
        ),
    ]


def _parts() -> Panels:
    return [
        series(
            "Events and database",
            "Events stored, events lost, and operations of the database that failed.",
            "short",
            Query(f"sum(increase(lens_events_total{{{OWN}}}{_RATE}))", "events"),
            Query(f"sum(increase(lens_events_lost_total{{{OWN}}}{_RATE}))", "lost"),
            Query(f"sum by (error) (increase(lens_database_errors_total{{{OWN}}}{_RATE}))", "database: {{error}}"),
        ),
        series(
            "Supervised parts",
            "1 while a part runs; and its restarts.",
            "short",
            Query(f"min by (child) (lens_child_up{{{OWN}}})", "{{child}}"),
            Query(f"sum by (child) (increase(lens_child_restarts_total{{{OWN}}}{_RATE}))", "{{child}} restarts"),
        ),
        series(
            "Lenses",
            "How long each takes to collect at a scrape.",
            "s",
            Query(f"lens_collect_duration_seconds{{{OWN}}}", "{{lens}} {{instance}}"),
        ),
        series(
            "Lenses that fail",
            "1 while a lens can collect; and scrapes at which it failed or was late.",
            "short",
            Query(f"min by (lens, instance) (lens_up{{{OWN}}})", "{{lens}} {{instance}}"),
            Query(f"sum by (lens) (increase(lens_collect_failed_total{{{OWN}}}{_RATE}))", "{{lens}} failed"),
        ),
    ]
