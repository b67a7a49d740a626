"""Who may come in, as settings and files have it at one moment."""

import hashlib
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

from lens_exporter.config.secrets import Secrets, SecretSource
from lens_exporter.config.web import RateLimits, Token, Web
from lens_exporter.config.web_file import WebFile, load_web_file
from lens_exporter.errors import ConfigError, LensError, SecretUnreadable
from lens_exporter.exposition.tls import context_of
from lens_exporter.model.access import EVERYTHING, Principal, Scope

_SHORTEST_TOKEN = 16  # characters: nobody guesses as many, at ten guesses a minute
_OPEN = (
    "{address} can be reached from other machines, and nobody would be asked who they are. Give web.tokens, or users or "
    "client certificates in web.config_file (--web.config.file); or listen on 127.0.0.1; or, where a proxy or a network policy "
    "decides who comes in, say so by web.allow_unauthenticated: true (--web.allow-unauthenticated)"
)

Stamp = tuple[int, int, int, int] | None  # of a file: when written, when changed, size, inode


@dataclass(frozen=True, slots=True)
class Rules:
    """What is in force. Secrets are digests and hashes."""

    asks: bool = False  # whether callers must show who they are
    tls: ssl.SSLContext | None = None
    certificates_required: bool = False
    certificates_alone: bool = False  # a certificate that was checked says who it is: nothing else is configured that does
    allowed_sans: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # bcrypt hashes
    user_scopes: Mapping[str, frozenset[Scope]] = field(default_factory=dict)
    tokens: tuple[tuple[bytes, Principal], ...] = field(default=(), repr=False)  # by digest
    limits: RateLimits = field(default_factory=RateLimits)
    unreadable: tuple[str, ...] = ()  # tokens that nobody can show for now, and why
    rejected: str = ""  # why the web config file that is there now is not the one in force

    def named(self, name: str) -> Principal:
        """Give a user, or the holder of a certificate. Where some are named, a misspelt name must not mean everything."""
        return Principal(name, self.user_scopes.get(name, frozenset() if self.user_scopes else EVERYTHING))


def digest(token: bytes) -> bytes:
    """Give what is kept and compared of a token: its length does not show in the time that takes."""
    return hashlib.sha256(token).digest()


def build(web: Web, secrets: Secrets, seen: dict[Path, Stamp]) -> Rules:
    """Read every file the settings name; `seen` is filled with how each stood before it was read.

    Raises:
        ConfigError: the web config file, a certificate or a token is wrong, or everybody would come in.

    """
    file, context = _web_file(web, seen)
    rules = _rules(web, file, context, *_bearers(web, secrets, seen))
    if rules.unreadable:
        raise ConfigError(where="web.tokens", problem="; ".join(rules.unreadable))
    if not rules.asks and not web.allow_unauthenticated and not is_loopback(web.listen_address):
        raise ConfigError(where="web.listen_address", problem=_OPEN.format(address=web.listen_address))
    return rules


def rebuild(web: Web, secrets: Secrets, seen: dict[Path, Stamp], old: Rules) -> Rules:
    """Read the files again while serving, tokens apart from the web config file: a bad one keeps nobody's token alive.

    A token whose file is gone is a token taken back. Of a web config file that is wrong, or would open more than the one before
    (it may be half a file), nothing counts: `rejected` says why, and what was read before stays.
    """
    tokens, unreadable = _bearers(web, secrets, seen)
    try:
        file, context = _web_file(web, seen)
        rules = _rules(web, file, context, tokens, unreadable)
        _refuse_more_open(web, old, rules)
    except LensError as error:
        return replace(old, tokens=tokens, unreadable=unreadable, rejected=str(error))
    except Exception as error:  # noqa: BLE001 - YAML, pydantic and OpenSSL are foreign code, and everybody else goes on being served
        # Without their words, which may hold what the file holds.
        rejected = f"{web.config_file}: cannot be taken ({type(error).__name__})"
        return replace(old, tokens=tokens, unreadable=unreadable, rejected=rejected)
    return rules


def stamp(path: Path) -> Stamp:
    """Give what shows whether a file is another one now; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - called for each request: a Path would cost more than the call
    except (OSError, ValueError):  # ValueError: no file has such a name
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def is_loopback(listen_address: str) -> bool:
    """Say whether only this machine reaches an address. A name other than localhost may mean anything."""
    host = listen_address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_more_open(web: Web, old: Rules, new: Rules) -> None:
    lost = ["tls_server_config"] * (old.tls is not None and new.tls is None)
    lost += ["client certificates"] * (old.certificates_required and not new.certificates_required)
    lost += ["client_allowed_sans"] * (bool(old.allowed_sans) and not new.allowed_sans)
    lost += ["basic_auth_users"] * (bool(old.users) and not new.users)
    if old.tls is not None and new.tls is not None:
        optional = not old.certificates_required and new.tls.verify_mode < old.tls.verify_mode
        lost += ["client_ca_file"] * optional
        lost += [f"min_version as high as {old.tls.minimum_version.name}"] * (new.tls.minimum_version < old.tls.minimum_version)
    if lost:
        problem = f"has no {' and no '.join(lost)} any more; POST /-/reload takes it if that is meant"
        raise ConfigError(where=web.config_file, problem=problem)


def _web_file(web: Web, seen: dict[Path, Stamp]) -> tuple[WebFile, ssl.SSLContext | None]:
    if web.config_file is None:
        return WebFile(), None
    seen[web.config_file] = stamp(web.config_file)
    file = load_web_file(web.config_file)
    tls = file.tls_server_config
    if tls is None:
        return file, None
    seen.update({path: stamp(path) for path in (tls.cert_file, tls.key_file, tls.client_ca_file) if path})
    return file, context_of(tls, web.config_file)


def _bearers(web: Web, secrets: Secrets, seen: dict[Path, Stamp]) -> tuple[tuple[tuple[bytes, Principal], ...], tuple[str, ...]]:
    tokens, unreadable = [], []
    for index, token in enumerate(web.tokens):
        if token.token_file is not None:
            seen[token.token_file] = stamp(token.token_file)
        try:
            tokens.append((digest(_secret(index, token, secrets).encode()), Principal(token.name, frozenset(token.scopes))))
        except LensError as error:
            unreadable.append(str(error))
    return tuple(tokens), tuple(unreadable)


def _rules(
    web: Web,
    file: WebFile,
    context: ssl.SSLContext | None,
    tokens: tuple[tuple[bytes, Principal], ...],
    unreadable: tuple[str, ...],
) -> Rules:
    return Rules(
        asks=bool(web.tokens or file.basic_auth_users or file.certificates_required),
        tls=context,
        certificates_required=file.certificates_required,
        certificates_alone=file.certificates_required and not web.tokens and not file.basic_auth_users,
        allowed_sans=frozenset(file.tls_server_config.client_allowed_sans if file.tls_server_config else ()),
        headers={str(name): value for name, value in file.http_server_config.headers.items()},
        users={name: hashed.encode() for name, hashed in file.basic_auth_users.items()},
        user_scopes={name: frozenset(scopes) for name, scopes in web.user_scopes.items()},
        tokens=tokens,
        limits=web.rate_limits,
        unreadable=unreadable,
    )


def _secret(index: int, token: Token, secrets: Secrets) -> str:
    key = f"web.tokens[{index}].{'token_file' if token.token_file else 'token_env'}"
    found = secrets.read(SecretSource(key, token.token_file, token.token_env))
    if len(found) < _SHORTEST_TOKEN:
        where = token.token_file or f"environment variable {token.token_env}"
        reason = f"it has fewer than {_SHORTEST_TOKEN} characters; openssl rand -hex 32 makes one that nobody guesses"
        raise SecretUnreadable(key=key, path=where, reason=reason)
    return found
