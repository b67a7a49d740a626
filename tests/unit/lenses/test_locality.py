"""A question about another machine is never answered from this one."""

import pytest

from lens_exporter.lenses.here import Here
from lens_exporter.lenses.locality import Locality, Where, address, locality

API_7 = Locality(Here("api-7", "pid:[1]"), frozenset({"10.0.0.7", "fd00::7"}))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"hostname": "api-7"},
        {"hostname": "API-7.example.org"},
        {"instance": "api-7:9000"},
        {"instance": "10.0.0.7:9000"},
        {"instance": "[fd00::7]:9000"},
        {"instance": "http://api-7:9000/metrics"},
        {"instance": "127.0.0.1:9000"},
        {"instance": "localhost:9000", "hostname": "api-7"},
    ],
)
def test_this_machine(asked):
    """Its names and addresses mean this machine, and so does loopback when Prometheus runs here."""
    assert API_7.elsewhere(Where(**asked)) == ""


@pytest.mark.parametrize(
    "asked",
    [
        {"hostname": "api-8"},
        {"hostname": "api-70"},
        {"instance": "api-8:9000"},
        {"instance": "10.0.0.8:9000"},
        {"instance": "checkout"},
        {"instance": "127.0.0.1:9000", "hostname": "api-8"},
        {"instance": "??? ???"},
    ],
)
def test_another_machine(asked):
    """Every other name or address is refused with a reason that names this machine."""
    assert "api-7" in API_7.elsewhere(Where(**asked))


def test_loopback_of_another_prometheus():
    """Where Prometheus is not known to run here, its loopback is another machine's."""
    remote = Locality(API_7.here, API_7.addresses, loopback_is_here=False)
    assert "Prometheus" in remote.elsewhere(Where(instance="127.0.0.1:9000"))
    assert remote.elsewhere(Where(instance="10.0.0.7:9000")) == ""


def test_full_names_of_two_domains():
    """Two full names are compared in full."""
    full = Locality(Here("api-7.one.example", ""))
    assert full.elsewhere(Where(hostname="api-7.two.example"))
    assert full.elsewhere(Where(hostname="api-7")) == ""


@pytest.mark.parametrize(
    ("instance", "found"),
    [
        ("api:9000", ("api", 9000)),
        ("[::1]:80", ("::1", 80)),
        ("api", ("api", None)),
        ("https://api:1/x", ("api", 1)),
        (None, (None, None)),
        ("", (None, None)),
    ],
)
def test_instance_labels(instance, found):
    """An instance label splits into host and port."""
    assert address(instance) == found


def test_the_real_machine():
    """This machine knows itself by its own addresses."""
    own = locality()
    assert own.here.hostname
    assert all(own.elsewhere(Where(instance=f"{found}:1" if ":" not in found else f"[{found}]:1")) == "" for found in own.addresses)
