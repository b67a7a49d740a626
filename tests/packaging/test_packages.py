"""The wheel and the source package: built, checked, installed where nothing is, and started there."""

import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lens_exporter.demo.servers import LocalServer
from tests.servers.deploy import ROOT, installed
from tests.servers.lens_process import Samples

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VERSION = PROJECT["version"]


def run(*argv: object, cwd: Path | None = None) -> str:
    done = subprocess.run([str(each) for each in argv], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """Build the source package, and the wheel from what it holds, as `make dist` does."""
    installed("build")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return folder


@pytest.fixture(scope="module")
def program(packages, tmp_path_factory) -> Iterator[Path]:
    """Install the wheel into an empty environment; its dependencies are those of this one, seen through a path file."""
    environment = tmp_path_factory.mktemp("elsewhere") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin/python"
    (wheel,) = packages.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    where = run(python, "-c", "import lens_exporter; print(lens_exporter.__file__)", cwd=environment)
    assert where.startswith(str(site)), "it is this checkout that would be tested"
    return environment / "bin/lens-exporter"


def test_they_are_one_wheel_and_one_source_package(packages):
    """For every platform, under the project's version."""
    assert sorted(path.name for path in packages.iterdir()) == [
        f"lens_exporter-{VERSION}-py3-none-any.whl",
        f"lens_exporter-{VERSION}.tar.gz",
    ]


def test_twine_takes_them(packages):
    """Their metadata is whole and the README is rendered."""
    installed("twine")
    run(sys.executable, "-m", "twine", "check", "--strict", *packages.iterdir())


def test_the_wheel_holds_the_package_and_nothing_else(packages):
    """Every file of lens_exporter/ that is in the source package, data and migrations among them; no tests, no benches."""
    (wheel,) = packages.glob("*.whl")
    (source,) = packages.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    with tarfile.open(source) as archive:
        whole = {member.name.split("/", 1)[1] for member in archive.getmembers() if member.isfile()}
    assert inside == {name for name in whole if name.startswith("lens_exporter/")}
    assert {"lens_exporter/py.typed", "lens_exporter/exposition/lens.css", "lens_exporter/lenses/beam/exporters.toml"} <= inside
    assert {name for name in inside if name.startswith("lens_exporter/foundation/migrations/versions/")}


def test_the_source_package_can_be_tested(packages):
    """It holds the tests, the rules, the chart and the locks, and nothing of a developer's machine."""
    (source,) = packages.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        tops = {member.name.split("/")[1] for member in archive.getmembers()}
    assert {"tests", "rules", "helm", "docs", "Makefile", "requirements.lock", "LICENSE", "README.md"} <= tops
    assert not tops & {".venv", "dist", "data", ".git", ".hypothesis", ".mypy_cache"}


def test_it_starts_where_nothing_else_is(program, tmp_path):
    """With an empty environment and an empty folder: it says its version, becomes ready, and both lenses publish."""
    assert run(program, "--version", cwd=tmp_path).strip() == f"lens-exporter, version {VERSION}"
    (tmp_path / "lens.yml").write_text("alertmanager: {urls: []}\n", "utf-8")
    argv = ["env", "-i", "PATH=/usr/bin:/bin", str(program), "run", f"--config.file={tmp_path}/lens.yml"]
    with LocalServer("packaged", argv, folder=tmp_path).start() as server, server._session() as session:
        page = Samples(session.get(f"{server.url}/metrics", timeout=10).text)
        health = subprocess.run([program, "health", f"--url={server.url}"], capture_output=True, text=True, check=False)
    assert {each.labels["lens"]: each.value for each in page.all("lens_up")} == {"host": 1.0, "python": 1.0}
    assert page.value("lens_build_info", version=VERSION) == 1
    assert (tmp_path / "data/lens.db").exists()
    assert (health.returncode, health.stdout) == (0, "lens-exporter is healthy.\n")


def test_health_of_nobody_is_a_failure(program):
    """What a container's health check asks, where nothing listens: exit code 1 and the reason in one line."""
    done = subprocess.run([program, "health", "--url=http://127.0.0.1:1"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert len(done.stderr.splitlines()) == 1
