"""What the servers say now, through their own APIs only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from lens_exporter.demo.stack import JOB

_TIMEOUT = 3.0
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at all servers. A server that did not answer shows nothing, and is named in `silent`."""

    samples: int = 0  # of the service's memory, in Prometheus
    events: Sequence[Document] = ()  # lens-exporter's, oldest first
    investigations: Sequence[Document] = ()  # lens-exporter's, whole documents
    alerts: Sequence[Document] = ()  # Alertmanager's, firing
    watchers: Sequence[Document] = ()
    silent: tuple[str, ...] = ()


class Observer:
    """Looks at the servers."""

    def __init__(self, prometheus: str, alertmanager: str, lens: str) -> None:
        self._prometheus = prometheus
        self._alertmanager = alertmanager
        self._lens = lens
        self._session = requests.Session()
        self._session.trust_env = False

    def look(self) -> Snapshot:
        """Ask every server once."""
        silent: list[str] = []

        def ask(name: str, address: str, **query: Any) -> Any:
            try:
                answer = self._session.get(address, params=query, timeout=_TIMEOUT)
                answer.raise_for_status()
                return answer.json()
            except (requests.RequestException, ValueError):
                if name not in silent:
                    silent.append(name)
                return {}

        counted = f'count_over_time(lens_python_memory_utilization_ratio{{job="{JOB}"}}[5m])'
        vector = (ask("prometheus", f"{self._prometheus}/api/v1/query", query=counted).get("data") or {}).get("result") or []
        api = f"{self._lens}/api/v1"
        listed = ask("lens-exporter", f"{api}/investigations", limit=50).get("investigations", [])
        newest_first = ask("lens-exporter", f"{api}/events", limit=2000).get("events", [])
        return Snapshot(
            samples=int(float(vector[0]["value"][1])) if vector else 0,
            events=newest_first[::-1],
            investigations=[ask("lens-exporter", f"{api}/investigations/{one['id']}") for one in listed],
            alerts=list(ask("alertmanager", f"{self._alertmanager}/api/v2/alerts") or []),
            watchers=ask("lens-exporter", f"{api}/watchers").get("watchers", []),
            silent=tuple(silent),
        )
