"""Flags of the command line on top of the file."""

from pathlib import Path

import pytest

from lens_exporter.errors import ConfigInvalid
from lens_exporter.wiring.configuration import load


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    """What a flag does not say stays as the file says it."""
    path = tmp_path / "lens.yml"
    path.write_text('web: {listen_address: ":1", telemetry_path: /m}')
    web = load(path, {"listen_address": "127.0.0.1:2"}).web
    assert (web.listen_address, web.telemetry_path) == ("127.0.0.1:2", "/m")


def test_a_wrong_flag_is_named_like_a_wrong_key() -> None:
    """One line for each, with the flag as it was written on the command line."""
    with pytest.raises(ConfigInvalid) as caught:
        load(None, {"listen_address": "foo", "external_url": "bar"})
    assert str(caught.value).splitlines() == [
        '--web.listen-address: expected an address to listen on like "127.0.0.1:10077" or ":10077", got "foo"',
        '--web.external-url: expected an address like "http://localhost:9090", got "bar"',
    ]
