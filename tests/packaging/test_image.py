"""The Dockerfile, as far as it can be judged without building it: no Docker daemon is at hand where these tests run."""

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch

import click
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lens_exporter import cli
from tests.packaging.dockerfile import instructions
from tests.servers.deploy import ROOT

STEPS = instructions(ROOT / "Dockerfile")
LAST = max(step.stage for step in STEPS)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
IGNORED = (ROOT / ".dockerignore").read_text("utf-8").split()


def final(name: str) -> str:
    """Give what stands behind the one instruction of a name in the last stage."""
    (only,) = (step.rest for step in STEPS if step.stage == LAST and step.name == name)
    return only


def pins(lock: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / lock).read_text("utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def test_it_copies_what_there_is():
    """Each source of a COPY exists and reaches the builder; nothing else does."""
    sources = [word for step in STEPS if step.name == "COPY" and "--from" not in step.rest for word in step.rest.split()[:-1]]
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}" in IGNORED
    assert IGNORED[0] == "*"
    assert {line.removeprefix("!") for line in IGNORED if line.startswith("!")} == set(sources)


def test_every_package_has_a_recorded_hash():
    """Each `pip install` takes hashes, or one wheel built from these sources and nothing beside it; none is compiled."""
    commands = [part.strip() for step in STEPS if step.name == "RUN" for part in step.rest.split("&&")]
    installs = [command for command in commands if re.search(r"\bpip\b.* install\b", command)]
    assert len(installs) == 3
    assert all("--require-hashes -r " in each or "--no-deps --no-index" in each for each in installs)
    assert [command for command in commands if " wheel --" in command and "--no-build-isolation" not in command] == []
    assert any(step.name == "ENV" and "PIP_ONLY_BINARY=:all:" in step.rest for step in STEPS)
    assert not [command for command in commands if re.search(r"\b(apt|apt-get|apk|gcc|make)\b", command)]


def test_the_image_has_the_versions_that_were_tested():
    """The image's lock and the build's name the same versions as the lock of the tests."""
    tested = pins("requirements.lock")
    for lock in ("requirements-image.lock", "requirements-build.lock"):
        assert pins(lock).items() <= tested.items()


def test_the_image_has_all_it_needs():
    """Every dependency of the project and of the extras postgres and otlp; none of the tools that only tests need."""
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["postgres"], *PROJECT["optional-dependencies"]["otlp"]]
    locked = pins("requirements-image.lock")
    assert {canonicalize_name(Requirement(each).name) for each in needed} <= locked.keys()
    assert not locked.keys() & {"pytest", "mypy", "ruff", "hypothesis", "matplotlib", "pip", "hatchling"}


def test_it_runs_as_nobody_in_particular():
    """By number, so that Kubernetes' runAsNonRoot can tell, and the folder of the database is that user's."""
    user, group = map(int, final("USER").split(":"))
    assert user == group != 0
    made = next(step.rest for step in STEPS if step.stage == LAST and step.name == "RUN")
    assert f"--gid {group} lens" in made
    assert f"--uid {user} --gid lens" in made
    assert f"install -d -o lens -g lens -m 0750 {final('WORKDIR')}" in made
    assert final("VOLUME") == final("WORKDIR")


def test_no_installer_is_left():
    """The last stage removes pip and takes an environment made without it."""
    last = " ".join(step.rest for step in STEPS if step.stage == LAST)
    assert "pip uninstall --yes" in last
    assert "venv --without-pip /opt/lens-exporter" in " ".join(step.rest for step in STEPS)
    assert "--from=build /opt/lens-exporter /opt/lens-exporter" in last


def test_what_it_runs_are_commands():
    """Entry point, default command and health check are ones that the command line has, on the port that is exposed."""
    assert json.loads(final("ENTRYPOINT")) == ["lens-exporter"]
    name, *arguments = json.loads(final("CMD"))
    with click.Context(cli.main.commands[name]) as context:
        context.command.parse_args(context, list(arguments))
        assert context.params["listen_address"] == f":{final('EXPOSE')}"
    program, check, *asked = json.loads(final("HEALTHCHECK").partition("CMD ")[2])
    assert (program, asked) == ("lens-exporter", [])
    (url,) = (option.default for option in cli.main.commands[check].params if option.name == "url")
    assert url == f"http://127.0.0.1:{final('EXPOSE')}"


def test_labels_tell_what_it_is():
    """Title, licence, version and revision under the OCI's names; the default version is the project's."""
    labels = dict(pair.split("=", 1) for pair in shlex.split(final("LABEL")))
    assert labels["org.opencontainers.image.title"] == PROJECT["name"]
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]
    assert labels["org.opencontainers.image.version"] == "${VERSION}"
    assert f"VERSION={PROJECT['version']}" in [step.rest for step in STEPS if step.name == "ARG"]
    assert {"revision", "created", "description"} <= {name.rsplit(".", 1)[1] for name in labels}


def test_the_base_image_is_named():
    """By a tag that says which Python on which Debian, in both stages."""
    (base,) = (step.rest for step in STEPS if step.stage == 0)
    assert re.fullmatch(r"PYTHON=3\.\d+-slim-[a-z]+", base)
    assert [step.rest for step in STEPS if step.name == "FROM"] == ["python:${PYTHON} AS build", "python:${PYTHON}"]


def test_ignored_is_what_would_be_private():
    """No rule of .dockerignore lets a database, a virtual environment or the history through."""
    allowed = [line.removeprefix("!") for line in IGNORED if line.startswith("!")]
    for private in (".git", ".venv", "data", "lens.db", "deploy"):
        assert not [pattern for pattern in allowed if fnmatch(private, pattern)]
