"""The systemd unit, as systemd itself reads it."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import click

from lens_exporter import cli
from lens_exporter.errors import ServerMissing
from tests.servers.deploy import ROOT
from tests.servers.missing import skip_or_fail

UNIT = ROOT / "deploy/systemd/lens-exporter.service"


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    with skip_or_fail():
        if shutil.which("systemd-analyze") is None:
            raise ServerMissing(program="systemd-analyze", package="systemd")
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False)


def started() -> list[str]:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT, "utf-8")
    return unit["Service"]["ExecStart"].split()


def test_systemd_takes_the_unit(tmp_path):
    """No unknown setting and no wrong value, with the program where it is here."""
    here = Path(sys.executable).with_name("lens-exporter")
    (tmp_path / UNIT.name).write_text(UNIT.read_text("utf-8").replace(started()[0], str(here)), "utf-8")
    verified = analyze("verify", "--man=no", tmp_path / UNIT.name)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_systemd_finds_it_little_exposed():
    """At most 2.0 of 10: what is left is that it uses the network, its own files in /proc and no root directory of its own."""
    judged = analyze("security", "--offline=true", "--no-pager", "--threshold=20", UNIT)
    assert judged.returncode == 0, judged.stdout


def test_it_starts_a_command_that_exists():
    """With flags that exist, and the configuration where the how-to puts it."""
    _, command, *arguments = started()
    with click.Context(cli.main.commands[command]) as context:
        context.command.parse_args(context, list(arguments))
        assert context.params["config_file"] == Path("/etc/lens-exporter/lens.yml")
