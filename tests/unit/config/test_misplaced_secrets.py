"""Secrets written where none belong: the answer says where they go and does not repeat them."""

from pathlib import Path

import pytest

from lens_exporter.config.file import NoOptions, read
from lens_exporter.errors import ConfigInvalid

SECRET = "sk-ant-hunter2"
CLIENT = "llm: {clients: [{name: a, provider: anthropic, options: {%s: %s}}]}"
GRAFANA = "grafana: {url: 'http://localhost:3000', %s: %s}"


def refused(text: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        read(text, Path("lens.yml"), {"host": NoOptions, "python": NoOptions})
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "places"),
    [
        (CLIENT, "llm.clients[0].options.api_key", "api_key_file or api_key_env"),
        (CLIENT, "llm.clients[0].options.token", "api_key_file or api_key_env"),
        (GRAFANA, "grafana.token", "token_file or token_env"),
        (GRAFANA, "grafana.bearer_token", "bearer_token_file or bearer_token_env"),
        (GRAFANA, "grafana.password", "bearer_token_file or bearer_token_env or token_file or token_env"),
        ("prometheus: {basic_auth: {username: me, %s: %s}}", "prometheus.basic_auth.password", "password_file"),
        ("%s: %s", "database_password", "database_password_file or database_password_env"),
    ],
)
def test_a_secret_under_a_key_of_its_own_is_told_where_secrets_go(text, key, places):
    """Not api_key_env, which "did you mean" would propose: the secret would go there next."""
    said = refused(text % (key.rpartition(".")[2], SECRET))
    assert f"lens.yml:1: {key}: unknown key; secrets are never written here; use {places}" in said.splitlines()
    assert SECRET not in said


def test_a_misspelt_setting_that_sounds_like_a_secret_is_still_a_misspelling():
    """max_token is meant to be max_tokens."""
    assert 'max_token: unknown key; did you mean "max_tokens"?' in refused(CLIENT % ("max_token", 10))


@pytest.mark.parametrize("given", [SECRET, "12345678", "[hunter2]", "{a: hunter2}", "''", "'hunter2\n'", "glsa.hunter2"])
@pytest.mark.parametrize(
    ("text", "key"),
    [
        (CLIENT, "llm.clients[0].options.api_key_env"),
        (GRAFANA, "grafana.token_env"),
        (GRAFANA, "grafana.bearer_token_env"),
        ("%s: %s", "database_password_env"),
    ],
)
def test_what_is_no_name_of_a_variable_is_not_shown(text, key, given):
    """Somebody put the secret itself there; a name of letters that happens to be one nobody can tell."""
    said = refused(text % (key.rpartition(".")[2], given))
    assert f"{key}: must be the name of an environment variable (letters, digits and _), not the secret itself" in said
    assert not any(part in said for part in ("hunter2", "12345678"))
