"""The configuration as the command line gives it: a file or none, with flags on top."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lens_exporter.config import file, words
from lens_exporter.config.settings import Config, Watcher
from lens_exporter.config.values import Key
from lens_exporter.config.web import Web
from lens_exporter.errors import ConfigInvalid
from lens_exporter.lenses import catalog


def load(path: Path | None, web: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration; without a file every setting has its default. Flags of the web section override it.

    Raises:
        ConfigInvalid, ConfigError: with file, line and key of every problem, or with the flag.

    """
    config = file.load(path, catalog.lens_options()) if path is not None else Config()
    if not web:
        return config
    # Flags are checked as the file's values are.
    try:
        checked = Web.model_validate({**config.web.model_dump(), **web})
    except ValidationError as error:
        explained = (words.explain(Web, detail) for detail in error.errors(include_url=False))
        lines = [f"--web.{_flag(key)}: {text}" for key, text in explained]
        raise ConfigInvalid(lines="\n".join(lines)) from None
    return config.model_copy(update={"web": checked})


def watcher_named(config: Config, name: str) -> Watcher:
    """Give the settings of a watcher that a command names. Raises UnknownWord, with those there are."""
    words.expect_known("watcher", name, [each.name for each in config.watchers])
    return next(each for each in config.watchers if each.name == name)


def _flag(key: Key) -> str:
    return "config.file" if key == ("config_file",) else str(key[0]).replace("_", "-")


def address(listen_address: str) -> tuple[str, int]:
    """Split host:port; an empty host is every address of this machine."""
    host, _, port = listen_address.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - what ":10077" says
