"""Secrets from files and from the environment. This is the one file that reads the environment.

A file is read at each call, so a rotated secret is picked up. No error and no warning holds a secret's content.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from lens_exporter.config.settings import Config
from lens_exporter.errors import SecretUnreadable

_LARGEST = 64 * 1024


class SecretSource(NamedTuple):
    """Where one secret is: in a file or in an environment variable."""

    key: str  # the setting that says so: llm.clients[0].options.api_key_file
    file: Path | None
    env: str | None


class Secrets:
    """Reads secrets. `warn` hears once about each file that everybody on the machine can read."""

    def __init__(self, environment: Mapping[str, str] | None = None, *, warn: Callable[[str], None] = lambda _text: None) -> None:
        self._environment = os.environ if environment is None else environment
        self._warn = warn
        self._warned: set[Path] = set()

    def reader(self, key: str, *, file: Path | None = None, env: str | None = None) -> Callable[[], str] | None:
        """Give a function that reads the secret anew at each call, or None when neither file nor variable is configured."""
        source = SecretSource(key, file, env)
        return (lambda: self.read(source)) if file is not None or env is not None else None

    def read(self, source: SecretSource) -> str:
        """Read one secret, without the one line end a file usually has.

        Raises:
            SecretUnreadable: names the setting and the path or variable, never the content.

        """
        if source.file is not None:
            where, secret = str(source.file), self._from_file(source.key, source.file)
        else:
            where = f"environment variable {source.env}"
            found = self._environment.get(source.env or "")
            if found is None:
                raise SecretUnreadable(key=source.key, path=where, reason="it is not set")
            secret = found
        if not secret.strip():
            raise SecretUnreadable(key=source.key, path=where, reason="it is empty")
        if not secret.isprintable():
            # A line break would end the header the secret is sent in.
            raise SecretUnreadable(key=source.key, path=where, reason="it holds a line break or another control character")
        return secret

    def _from_file(self, key: str, path: Path) -> str:
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & stat.S_IROTH and path not in self._warned:
                    self._warned.add(path)
                    self._warn(f"{key}: everybody on this machine can read {path}; chmod 600 would hide it")
                content = file.read(_LARGEST + 1)
        except OSError as error:
            raise SecretUnreadable(key=key, path=path, reason=error.strerror) from error
        if len(content) > _LARGEST:
            raise SecretUnreadable(key=key, path=path, reason=f"it is larger than {_LARGEST // 1024} KiB")
        try:
            return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            # The decoder's own message holds the bytes.
            raise SecretUnreadable(key=key, path=path, reason="it is not UTF-8 text") from None


def secret_sources(config: Config) -> Iterator[SecretSource]:
    """Give every secret the configuration names, so that check-config can try them all."""
    yield from _sources(config, "")


_OTHER_FILES = {"ca_file", "cert_file", "key_file", "config_file"}  # read by the TLS library itself, or no secret as a whole


def _sources(value: object, key: str) -> Iterator[SecretSource]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            found, here = getattr(value, name), f"{key}.{name}" if key else name
            if isinstance(found, Path) and name.endswith("_file") and name not in _OTHER_FILES:
                yield SecretSource(here, found, None)
            elif isinstance(found, str) and name.endswith("_env"):
                yield SecretSource(here, None, found)
            else:
                yield from _sources(found, here)
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from _sources(item, f"{key}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, Path) and str(name).endswith("_file") and name not in _OTHER_FILES:
                yield SecretSource(f"{key}.{name}", item, None)
            elif isinstance(item, str) and str(name).endswith("_env"):
                yield SecretSource(f"{key}.{name}", None, item)
            else:
                yield from _sources(item, f"{key}.{name}")
