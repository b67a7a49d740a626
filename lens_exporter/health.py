"""A container's health check: it asks the process beside it whether it answers."""

import http.client
import ssl
from ipaddress import ip_address
from urllib.parse import urlsplit

from lens_exporter.errors import RemoteError, Unreachable

_SERVICE = "lens-exporter"
_SHOWN = 80  # characters of an answer


def health(url: str, timeout: float) -> str:
    """Give what a lens-exporter says under /-/healthy. Nothing of the rest of the program is loaded, for this is asked often.

    The certificate of this machine itself is not checked: it names the address that others use.

    Raises:
        Unreachable: nobody answers within `timeout` seconds; RemoteError: with something else than 200, or somebody else does.

    """
    address = urlsplit(url)
    host, port = address.hostname or "", address.port
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        context = ssl.create_default_context()
        if _is_here(host):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", f"{address.path.rstrip('/')}/-/healthy")
        answer = connection.getresponse()
        said = answer.read(1000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(service=_SERVICE, url=url, reason=getattr(error, "strerror", None) or error) from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise RemoteError(service=_SERVICE, url=url, reason=f"{answer.status} {said}")
    if not said.startswith(_SERVICE):  # other servers have this page too: Prometheus, Alertmanager
        raise RemoteError(service=_SERVICE, url=url, reason=f'something else answers there, with "{said[:_SHOWN]}"')
    return said


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
