"""The adaptive band of grafana/promql-anomaly-detection in our words, and what one evaluation of it costs a Prometheus.

What is known of it: the middle is the mean of an hour; a short-term band is twice the mean, over 26 hours, of an hour's deviation
where that is above half of its mean; a margin band is half of the middle; a long-term band is the middle +- two deviations as they
were 23.5 and 167.5 hours ago; the widest counts, and nothing is below zero; what lies outside alerts.

Rules read what other rules have recorded. Here the fleet itself stands in for each of these: as many series, recorded every five
minutes. So every expression has its shape and its samples, and values do not matter for its cost. `count` around it takes the
place of storing the answer, which would cost more. All of it is to the peer's advantage, and so are five minutes: its rules run
each minute, but for the long-term ones, and would find five times as many samples.
"""

from typing import Any

import psutil
import requests

from lens_exporter.demo.servers import LocalServer

_AGO = ("23h30m", "167h30m")


def _widest(keep: str, *bands: str) -> str:
    """Give the highest or lowest of several bands: they differ by one label, which leaves."""
    told_apart = (f'label_replace({band}, "band", "{number}", "", "")' for number, band in enumerate(bands))
    return f"{keep} without (band) ({' or '.join(told_apart)})"


def _long_term(side: str) -> tuple[str, ...]:
    return tuple(f"avg_over_time(fleet[1h] offset {ago}) {side} 2 * stddev_over_time(fleet[1h] offset {ago})" for ago in _AGO)


RULES = {
    "selected": "fleet > 0",
    "middle": "avg_over_time(fleet[1h])",
    "high deviation": "stddev_over_time(fleet[1h]) > 0.5 * fleet",
    "short-term width": "avg_over_time(fleet[26h])",
    "long-term upper": _widest("max", *_long_term("+")),
    "long-term lower": _widest("min", *_long_term("-")),
    "upper": _widest("max", "fleet + 2 * fleet", "fleet + 0.5 * fleet", "fleet"),
    "lower": f"clamp_min({_widest('min', 'fleet - 2 * fleet', 'fleet - 0.5 * fleet', 'fleet')}, 0)",
    "outside": "fleet < fleet or fleet > fleet",
}
_ROUNDS = 3


def evaluation(server: LocalServer, at: int, pid: int | None) -> dict[str, Any]:
    """Give the processor seconds that one evaluation of each rule, and of all, takes the server's process."""
    process = psutil.Process(pid)
    seconds = {}
    for name, expression in RULES.items():
        _ask(server, expression, at)  # what is new to the server is not measured
        before = sum(process.cpu_times()[:2])
        for _ in range(_ROUNDS):
            _ask(server, expression, at)
        seconds[name] = (sum(process.cpu_times()[:2]) - before) / _ROUNDS
    return {"total": sum(seconds.values()), **seconds}


def _ask(server: LocalServer, expression: str, at: int) -> None:
    answer = requests.post(f"{server.url}/api/v1/query", data={"query": f"count({expression})", "time": at}, timeout=120)
    answer.raise_for_status()
