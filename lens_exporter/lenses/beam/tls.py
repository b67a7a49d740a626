"""TLS for distribution (inet_tls): the side that connects."""

import ssl

from lens_exporter.config.beam import NodeTls
from lens_exporter.errors import ConfigError


def client_context(settings: NodeTls) -> ssl.SSLContext:
    """Trust what is signed by the certificates in ca_file, and nobody else (without it: by whom this machine trusts).

    Raises:
        ConfigError: a file cannot be read, or does not hold what it should.

    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file is not None:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(where="beam.tls", problem=str(error)) from error
    if settings.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
