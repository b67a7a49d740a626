"""What a request needs, and what counts as one client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.exposition.credentials import client_key
from lens_exporter.model.access import Scope, needed

OPEN = {("GET", "/-/healthy"), ("HEAD", "/-/healthy"), ("GET", "/-/ready"), ("HEAD", "/-/ready")}
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "BREW"]
PATHS = ["/-/healthy", "/-/ready", "/-/reload", "/webhook", "/metrics", "/", "/-/healthy/", "//-/healthy", "/-/healthy/../reload"]


@given(st.sampled_from(METHODS), st.sampled_from(PATHS) | st.text())
def test_nothing_but_the_probes_is_open(method, path):
    """Whatever the path, spelt however: only the two probes need no scope, only POST /webhook needs webhook, writing needs admin."""
    wanted = needed(method, path)
    assert (wanted is None) == ((method, path) in OPEN)
    assert (wanted is Scope.WEBHOOK) == ((method, path) == ("POST", "/webhook"))
    if wanted is Scope.READ:
        assert method in {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_a_client_is_an_address_or_an_ipv6_network(address, key):
    """Who has a network of 2^64 addresses is one client; an IPv4 address is the same however it came."""
    assert client_key(address) == key
