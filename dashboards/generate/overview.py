"""Every watcher: each value within its band, how far from normal it is, and what was told about it."""

from grafana_foundation_sdk.builders import timeseries

from dashboards.generate.frame import Board, Panels, Variable
from dashboards.generate.parts import LOWER, OWN, UPPER, Query, listing, number, series

_WATCHER = f'{OWN},watcher=~"$watcher"'
_BAND = f'{_WATCHER},metric=~"$metric",exported_instance=~"$target"'
_NAMES = "{{watcher}} {{metric}} {{exported_instance}} {{node}} {{process}} {{pid}} {{mountpoint}}"
_BY = "watcher, metric, exported_instance, node, process, mountpoint"

# The score is the distance from what is expected in half-widths of the band, so that the value follows from what is published.
_EXPECTED = f"lens_baseline_expected{{{_BAND}}}"
VALUE = f"{_EXPECTED} + lens_anomaly_score{{{_BAND}}} * (lens_baseline_upper{{{_BAND}}} - {_EXPECTED})"


def board() -> Board:
    """Give the dashboard."""
    return Board(
        uid="lens-overview",
        title="lens-exporter / Overview",
        description="What lens-exporter takes for normal, and what is not.",
        of="lens_watcher_series",
        variables=(
            Variable("watcher", "Watcher", f"label_values(lens_watcher_series{{{OWN}}}, watcher)"),
            Variable("metric", "Metric", f"label_values(lens_anomaly_score{{{_WATCHER}}}, metric)"),
            Variable("target", "Target", f'label_values(lens_anomaly_score{{{_WATCHER},metric=~"$metric"}}, exported_instance)'),
        ),
        anomalies=f"lens_anomaly_active{{{_BAND}}}",
        rows=[
            ("Now", _now()),
            ("How far from normal", _distance()),
            ("Values in their bands", [_band()]),
            ("What was decided", _decided()),
        ],
    )


def _now() -> Panels:
    return [
        number("Watchers", "Watchers that have looked.", "short", f"count(lens_watcher_last_run_timestamp_seconds{{{_WATCHER}}})"),
        number(
            "Series", "Series that were judged at their watchers' last looks.", "short", f"sum(lens_watcher_series{{{_WATCHER}}})"
        ),
        number("Anomalies", "Series that are an anomaly now.", "short", f"sum(lens_anomaly_active{{{_BAND}}})", bad=1),
        number(
            "Alerts",
            "Alerts of watchers that lens-exporter keeps alive.",
            "short",
            f'sum(lens_alerts_firing{{{OWN},origin="watcher"}})',
            bad=1,
        ),
        number(
            "Findings",
            "Companion alerts with what investigations found.",
            "short",
            f'sum(lens_alerts_firing{{{OWN},origin="investigation"}})',
        ),
        number(
            "Last look",
            "Since the watcher that looked longest ago did.",
            "s",
            f"max(time() - lens_watcher_last_run_timestamp_seconds{{{_WATCHER}}})",
        ),
        listing(
            "What is not normal now",
            "Each anomaly, by the labels of its series.",
            "short",
            f"max by ({_BY}) (lens_anomaly_active{{{_BAND}}}) == 1",
        ),
    ]


def _distance() -> Panels:
    group = f'{_WATCHER},exported_instance=~"$target"'
    groups = f"lens_group_score{{{group}}} / lens_group_threshold{{{group}}}"
    return [
        series(
            "Score",
            "Distance from what is expected, in half-widths of the band: beyond the line at 1 it is outside, on whichever side.",
            "short",
            Query(f"max by ({_BY}) (abs(lens_anomaly_score{{{_BAND}}}))", _NAMES),
            edge=1,
        ),
        series(
            "Groups",
            "All metrics of an instance, pod or node together, by the score at which they alarm: the line at 1. Known after days.",
            "short",
            Query(groups, "{{watcher}} {{exported_instance}} {{node}}"),
            edge=1,
        ),
    ]


def _band() -> timeseries.Panel:
    panel = series(
        "$metric",
        "The value as it was judged, between the edges of what is normal at this hour. Choose one target to see its own band.",
        "short",
        Query(VALUE, f"value {_NAMES}"),
        Query(f"lens_baseline_upper{{{_BAND}}}", UPPER, dashed=True),
        Query(f"lens_baseline_lower{{{_BAND}}}", LOWER, dashed=True),
        width=8,
    )
    return panel.repeat("metric").repeat_direction("h").max_per_row(3)


def _decided() -> Panels:
    return [
        series(
            "Decisions",
            "What watchers decided, by intent: an anomaly, nothing to tell, or too little known to say.",
            "ops",
            Query(
                f"sum by (watcher, intent) (rate(lens_decisions_total{{{_WATCHER}}}[$__rate_interval]))", "{{watcher}} {{intent}}"
            ),
        ),
        series(
            "Anomalies that were not told",
            "Held back by a cooldown, or declared to be expected.",
            "short",
            Query(
                f"sum by (watcher, category) (increase(lens_anomalies_suppressed_total{{{_WATCHER}}}[$__rate_interval]))",
                "{{watcher}} {{category}}: cooldown",
            ),
            Query(
                f"sum by (watcher, category) (increase(lens_anomalies_expected_total{{{_WATCHER}}}[$__rate_interval]))",
                "{{watcher}} {{category}}: expected",
            ),
            Query(f"sum by (watcher, source) (lens_expected_running{{{_WATCHER}}})", "{{watcher}}: declarations by {{source}}"),
        ),
    ]
