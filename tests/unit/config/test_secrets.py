"""Reading secrets."""

import re
from pathlib import Path

import pytest

from lens_exporter.config.check import check_config
from lens_exporter.config.file import NoOptions, load
from lens_exporter.config.secrets import Secrets, SecretSource, secret_sources
from lens_exporter.config.values import FilePath, Settings
from lens_exporter.errors import SecretUnreadable


class Cookie(Settings):
    """A lens with a secret of its own."""

    cookie_file: FilePath | None = None


def from_file(path, secrets=None) -> str:
    return (secrets or Secrets({})).read(SecretSource("grafana.token_file", path, None))


def write(path, content: bytes, mode: int = 0o600):
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "secret"), [(b"s3cret", "s3cret"), (b"s3cret\n", "s3cret"), (b"s3cret\r\n", "s3cret"), (b" a b \n", " a b ")]
)
def test_one_line_end_is_taken_off(tmp_path, content, secret):
    """A file made by an editor or by echo gives the secret itself; nothing else is trimmed."""
    assert from_file(write(tmp_path / "token", content)) == secret


def test_a_rotated_file_is_read_anew(tmp_path):
    """The reader gives what the file holds now, not what it held at start."""
    path = write(tmp_path / "token", b"old")
    read = Secrets({}).reader("grafana.token_file", file=path)
    assert read() == "old"
    write(path, b"new")
    assert read() == "new"


def test_a_variable_of_the_environment_is_read():
    """The name is configured, the value comes from the environment."""
    assert Secrets({"TOKEN": "s3cret"}).reader("grafana.token_env", env="TOKEN")() == "s3cret"


def test_nothing_configured_gives_no_reader():
    """Without file and variable there is no secret to read."""
    assert Secrets({}).reader("grafana.token_file") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"hunter2\nhunter3\n", "it holds a line break or another control character"),
        (b"hunter2\xff", "it is not UTF-8 text"),
        (b"hunter2" * 10_000, "it is larger than 64 KiB"),
    ],
)
def test_a_bad_file_is_named_without_its_content(tmp_path, content, reason):
    """The error says which setting, which path and why; not a byte of the content is in it or in its chain."""
    path = write(tmp_path / "token", content)
    with pytest.raises(SecretUnreadable) as caught:
        from_file(path)
    assert str(caught.value) == f"cannot read the secret for grafana.token_file from {path}: {reason}"
    assert "hunter2" not in repr(caught.value.__cause__)


def test_a_missing_file_and_an_unset_variable_are_named(tmp_path):
    """Both say what to look for."""
    with pytest.raises(SecretUnreadable, match=r"token_file from .*/none: No such file or directory"):
        from_file(tmp_path / "none")
    with pytest.raises(SecretUnreadable, match="for key from environment variable TOKEN: it is not set"):
        Secrets({}).read(SecretSource("key", None, "TOKEN"))


def test_a_file_everybody_can_read_is_warned_about_once(tmp_path):
    """One warning for each file, however often it is read."""
    warnings: list[str] = []
    secrets = Secrets({}, warn=warnings.append)
    path = write(tmp_path / "token", b"s3cret", 0o644)
    for _ in range(3):
        from_file(path, secrets)
    from_file(write(tmp_path / "other", b"s3cret", 0o640), secrets)
    assert warnings == [f"grafana.token_file: everybody on this machine can read {path}; chmod 600 would hide it"]


def test_every_secret_a_configuration_names_is_found_and_tried(tmp_path):
    """check-config reports each secret that is not there, and takes certificates for what they are."""
    write(tmp_path / "grafana.token", b"s3cret\n")
    config = tmp_path / "lens.yml"
    config.write_text(
        "prometheus: {basic_auth: {username: me, password_file: missing}, tls: {ca_file: /etc/ca.pem}}\n"
        "datasources: {eu: {bearer_token_env: LENS_TEST_UNSET}}\n"
        "grafana: {url: 'http://localhost:3000', token_file: grafana.token}\n"
    )
    lenses = {"host": NoOptions, "python": NoOptions}
    assert [source.key for source in secret_sources(load(config, lenses))] == [
        "prometheus.basic_auth.password_file",
        "datasources.eu.bearer_token_env",
        "grafana.token_file",
    ]
    summary = check_config(config, lenses, environment={})
    assert summary.warnings == (
        f"{config}:1: cannot read the secret for prometheus.basic_auth.password_file from {tmp_path}/missing: No such file or directory",
        f"{config}:2: cannot read the secret for datasources.eu.bearer_token_env from environment variable LENS_TEST_UNSET: it is not set",
    )
    assert dict(summary.rows)["watchers"] == "host (host, */1 * * * *); python (python, */1 * * * *)"


def test_a_warning_has_the_line_of_a_short_forms_own_key(tmp_path):
    """Lens and settings stand side by side in it."""
    config = tmp_path / "lens.yml"
    config.write_text('watchers:\n  - host: "* * * * *"\n  - beam:\n      schedule: "* * * * *"\n      cookie_file: none\n')
    (warning,) = check_config(config, {"host": NoOptions, "beam": Cookie}, environment={}).warnings
    assert warning.startswith(f"{config}:5: cannot read the secret for watchers[1].options.cookie_file from {tmp_path}/none")


def test_the_environment_is_read_in_one_file():
    """No other file of the package touches os.environ or getenv."""
    root = Path(__file__).parents[3] / "lens_exporter"
    guilty = [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if path.name != "secrets.py" and re.search(r"os\.environ|getenv", path.read_text(encoding="utf-8"))
    ]
    assert guilty == []
