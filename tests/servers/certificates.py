"""Certificates for one test, made by openssl: an authority, and what it signed."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from lens_exporter.errors import ServerMissing
from tests.servers.missing import skip_or_fail


class Pair(NamedTuple):
    """A certificate and its key, in files."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        with skip_or_fail():
            if shutil.which("openssl") is None:
                raise ServerMissing(program="openssl", package="openssl")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.cert, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        made = ["-x509", *_NEW_KEY, "-days", "2", "-subj", f"/CN={name}", "-out", self.cert, "-keyout", self._key]
        _openssl("req", *made, "-addext", "basicConstraints=critical,CA:TRUE")

    def sign(self, name: str, *, days: int = 2, names: str = "IP:127.0.0.1,DNS:localhost") -> Pair:
        """Make a certificate with this common name; with days below zero it expired before it began."""
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        _openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-out", request, "-keyout", pair.key)
        signed = [
            "-in",
            request,
            "-CA",
            self.cert,
            "-CAkey",
            self._key,
            "-CAcreateserial",
            "-days",
            str(days),
            "-extfile",
            extensions,
        ]
        _openssl("x509", "-req", *signed, "-out", pair.cert)
        return pair


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
