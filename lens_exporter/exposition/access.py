"""Who may come in, kept true while files change. A bad file never lets anybody in or out: the last good one stays."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from lens_exporter.config.secrets import Secrets
from lens_exporter.config.web import Web
from lens_exporter.exposition.rules import Rules, Stamp, build, rebuild, stamp
from lens_exporter.foundation.telemetry import Telemetry

_log = structlog.get_logger("lens_exporter.access")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Settings whose files have all been read."""

    web: Web
    rules: Rules
    stamps: dict[Path, Stamp]


class Access:
    """Holds the rules in force. `rules` is replaced as a whole, so that a request sees one state from its begin to its end."""

    def __init__(self, web: Web, secrets: Secrets, telemetry: Telemetry, record: Callable[..., None]) -> None:
        """Read everything.

        Raises:
            ConfigError: something is wrong with it; nobody may start with that.

        """
        self._secrets = secrets
        self._telemetry = telemetry
        self._record = record
        self._reading = threading.Lock()
        self.adopt(self.prepare(web))

    def prepare(self, web: Web) -> Prepared:
        """Read all files of new settings, which changes nothing yet. Raises ConfigError."""
        seen: dict[Path, Stamp] = {}
        return Prepared(web, build(web, self._secrets, seen), seen)

    def adopt(self, prepared: Prepared) -> None:
        """Put settings in force."""
        with self._reading:
            self._web, self.rules, self._stamps = prepared.web, prepared.rules, prepared.stamps
        self._succeeded()

    def stale(self) -> bool:
        """Say whether a file is another one than the one that was read. Takes microseconds, for each request."""
        return any(stamp(path) != known for path, known in self._stamps.items())

    def refresh(self) -> None:
        """Read what has changed. Blocks; whatever the files hold, it raises nothing for them."""
        with self._reading:
            if not self.stale():
                return  # somebody else was quicker
            old, seen = self.rules, {path: stamp(path) for path in self._stamps}
            rules = rebuild(self._web, self._secrets, seen, old)
            # What was rejected is tried again when a file changes again, not with each request.
            self.rules, self._stamps = rules, seen
        if rules.rejected:
            self._telemetry.set("lens_web_config_last_reload_successful", 0)
            self._record("web.config_rejected", path=str(self._web.config_file or ""), error=rules.rejected)
        else:
            self._succeeded(all_of_it=not rules.unreadable)
        if not rules.rejected or rules.tokens != old.tokens:
            self._record(
                "web.config_loaded",
                path=str(self._web.config_file or ""),
                tls=rules.tls is not None,
                users=sorted(rules.users),
                bearers=[who.name for _, who in rules.tokens],
            )
        if not rules.rejected or rules.unreadable != old.unreadable:
            for problem in rules.unreadable:
                self._record("web.config_rejected", path="", error=f"nobody can show this token: {problem}")

    def _succeeded(self, *, all_of_it: bool = True) -> None:
        self._telemetry.set("lens_web_config_last_reload_successful", float(all_of_it))
        self._telemetry.set("lens_web_config_last_reload_success_timestamp_seconds", time.time())
