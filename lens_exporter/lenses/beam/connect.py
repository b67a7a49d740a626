"""From settings to a client of one node."""

import ssl
from collections.abc import Callable

from lens_exporter.config.beam import Beam, NodeTls
from lens_exporter.config.secrets import Secrets
from lens_exporter.errors import ConfigError
from lens_exporter.lenses.beam.node import NodeClient
from lens_exporter.lenses.beam.opening import Address


def connector(secrets: Secrets) -> Callable[[str, Beam], NodeClient]:
    """Give what makes clients: of a node's name and of the settings that say how it lets us in.

    It raises ConfigError where a certificate cannot be used. The cookie is read at each connection.
    """

    def connect(node: str, settings: Beam) -> NodeClient:
        cookie = secrets.reader("beam.cookie", file=settings.cookie_file, env=settings.cookie_env)
        if cookie is None:
            raise ValueError(f"the settings of {node} name no cookie")
        tls = context(settings.tls) if settings.tls is not None else None
        return NodeClient(Address(node, epmd_port=settings.epmd_port, tls=tls), cookie)

    return connect


def context(settings: NodeTls) -> ssl.SSLContext:
    """Make the context of TLS connections to nodes.

    Raises:
        ConfigError: a file cannot be read, or holds no certificate or key.

    """
    made = ssl.create_default_context()
    if settings.insecure_skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    try:
        if settings.ca_file is not None:
            made.load_verify_locations(settings.ca_file)
        if settings.cert_file is not None:
            made.load_cert_chain(settings.cert_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(where="beam.tls", problem=str(error)) from error
    return made
