"""Every metric and event lens-exporter emits about itself. docs/metrics.md and docs/events.md are generated from here.

Nothing else may be emitted: Telemetry and Events refuse a name that is not listed.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class EventSpec:
    type: str
    when: str
    data: tuple[str, ...] = ()
    level: int = logging.INFO  # of its line in the log


_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LONG_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

C, G, H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

# The lens runner emits these itself: a program with only the in-process python lens has no Telemetry.
LENS_METRICS: tuple[MetricSpec, ...] = (
    MetricSpec("lens_up", G, "Whether the lens could collect at this scrape.", ("lens",)),
    MetricSpec("lens_collect_duration_seconds", G, "How long the lens took to collect at this scrape.", ("lens",)),
    MetricSpec("lens_collect_failed_total", C, "Scrapes at which this lens failed or was late.", ("lens",)),
)

# The bands' collector emits these itself; beside these labels each sample has those of its series.
BAND_METRICS: tuple[MetricSpec, ...] = (
    MetricSpec("lens_baseline_expected", G, "What is normal for this series now.", ("watcher", "metric")),
    MetricSpec("lens_baseline_lower", G, "Lower edge of what is normal for this series now.", ("watcher", "metric")),
    MetricSpec("lens_baseline_upper", G, "Upper edge of what is normal for this series now.", ("watcher", "metric")),
    MetricSpec(
        "lens_anomaly_score", G, "Signed distance from expected; 1 and -1 are the edges of the band.", ("watcher", "metric")
    ),
    MetricSpec("lens_anomaly_active", G, "1 while this series is an anomaly.", ("watcher", "metric")),
    MetricSpec("lens_group_score", G, "How far all metrics of this instance, pod or node together are from normal.", ("watcher",)),
    MetricSpec("lens_group_threshold", G, "The score beyond which this group alarms at its budget of false alarms.", ("watcher",)),
)

METRICS: tuple[MetricSpec, ...] = (
    MetricSpec("lens_build_info", G, "Constant 1, labelled with the version of lens-exporter.", ("version",)),
    MetricSpec("lens_ready", G, "1 when lens-exporter is ready to work, 0 with the reason on /-/ready."),
    MetricSpec("lens_config_last_reload_successful", G, "Whether the last configuration reload succeeded."),
    MetricSpec("lens_config_last_reload_success_timestamp_seconds", G, "When a configuration was last loaded successfully."),
    MetricSpec(
        "lens_web_config_last_reload_successful",
        G,
        "Whether the web config file and every token could be read when they last changed.",
    ),
    MetricSpec("lens_web_config_last_reload_success_timestamp_seconds", G, "When they were last read successfully."),
    MetricSpec(
        "lens_http_refused_total",
        C,
        "Callers not let in, by reason (no_credentials, bad_credentials, wrong_scope, rate_limited, certificate, cross_site, "
        "too_many_connections).",
        ("reason",),
    ),
    MetricSpec("lens_otlp_exports_total", C, "Exports of metrics to the OTLP endpoint."),
    MetricSpec("lens_otlp_exports_failed_total", C, "Of these, those that it did not take."),
    # watchers
    MetricSpec("lens_ticks_total", C, "Ticks of this watcher that ran.", ("watcher",)),
    MetricSpec("lens_ticks_failed_total", C, "Ticks of this watcher that failed.", ("watcher",)),
    MetricSpec("lens_ticks_skipped_total", C, "Ticks not run because the one before was still running.", ("watcher",)),
    MetricSpec("lens_tick_duration_seconds", H, "How long a tick took.", ("watcher",), _SECONDS),
    MetricSpec("lens_watcher_last_run_timestamp_seconds", G, "When this watcher last finished a tick successfully.", ("watcher",)),
    MetricSpec("lens_watcher_series", G, "Series this watcher judged at its last tick.", ("watcher",)),
    MetricSpec(
        "lens_watcher_series_remembered", G, "Series this watcher holds in memory, with those that ended lately.", ("watcher",)
    ),
    MetricSpec("lens_snapshot_size_bytes", G, "Size of the file that holds what this watcher has learnt.", ("watcher",)),
    MetricSpec("lens_snapshot_timestamp_seconds", G, "When that file was last written.", ("watcher",)),
    MetricSpec("lens_snapshots_failed_total", C, "Times that file could not be read or written; it is a cache.", ("watcher",)),
    MetricSpec("lens_decisions_total", C, "Decisions by intent.", ("watcher", "intent")),
    MetricSpec(
        "lens_readings_total",
        C,
        "New anomalies and quiet looks put to a model or kept from it, by outcome.",
        ("watcher", "outcome"),
    ),
    MetricSpec("lens_anomalies_suppressed_total", C, "Anomalies not alerted on because of a cooldown.", ("watcher", "category")),
    MetricSpec(
        "lens_anomalies_expected_total",
        C,
        "Anomalies not alerted on because somebody declared them expected.",
        ("watcher", "category"),
    ),
    MetricSpec(
        "lens_expected_running",
        G,
        "Declarations running at the last round that may speak of this watcher's alerts, by source (silence, api).",
        ("watcher", "source"),
    ),
    # outside parts
    MetricSpec("lens_remote_requests_total", C, "Requests sent to an outside service.", ("service",)),
    MetricSpec(
        "lens_remote_requests_failed_total",
        C,
        "Requests to an outside service that failed, by error; those with BreakerOpen and ConcurrencyReached were not sent.",
        ("service", "error"),
    ),
    MetricSpec("lens_remote_request_duration_seconds", H, "How long an outside service took to answer.", ("service",), _SECONDS),
    MetricSpec("lens_breaker_state", G, "Circuit breaker: 0 closed, 1 half-open, 2 open.", ("client",)),
    # alerts and findings
    MetricSpec("lens_alerts_firing", G, "Alerts lens-exporter keeps alive, by origin (watcher, investigation).", ("origin",)),
    MetricSpec("lens_alerts_sent_total", C, "Alerts an Alertmanager accepted, resends included.", ("alertmanager",)),
    MetricSpec("lens_alerts_failed_total", C, "Alerts an Alertmanager did not accept; they are tried again.", ("alertmanager",)),
    MetricSpec(
        "lens_alerts_refused_total",
        C,
        "Alerts an Alertmanager refused for what is in them (400, 413, 422); not tried again until they change.",
        ("alertmanager",),
    ),
    MetricSpec("lens_annotations_sent_total", C, "Annotations Grafana accepted."),
    MetricSpec("lens_annotations_failed_total", C, "Annotations Grafana did not accept."),
    # intake and investigation
    MetricSpec(
        "lens_webhooks_total", C, "Webhook bodies by answer (accepted, malformed, too_large, full, unavailable).", ("answer",)
    ),
    MetricSpec("lens_intake_alerts_total", C, "Alerts taken in, by what became of them.", ("outcome",)),
    MetricSpec("lens_queue_depth", G, "Investigations held or waiting."),
    MetricSpec("lens_investigations_total", C, "Finished investigations by verdict.", ("verdict",)),
    MetricSpec("lens_investigations_put_off_total", C, "Investigations that waited for a data source that did not answer."),
    MetricSpec("lens_investigations_running", G, "Investigations being worked on."),
    MetricSpec(
        "lens_investigation_duration_seconds", H, "From start of an investigation to its published result.", (), _LONG_SECONDS
    ),
    MetricSpec("lens_tool_calls_total", C, "Tool calls of investigations, by status of the answer.", ("tool", "status")),
    MetricSpec("lens_receipts_total", C, "Receipts re-checked, by outcome.", ("recheck",)),
    MetricSpec("lens_findings_struck_total", C, "Claims struck because their receipts do not hold."),
    MetricSpec("lens_reviews_total", C, "Reviews of analyses, by verdict.", ("verdict",)),
    # models
    MetricSpec("lens_llm_calls_total", C, "Model calls that were answered.", ("client", "role")),
    MetricSpec("lens_llm_calls_failed_total", C, "Model calls that failed, by error.", ("client", "role", "error")),
    MetricSpec(
        "lens_llm_calls_skipped_total", C, "Model calls not made, by reason (budget, breaker).", ("client", "role", "reason")
    ),
    MetricSpec("lens_llm_input_tokens_total", C, "Input tokens, cache reads and writes included.", ("client", "role")),
    MetricSpec("lens_llm_output_tokens_total", C, "Output tokens.", ("client", "role")),
    MetricSpec("lens_llm_cost_dollars_total", C, "Money spent on model calls.", ("client", "role")),
    MetricSpec("lens_llm_call_duration_seconds", H, "How long a model call took.", ("client", "role"), _LONG_SECONDS),
    MetricSpec("lens_llm_budget_remaining_dollars", G, "Money that may be spent now; refills over the day."),
    # foundation
    MetricSpec("lens_child_restarts_total", C, "Restarts of supervised parts.", ("child",)),
    MetricSpec("lens_child_up", G, "Whether a supervised part is running.", ("child",)),
    MetricSpec("lens_events_total", C, "Events stored, by type.", ("type",)),
    MetricSpec("lens_events_lost_total", C, "Events that could not be stored; the log has what they are about, and no more."),
    MetricSpec("lens_database_errors_total", C, "Database operations that failed, by error.", ("error",)),
)

# What comes with every tick or tool call is debug, so that a log at info is quiet while nothing happens.
DEBUG, WARN, ERROR = logging.DEBUG, logging.WARNING, logging.ERROR

EVENTS: tuple[EventSpec, ...] = (
    EventSpec("service.started", "lens-exporter began to work", ("version", "watchers", "database")),
    EventSpec(
        "service.stopped", "lens-exporter was asked to stop and did; left are the parts that did not end", ("reason", "left")
    ),
    EventSpec(
        "service.child_failed",
        "a supervised part crashed and is restarted after a pause",
        ("child", "error", "restarts", "pause"),
        WARN,
    ),
    EventSpec(
        "service.child_given_up", "a supervised part crashed too often; readiness fails", ("child", "error", "restarts"), ERROR
    ),
    EventSpec(
        "database.recovered",
        "the database takes writes again; events of the time between are in the log only",
        ("error", "seconds", "failures"),
    ),
    EventSpec("config.loaded", "a configuration took effect", ("path", "watchers", "changed", "still_known")),
    EventSpec("config.rejected", "a configuration was refused; the last good one stays", ("path", "error"), WARN),
    EventSpec(
        "web.config_loaded", "the web config file or a token had changed and is in force", ("path", "tls", "users", "bearers")
    ),
    EventSpec(
        "web.config_rejected",
        "the changed web config file was refused and the last good one stays, or a token cannot be read and nobody can show it",
        ("path", "error"),
        WARN,
    ),
    EventSpec(
        "access.denied",
        "a caller was not let in; left_out counts those before that were too many to be told; status 0: TLS failed",
        ("reason", "client", "who", "scope", "request", "status", "error", "left_out"),
        WARN,
    ),
    EventSpec("admin.acted", "somebody changed something, and what it was answered with", ("who", "client", "request", "status")),
    EventSpec(
        "schedule.skipped",
        "a tick was due while the one before still ran; told once, until one was over in time",
        ("due",),
        WARN,
    ),
    EventSpec(
        "watcher.decided", "a tick ended; counts of its decisions", ("seconds", "series", "intents", "notes", "trigger"), DEBUG
    ),
    EventSpec(
        "watcher.warned",
        "an answer came with warnings, or a limit left series out; told once for as long as they stay the same",
        ("warnings",),
        WARN,
    ),
    EventSpec(
        "watcher.no_series",
        "none of a watcher's queries has given a series for ten ticks or an hour; told once for as long as that stays so",
        ("seconds", "ticks"),
        WARN,
    ),
    EventSpec("watcher.series_found", "after that they give some again", ("series", "seconds", "ticks")),
    EventSpec(
        "watcher.failed",
        "a tick failed; notes and baseline are kept, the next tick tries again. Told once, and once more for another kind "
        "of error, until one succeeds; each is counted in lens_ticks_failed_total",
        ("error", "seconds"),
        WARN,
    ),
    EventSpec("watcher.recovered", "a tick succeeded after so many that failed", ("seconds", "ticks")),
    EventSpec(
        "snapshot.restored",
        "a watcher goes on from what an earlier process had learnt, up to learnt_to (Unix seconds)",
        ("path", "learnt_to"),
    ),
    EventSpec(
        "snapshot.failed",
        "what a watcher had learnt could not be read or written; it works all the same, and learns anew where it has to",
        ("error",),
        WARN,
    ),
    EventSpec(
        "anomaly.detected",
        "an anomaly was admitted",
        ("anomaly_type", "severity", "summary", "target", "rule", "since", "evidence", "cooldown_until"),
    ),
    EventSpec("anomaly.suppressed", "an anomaly fell into a cooldown", ("anomaly_type", "summary", "target", "cooldown_until")),
    EventSpec(
        "anomaly.expected",
        "an anomaly is not alerted on while somebody has declared it to be expected; said once",
        (
            *("anomaly_type", "severity", "summary", "target", "rule", "since"),
            *("declaration", "by", "comment", "until"),
        ),
    ),
    EventSpec(
        "expected.declared",
        "somebody declared alerts of ours to be expected for a span of time, or changed what was declared",
        ("source", "by", "comment", "matchers", "starts_at", "ends_at"),
    ),
    EventSpec(
        "expected.withdrawn", "a declaration was taken back, or nobody knows it any more", ("source", "by", "comment", "reason")
    ),
    EventSpec(
        "expected.refused",
        "a silence whose comment begins with the word expected is not taken as a declaration",
        ("by", "comment", "error"),
        WARN,
    ),
    EventSpec(
        "reading.answered",
        "a model read a new anomaly before its alert, or a look in which nothing is new; outcome says what came of it",
        (
            *("anomaly_type", "category", "target", "group", "client", "outcome", "answer", "severity", "confidence"),
            *("cooldown_minutes", "words", "struck", "times", "since", "until", "seconds"),
        ),
    ),
    EventSpec(
        "reading.failed",
        "a model did not read it; the alert goes out as the statistics said",
        ("anomaly_type", "category", "target", "group", "client", "outcome", "error", "seconds"),
        WARN,
    ),
    EventSpec(
        "reading.passed_over",
        "no model was asked about a new anomaly, and why",
        ("anomaly_type", "category", "target", "group", "client", "outcome", "reason"),
    ),
    EventSpec(
        "reading.released",
        "a model's word stands no longer: what was held back or lowered goes on as the statistics say, or is over",
        ("anomaly_type", "category", "target", "group", "lowered", "reason", "seconds"),
    ),
    EventSpec("anomaly.over", "an anomaly ended, and why", ("category", "target", "seconds", "reason")),
    EventSpec("alert.fired", "an alert of ours began", ("fingerprint", "labels", "annotations", "starts_at")),
    EventSpec("alert.resolved", "an alert of ours ended", ("fingerprint", "labels", "ends_at")),
    EventSpec(
        "alert.delivered", "an Alertmanager accepted an alert for the first time in its present state", ("alertmanager", "state")
    ),
    EventSpec(
        "alert.delivery_failed", "an Alertmanager did not accept an alert; it is tried again", ("alertmanager", "error"), WARN
    ),
    EventSpec("webhook.received", "a webhook was stored", ("group_key", "alerts", "status", "outcome")),
    EventSpec(
        "webhook.refused",
        "a webhook was not taken; left_out counts those before that were too many to be told",
        ("answer", "error", "left_out"),
        WARN,
    ),
    EventSpec("investigation.accepted", "an alert group became work", ("group_key", "alerts", "due", "source")),
    EventSpec("investigation.duplicate", "alerts were known already", ("fingerprint", "investigation", "alerts"), DEBUG),
    EventSpec(
        "investigation.promoted",
        "the webhook brought an alert a watcher had announced; its investigation starts now",
        ("group_key",),
    ),
    EventSpec(
        "investigation.cancelled",
        "every alert of a waiting investigation resolved before it began, or it was coalesced into another",
        ("group_key", "reason"),
    ),
    EventSpec(
        "investigation.put_off",
        "the data source of its alerts does not answer: it waits, for investigate.source_patience at most",
        ("error",),
        WARN,
    ),
    EventSpec("investigation.started", "the durable workflow began", ("analyst",)),
    EventSpec("investigation.finished", "the workflow ended", ("verdict", "status", "summary", "cost")),
    EventSpec("investigation.failed", "the workflow itself failed; a not_investigated result is published", ("error",), ERROR),
    EventSpec("agent.stopped", "the agent's loop ended", ("reason", "iterations", "tool_calls")),
    EventSpec("tool.called", "a tool answered", ("receipt", "tool", "arguments", "status", "seconds", "note"), DEBUG),
    EventSpec(
        "llm.called",
        "a model answered; priced is false when no price is known and dollars therefore 0",
        ("client", "role", "model", "input_tokens", "output_tokens", "dollars", "priced", "seconds"),
    ),
    EventSpec("llm.failed", "a model call failed", ("client", "role", "error"), WARN),
    EventSpec("llm.skipped", "a model call was not made", ("client", "role", "reason"), WARN),
    EventSpec("receipts.checked", "code re-checked receipts and claims", ("receipts", "struck")),
    EventSpec("judge.reviewed", "a review ended", ("attempt", "verdict", "by", "issues")),
    EventSpec("judge.failed", "the reviewing model failed; the answer goes out and says so", ("attempt", "error"), WARN),
    EventSpec("finding.published", "a finding reached its target", ("target", "detail")),
    EventSpec("finding.publish_failed", "a finding did not reach its target; it is tried again", ("target", "error"), WARN),
    EventSpec(
        "otlp.export_failed", "the OTLP endpoint took no metrics; told once until it does again", ("endpoint", "error"), WARN
    ),
    EventSpec("otlp.export_recovered", "it takes them again", ("endpoint",)),
    EventSpec(
        "breaker.opened",
        "calls to a service are stopped but for a trial every 30 seconds; told once until it works again",
        ("failures", "error", "until"),
        WARN,
    ),
    EventSpec("breaker.half_opened", "the first trial call is let through", (), DEBUG),
    EventSpec("breaker.closed", "a service works again, after so many trials", ("seconds", "trials")),
)
