"""The adaptive band of grafana/promql-anomaly-detection in our words, and what one evaluation of it costs a Prometheus.

What is known of it: the middle is the mean of an hour; a short-term band is twice the mean, over 26 hours, of an hour's deviation
where that is above half of its mean; a margin band is half of the middle; a long-term band is the middle +- two deviations as they
were 23.5 and 167.5 hours ago; the widest counts, and nothing is below zero.

Rules read what other rules have recorded. Here the fleet itself stands in for each of these: as many series, recorded every five
minutes. So every expression has its shape and its samples, and values do not matter for its cost. `count` around it takes the
place of storing the answer, which would cost more. All of it is to the peer's advantage, and so are five minutes: its rules run
each minute.
"""

from typing import Any

import psutil
import requests

from lens_exporter.demo.servers import LocalServer

_AGO = ("23h30m", "167h30m")
RULES = {
    "selected": "fleet > 0",
    "middle": "avg_over_time(fleet[1h])",
    "deviation": "stddev_over_time(fleet[1h])",
    "high deviation": "fleet > 0.5 * fleet",
    "short-term width": "2 * avg_over_time(fleet[26h])",
    "short-term upper": "fleet + fleet",
    "short-term lower": "fleet - fleet",
    "margin upper": "fleet + 0.5 * fleet",
    "margin lower": "fleet - 0.5 * fleet",
    "long-term upper": " or ".join(f"(fleet offset {ago} + 2 * fleet offset {ago})" for ago in _AGO),
    "long-term lower": " or ".join(f"(fleet offset {ago} - 2 * fleet offset {ago})" for ago in _AGO),
    "upper": "max without (container) (fleet)",
    "lower": "clamp_min(min without (container) (fleet), 0)",
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
