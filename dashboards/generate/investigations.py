"""Investigations: what comes in, what comes of it, what it costs."""

from dashboards.generate.frame import Board, Panels
from dashboards.generate.parts import OWN, Query, number, series

_RATE = "[$__rate_interval]"


def board() -> Board:
    """Give the dashboard."""
    return Board(
        uid="lens-investigations",
        title="lens-exporter / Investigations",
        description="What is investigated, with which result, how well it is proved, and what models cost.",
        of="lens_queue_depth",
        hours=24,
        rows=[
            ("Over the chosen time", _summary()),
            ("From alert to finding", _flow()),
            ("How well it is proved", _proof()),
            ("Models", _models()),
        ],
    )


def _summary() -> Panels:
    done = f"sum(increase(lens_investigations_total{{{OWN}}}[$__range]))"
    found = f'sum(increase(lens_investigations_total{{{OWN},verdict="cause_found"}}[$__range]))'
    return [
        number("Investigations", "Finished over the chosen time.", "short", done),
        number("Cause found", "Share of them in which a cause was found.", "percentunit", f"{found} / {done}"),
        number("Waiting", "Investigations held or waiting now.", "short", f"sum(lens_queue_depth{{{OWN}}})", bad=10),
        number("Running", "Investigations under way now.", "short", f"sum(lens_investigations_running{{{OWN}}})"),
        number(
            "Cost",
            "Money spent on models over the chosen time.",
            "currencyUSD",
            f"sum(increase(lens_llm_cost_dollars_total{{{OWN}}}[$__range]))",
        ),
        number(
            "Budget",
            "Money that may be spent now; it refills over the day.",
            "currencyUSD",
            f"min(lens_llm_budget_remaining_dollars{{{OWN}}})",
            bad=0.1,
            low=True,
        ),
    ]


def _flow() -> Panels:
    duration = f"sum by (le) (rate(lens_investigation_duration_seconds_bucket{{{OWN}}}{_RATE}))"
    return [
        series(
            "Verdicts",
            "Finished investigations by verdict.",
            "short",
            Query(f"sum by (verdict) (increase(lens_investigations_total{{{OWN}}}{_RATE}))", "{{verdict}}"),
            stacked=True,
        ),
        series(
            "Queue",
            "Investigations that wait, and those under way.",
            "short",
            Query(f"lens_queue_depth{{{OWN}}}", "{{instance}} waiting"),
            Query(f"lens_investigations_running{{{OWN}}}", "{{instance}} running"),
        ),
        series(
            "Duration",
            "From the start of an investigation to its published result.",
            "s",
            Query(f"histogram_quantile(0.5, {duration})", "half of them"),
            Query(f"histogram_quantile(0.9, {duration})", "nine of ten"),
        ),
        series(
            "Alerts taken in",
            "By what became of them; and webhooks by their answer.",
            "short",
            Query(f"sum by (outcome) (increase(lens_intake_alerts_total{{{OWN}}}{_RATE}))", "{{outcome}}"),
            Query(f"sum by (answer) (increase(lens_webhooks_total{{{OWN}}}{_RATE}))", "webhooks {{answer}}", dashed=True),
        ),
    ]


def _proof() -> Panels:
    return [
        series(
            "Tool calls",
            "By tool and how it answered.",
            "short",
            Query(f"sum by (tool, status) (increase(lens_tool_calls_total{{{OWN}}}{_RATE}))", "{{tool}} {{status}}"),
        ),
        series(
            "Receipts",
            "Numbers that were asked again before anybody cited them, by outcome; and claims struck because theirs did not hold.",
            "short",
            Query(f"sum by (recheck) (increase(lens_receipts_total{{{OWN}}}{_RATE}))", "{{recheck}}"),
            Query(f"sum(increase(lens_findings_struck_total{{{OWN}}}{_RATE}))", "claims struck"),
        ),
        series(
            "Reviews",
            "What the reviewer said of analyses.",
            "short",
            Query(f"sum by (verdict) (increase(lens_reviews_total{{{OWN}}}{_RATE}))", "{{verdict}}"),
        ),
        series(
            "Readings",
            "New anomalies that a model read before their alert, by outcome.",
            "short",
            Query(f"sum by (outcome) (increase(lens_readings_total{{{OWN}}}{_RATE}))", "{{outcome}}"),
        ),
    ]


def _models() -> Panels:
    took = f"sum by (client, le) (rate(lens_llm_call_duration_seconds_bucket{{{OWN}}}{_RATE}))"
    return [
        series(
            "Cost by role",
            "Money spent on model calls.",
            "currencyUSD",
            Query(f"sum by (client, role) (increase(lens_llm_cost_dollars_total{{{OWN}}}{_RATE}))", "{{client}} {{role}}"),
            stacked=True,
        ),
        series(
            "Budget",
            "Money that may be spent now.",
            "currencyUSD",
            Query(f"lens_llm_budget_remaining_dollars{{{OWN}}}", "{{instance}}"),
        ),
        series(
            "Tokens",
            "Read and written by models; cache included.",
            "short",
            Query(f"sum by (client) (increase(lens_llm_input_tokens_total{{{OWN}}}{_RATE}))", "{{client}} in"),
            Query(f"sum by (client) (increase(lens_llm_output_tokens_total{{{OWN}}}{_RATE}))", "{{client}} out"),
        ),
        series(
            "Model calls",
            "Answered, failed, and not made (budget, breaker).",
            "short",
            Query(f"sum by (client, role) (increase(lens_llm_calls_total{{{OWN}}}{_RATE}))", "{{client}} {{role}}"),
            Query(
                f"sum by (client, error) (increase(lens_llm_calls_failed_total{{{OWN}}}{_RATE}))", "{{client}} failed: {{error}}"
            ),
            Query(
                f"sum by (client, reason) (increase(lens_llm_calls_skipped_total{{{OWN}}}{_RATE}))",
                "{{client}} not made: {{reason}}",
            ),
        ),
        series(
            "Duration of calls",
            "How long nine of ten model calls took.",
            "s",
            Query(f"histogram_quantile(0.9, {took})", "{{client}}"),
            width=24,
        ),
    ]
