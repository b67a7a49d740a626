import pytest

from lens_exporter.model.conversation import Answered, Instruction, Reply, ToolCall, ToolSpec
from lens_exporter.model.tool import ToolResult, ToolStatus
from tests.integration.llm_site import KEY, site
from tests.servers.model_server import say

pytestmark = [pytest.mark.integration, pytest.mark.parametrize("provider", ["anthropic", "openai"])]

_KEY_BODY = "MIIEowIBAAKCAQEA7d0Q5s3cXq2mW1vZ8yT4uB6nR9kL0pJ3hG5fD7sA1qE2wR4t"
# What is planted, and in which words it is found in the wild. The marker part never may be in a byte that leaves.
PLANTED = {
    "AKIAIOSFODNN7EXAMPLE": "aws id {}",
    "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY": "aws_secret_access_key = {}",
    "dG9wOnNlY3JldC1wYXNzd29yZA==": "Authorization: Basic {}",
    "mF_9.B5f-4.1JqM-bearer-7": "curl -H 'authorization: Bearer {}' http://x",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl": "token {} was used",
    _KEY_BODY: "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "sk-proj-Zx81mQpLw93kTn55": "key {} failed",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a": "cloned with {}",
    "hunter2hunter2": "mysql --password {} -h db",
    "s3cr3t-in-url": "postgres://lens:{}@db.example:5432/lens",
    "xoxb-2345678901-abcdefGHIJKL": "slack {}",
    "Pa55-in-connection-string": "Server=db;User=sa;Password={};Encrypt=yes",
    "COOKIEOFTHENODE": "beam.smp -setcookie {} -name rabbit@mq1",
    "glsa_AbCdEfGhIjKlMnOpQrStUvWxYz012345_1a2b3c4d": "grafana {}",
    "internal-payments.corp": "host {}",
    KEY: "our own key {} in a process list",
}
TEXT = "\n".join(words.format(secret) for secret, words in PLANTED.items())


def test_no_secret_leaves(provider, tmp_path):
    """Secrets planted in every place a request is made of leave in none of its bytes, and each is named by a placeholder."""
    labels = {"instance": "api-7:9000", **{f"label_{n}": words.format(s) for n, (s, words) in enumerate(PLANTED.items())}}
    fields = {
        "password": "hunter2hunter2",
        "nested": [{"api_key": "s3cr3t-in-url", "headers": {"Authorization": "mF_9.B5f-4.1JqM-bearer-7"}}],
    }
    query = ToolCall("a", "promql", {"query": 'up{password="hunter2hunter2",token="COOKIEOFTHENODE"}', "text": TEXT})
    garbled = ToolCall("b", "promql", f'{{"query": "{TEXT}')
    trail = (
        Instruction(f"Alert: {labels}\nAnnotations: {TEXT}"),
        Reply((query, garbled), f"I saw {TEXT}"),
        Answered(query, ToolResult(ToolStatus.DATA, {"processes": [TEXT, labels, fields], TEXT: 1}, TEXT, {TEXT: 1.0}), "r1"),
        Answered(garbled, ToolResult(ToolStatus.ERROR, note=f"cannot parse {TEXT}")),
        Instruction(f"Reviewer says: {TEXT}"),
    )
    tools = (
        ToolSpec("promql", f"Asks. {TEXT}", {"type": "object", "properties": {"query": {"description": TEXT, "default": TEXT}}}),
    )
    with site([say("x")], tmp_path, provider=provider) as s:
        s.ask(trail, system=f"You are. {TEXT}", tools=tools)
        wire = s.server.wire
        for secret in PLANTED:
            assert secret.encode() not in wire, secret
            assert secret.encode()[:-4] not in wire, secret
        for kind in (
            "aws_key",
            "password",
            "authorization",
            "jwt",
            "private_key",
            "api_key",
            "userinfo",
            "secret",
            "field",
            "configured",
        ):
            assert f"[redacted:{kind}]".encode() in wire
        assert b"api-7:9000" in wire


def test_surrogates_do_not_stop_a_call(provider, tmp_path):
    """Text no wire takes is sent as question marks."""
    with site([say("x")], tmp_path, provider=provider) as s:
        s.ask((Instruction("label \ud800 here"),))
        assert b"label ? here" in s.server.wire
