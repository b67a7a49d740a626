"""The web config file: TLS, client certificates, headers and users, in the format of Prometheus' exporter-toolkit.

Source: https://prometheus.io/docs/prometheus/latest/configuration/https/. What cannot be honoured here is an error that says so.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from lens_exporter.config import words
from lens_exporter.config.file import invalid, mapping_of, text_of
from lens_exporter.config.tree import Problem
from lens_exporter.config.values import FilePath, HeaderValue, Misfit, Settings


class ClientAuth(StrEnum):
    """What is asked of a client's certificate."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRED = "RequireAndVerifyClientCert"


def _client_auth(value: str) -> str:
    if value in {"RequestClientCert", "RequireAnyClientCert"}:
        raise ValueError(
            f"{value} takes certificates that nobody checks: use VerifyClientCertIfGiven or RequireAndVerifyClientCert"
        )
    if value and value not in set(ClientAuth):
        raise ValueError(f"expected one of {', '.join(ClientAuth)}")
    return value or ClientAuth.NONE


def _tls_version(value: str) -> str:
    if value in {"TLS10", "TLS11"}:
        raise ValueError(f"{value} is broken (RFC 8996) and not spoken here: use TLS12 or TLS13")
    if value not in {"TLS12", "TLS13"}:
        raise ValueError("expected TLS12 or TLS13")
    return value


# A salt of 16 bytes ends with one of four characters; bcrypt fails on any other.
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
_COSTS = range(4, 17)  # below is no bcrypt; above, one login takes seconds, and who guesses stops everybody's


def _hash(value: object) -> object:
    # Without what was given: it may be the password.
    found = _BCRYPT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a bcrypt hash of the password (htpasswd -nB USER makes one), not the password itself")
    if int(found[1]) not in _COSTS:
        raise ValueError(f"the bcrypt hash has a cost of {found[1]}: expected {_COSTS[0]} to {_COSTS[-1]}")
    return value


def _user(value: str) -> str:
    if not value or ":" in value or not value.isprintable():
        raise ValueError("must be a name without a colon")
    return value


TlsVersion = Annotated[str, AfterValidator(_tls_version)]


class TlsServer(Settings):
    """How this server shows who it is, and what it asks of its clients."""

    cert_file: FilePath
    key_file: FilePath
    client_auth_type: Annotated[str, AfterValidator(_client_auth)] = ClientAuth.NONE
    client_ca_file: FilePath | None = None
    client_allowed_sans: tuple[str, ...] = ()
    min_version: TlsVersion = "TLS12"
    max_version: TlsVersion = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fit(self) -> "TlsServer":
        asks = self.client_auth_type != ClientAuth.NONE
        if asks and self.client_ca_file is None:
            raise Misfit(("client_auth_type",), f"{self.client_auth_type} needs client_ca_file")
        if self.client_ca_file is not None and not asks:
            raise Misfit(("client_ca_file",), "needs a client_auth_type that asks for certificates")
        if self.client_allowed_sans and self.client_auth_type != ClientAuth.REQUIRED:
            raise Misfit(("client_allowed_sans",), f"needs client_auth_type: {ClientAuth.REQUIRED}")
        if self.min_version > self.max_version:
            raise Misfit(("min_version",), "expected min_version <= max_version")
        return self


class HttpServer(Settings):
    """What goes with every answer."""

    http2: bool = True  # read and without effect: HTTP/1.1 is spoken, which every client of HTTP/2 speaks too
    headers: dict[
        Literal[
            "Content-Security-Policy",
            "Strict-Transport-Security",
            "X-Content-Type-Options",
            "X-Frame-Options",
            "X-XSS-Protection",
        ],
        HeaderValue,
    ] = Field(default_factory=dict)


class WebFile(Settings):
    """The file."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: dict[Annotated[str, AfterValidator(_user)], Annotated[str, BeforeValidator(_hash)]] = Field(
        default_factory=dict
    )

    @property
    def certificates_required(self) -> bool:
        """Say whether nobody comes in without a certificate that was checked."""
        return self.tls_server_config is not None and self.tls_server_config.client_auth_type == ClientAuth.REQUIRED


def load_web_file(path: Path) -> WebFile:
    """Read a web config file. Relative paths in it are taken from its own folder.

    Raises:
        ConfigInvalid: with every problem found, one per line; ConfigError: the file cannot be read.

    """
    tree = mapping_of(text_of(path), path)
    # An empty section is the same as none, as the toolkit has it.
    given = {key: section for key, section in tree.value.items() if key not in WebFile.model_fields or section not in (None, {})}
    problems = list(tree.problems)
    try:
        found = WebFile.model_validate(given, context={"base": path.parent})
    except ValidationError as error:
        problems += [Problem(*words.explain(WebFile, detail)) for detail in error.errors(include_url=False)]
        raise invalid(path, tree, problems) from None  # pydantic's own text may hold what was given
    if problems:
        raise invalid(path, tree, problems)
    return found
