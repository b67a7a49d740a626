"""What `check-config` tells: a configuration that loads, in a few lines, and what about it will not work on this machine."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lens_exporter.config.file import LensOptions, load, places
from lens_exporter.config.secrets import Secrets, secret_sources
from lens_exporter.config.settings import Config
from lens_exporter.config.web import Web
from lens_exporter.errors import ConfigError, ConfigInvalid, SecretUnreadable


@dataclass(frozen=True, slots=True)
class Summary:
    """rows are (part, what it is set to). warnings are what starts, but will not work."""

    rows: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...] = ()


def check_config(
    path: Path,
    lens_options: LensOptions,
    environment: Mapping[str, str] | None = None,
    *,
    who_may_call: Callable[[Web, Secrets], object] = lambda _web, _secrets: None,
) -> Summary:
    """Load a configuration file and try every secret it names. `who_may_call` reads the files of the web section.

    Raises:
        ConfigInvalid, ConfigError: as load.

    """
    config = load(path, lens_options)
    place = places(path, lens_options)
    warnings: list[str] = []
    said: list[str] = []
    secrets = Secrets(environment, warn=said.append)
    for source in secret_sources(config):
        try:
            secrets.read(source)
        except SecretUnreadable as error:
            said.append(str(error))
        parts = re.findall(r"[^.\[\]]+", source.key)
        warnings += [f"{place(tuple(int(part) if part.isdecimal() else part for part in parts))}: {text}" for text in said]
        said.clear()
    try:
        who_may_call(config.web, Secrets(environment))
    except ConfigInvalid:
        raise  # the web config file is wrong on every machine
    except ConfigError as error:
        warnings.append(f"lens-exporter would not start here: {error}")
    return Summary(summary(config), tuple(warnings))


def summary(config: Config) -> tuple[tuple[str, str], ...]:
    """Say in a few rows what a configuration does."""
    clients = {client.name: client for client in config.llm.clients}
    primary = clients.get(config.llm.primary)
    model = f"{primary.name} ({primary.provider}, {primary.options.model})" if primary else "offline analyst, no model"
    watchers = [f"{each.name} ({each.lens}, {each.schedule})" for each in config.watchers]
    return (
        ("prometheus", ", ".join([config.prometheus.url, *(f"{name}: {each.url}" for name, each in config.datasources.items())])),
        ("alertmanager", ", ".join(config.alertmanager.urls) or "none: anomalies stay on the page and in metrics"),
        ("grafana", config.grafana.url if config.grafana else "none"),
        ("investigations", f"by {model}" if config.investigate.enabled else "off"),
        ("watchers", "; ".join(watchers) or "none"),
        ("listens on", config.web.listen_address),
        ("lets in", _callers(config.web)),
        ("database", config.database_url),
    )


def _callers(web: Web) -> str:
    known = [f"{token.name} ({', '.join(token.scopes)})" for token in web.tokens]
    known += [f"whom {web.config_file} names"] if web.config_file else []
    return "; ".join(known) or "everybody who reaches it"
