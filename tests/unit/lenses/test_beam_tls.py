"""TLS between nodes, as far as it is decided before anybody is connected to."""

import ssl

import pytest

from lens_exporter.config.beam import Beam, NodeTls
from lens_exporter.config.secrets import Secrets
from lens_exporter.errors import ConfigError
from lens_exporter.lenses.beam.connect import connector
from lens_exporter.lenses.beam.tls import client_context


@pytest.mark.parametrize("setting", ["ca_file", "cert_file"])
def test_a_file_that_is_no_certificate(tmp_path, setting):
    """It is an error of the configuration, found before anybody is connected to."""
    (tmp_path / "no.pem").write_text("not a certificate")
    given = {setting: str(tmp_path / "no.pem")}
    if setting == "cert_file":
        given["key_file"] = given["cert_file"]
    connect = connector(Secrets({"COOKIE": "secret"}))
    with pytest.raises(ConfigError, match=r"beam\.tls"):
        connect("shop@mq1", Beam(nodes=("shop@mq1",), cookie_env="COOKIE", tls=NodeTls(**given)))


def test_certificates_are_checked_unless_somebody_says_otherwise():
    """Without settings the node's certificate and host are checked; insecure_skip_verify checks neither."""
    checked, unchecked = client_context(NodeTls()), client_context(NodeTls(insecure_skip_verify=True))
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)
