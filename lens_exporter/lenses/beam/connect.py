"""From settings to a client of one node."""

from collections.abc import Callable

from lens_exporter.config.beam import Beam
from lens_exporter.config.secrets import Secrets
from lens_exporter.lenses.beam.node import NodeClient
from lens_exporter.lenses.beam.opening import Address
from lens_exporter.lenses.beam.tls import client_context


def connector(secrets: Secrets) -> Callable[[str, Beam], NodeClient]:
    """Give what makes clients: of a node's name and of the settings that say how it lets us in.

    It raises ConfigError where a certificate cannot be used. The cookie is read at each connection.
    """

    def connect(node: str, settings: Beam) -> NodeClient:
        cookie = secrets.reader("beam.cookie", file=settings.cookie_file, env=settings.cookie_env)
        if cookie is None:
            raise ValueError(f"the settings of {node} name no cookie")
        tls = client_context(settings.tls) if settings.tls is not None else None
        return NodeClient(Address(node, epmd_port=settings.epmd_port, tls=tls), cookie)

    return connect
