"""From the TLS section of a web config file to a context for connections."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lens_exporter.config.web_file import ClientAuth, TlsServer
from lens_exporter.errors import ConfigError
from lens_exporter.exposition.handshake import SayingWhy

_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS: Final[Mapping[str, ssl.VerifyMode]] = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}
# Go's names, which the format has, and OpenSSL's. Those of TLS 1.3 are always on, there as here.
_TLS13: Final = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
_SUITES: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
_CURVES: Final = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


def context_of(tls: TlsServer, where: Path) -> ssl.SSLContext:
    """Read certificates and build the context.

    Raises:
        ConfigError: a file cannot be read or does not fit, or something cannot be honoured; says which setting.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = SayingWhy
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    context.set_alpn_protocols(["http/1.1"])
    if tls.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    _certificate(context, tls, where)
    _authorities(context, tls, where)
    _suites(context, tls, where)
    _curve(context, tls, where)
    return context


def names_of(certificate: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """Give the common name and the alternative names of a certificate that was checked (SSLSocket.getpeercert)."""
    subject = {key: value for part in certificate.get("subject", ()) for key, value in part}
    alternative = frozenset(str(value) for _, value in certificate.get("subjectAltName", ()))
    return str(subject.get("commonName") or min(alternative, default="")), alternative


def _certificate(context: ssl.SSLContext, tls: TlsServer, where: Path) -> None:
    def no_passphrase() -> str:
        raise _unreadable(where, "key_file", tls.key_file, "it is encrypted; give one without a passphrase")

    for key, path in (("cert_file", tls.cert_file), ("key_file", tls.key_file)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise _unreadable(where, key, path, error.strerror or str(error)) from error
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, no_passphrase)
    except (ssl.SSLError, OSError) as error:
        reason = (
            "does not belong to key_file" if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH" else "one of both is not PEM"
        )
        raise _unreadable(where, "cert_file", tls.cert_file, f"{reason} ({tls.key_file})") from error


def _authorities(context: ssl.SSLContext, tls: TlsServer, where: Path) -> None:
    context.verify_mode = _CLIENTS[tls.client_auth_type]
    if tls.client_ca_file is None:
        return
    try:
        context.load_verify_locations(tls.client_ca_file)
    except ssl.SSLError as error:
        raise _unreadable(where, "client_ca_file", tls.client_ca_file, "it holds no certificate in PEM") from error
    except OSError as error:
        raise _unreadable(where, "client_ca_file", tls.client_ca_file, error.strerror or str(error)) from error


def _suites(context: ssl.SSLContext, tls: TlsServer, where: Path) -> None:
    if not tls.cipher_suites:
        return
    for name in tls.cipher_suites:
        if name not in _SUITES and name not in _TLS13:
            raise ConfigError(where=where, problem=f"tls_server_config.cipher_suites: {name} is not spoken here; known: {_known()}")
    older = list(dict.fromkeys(_SUITES[name] for name in tls.cipher_suites if name in _SUITES))
    if older:
        context.set_ciphers(":".join(older))
    elif tls.min_version != "TLS13":
        problem = "tls_server_config.cipher_suites: none of them is for TLS 1.2: set min_version: TLS13"
        raise ConfigError(where=where, problem=problem)


def _curve(context: ssl.SSLContext, tls: TlsServer, where: Path) -> None:
    if not tls.curve_preferences:
        return
    name, *more = tls.curve_preferences
    if more or name not in _CURVES:
        problem = f"tls_server_config.curve_preferences: one of {', '.join(_CURVES)} can be honoured, or none for the usual order"
        raise ConfigError(where=where, problem=problem)
    context.set_ecdh_curve(_CURVES[name])


def _known() -> str:
    return ", ".join([*_SUITES, *sorted(_TLS13)])


def _unreadable(where: Path, key: str, path: Path, reason: str) -> ConfigError:
    return ConfigError(where=where, problem=f"tls_server_config.{key}: {path}: {reason}")
