"""TLS for distribution (inet_tls): the side that connects."""

import ssl
from pathlib import Path


def client_context(
    *, ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None, check_hostname: bool = True
) -> ssl.SSLContext:
    """Trust what is signed by the certificates in ca_file (None: by whom this machine trusts) and, if asked, show our own.

    check_hostname: also compare the host we connect to with the certificate; off for clusters whose nodes share one.

    Raises:
        OSError: a file cannot be read, or does not hold what it should (ssl.SSLError is one).

    """
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = check_hostname
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context
