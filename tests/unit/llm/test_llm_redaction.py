import time

import pytest

from lens_exporter.errors import ConfigError
from lens_exporter.llm.redaction import Redactor

PEM = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY/PuoAoGCCqGSM49\nAwEHoUQ=\n"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted:aws_key]."),
        ("Authorization: Bearer abc.def", "Authorization: [redacted:authorization]"),
        ('{"Authorization": "Basic dXNlcjpwYXNz", "x": 1}', '{"Authorization": "[redacted:authorization]", "x": 1}'),
        ("sent bearer abcdef.123456-7 twice", "sent bearer [redacted:bearer] twice"),
        ("Set-Cookie: session=abc; Path=/", "Set-Cookie: [redacted:cookie]"),
        ("beam -setcookie ABCDEF -name a", "beam -setcookie [redacted:cookie] -name a"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_1!", "[redacted:jwt]!"),
        ("sk-ant-api03-abcdefghijklmnop", "[redacted:api_key]"),
        ("xoxb-123456789-abcdef", "[redacted:slack_token]"),
        ("https://hooks.slack.com/services/T000/B000/XXXX", "https://hooks.slack.com/services/[redacted:slack_webhook]"),
        ("postgres://u:p@ss@db:5432/x", "postgres://[redacted:userinfo]@db:5432/x"),
        ("Server=db;Password=abc,def;User=x", "Server=db;Password=[redacted:password];User=x"),
        ('{"password":"hunt\\"er2","x":1}', '{"password":"[redacted:password]","x":1}'),
        ('"{\\"password\\":\\"hunter2\\",\\"a\\":1}"', '"{\\"password\\":\\"[redacted:password]\\",\\"a\\":1}"'),
        ("DB_PASSWORD=xyz PATH=/bin", "DB_PASSWORD=[redacted:password] PATH=/bin"),
        ("run --api-key abc --foo bar", "run --api-key [redacted:password] --foo bar"),
        ("curl -u bob:secret http", "curl -u bob:[redacted:userinfo] http"),
        ('up{job="a",password="x y",pod="b"}', 'up{job="a",password="[redacted:password]",pod="b"}'),
        ("https://x/y?a=1&sig=abcdefghij%3D&b=1", "https://x/y?a=1&sig=[redacted:signature]&b=1"),
        (f"{PEM}-----END EC PRIVATE KEY-----\nafter it", "[redacted:private_key]\nafter it"),
        (f"{PEM}", "[redacted:private_key]"),
        (f"{PEM[:70]} and on", "[redacted:private_key] and on"),
    ],
)
def test_secrets_are_replaced(text, cleaned):
    """Each kind of secret gives way to its placeholder, and what stands around it stays."""
    assert Redactor().text(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 4096, input_tokens=5",
        'rate(password_resets_total{job="api"}[5m]) > 3',
        "http://host:9090/api/v1/query?match=a@b",
        "bearer authentication failed; basic authentication too",
        "sk-learn-is-not-a-key-of-anybody",
        "process_resident_memory_bytes 2.31e+09 at 14:02",
        "task-queue-0123456789abcdef0123456789",
        "AKIA is a prefix",
    ],
)
def test_evidence_stays(text):
    """Metric names, numbers and prose pass untouched."""
    assert Redactor().text(text) == text


def test_json_keeps_its_shape():
    """Keys that name a secret hide their text; numbers, null and structure stay."""
    value = {
        "password": "a",
        "db_token": "b",
        "input_tokens": 7,
        "secret": None,
        "list": ["x", 1.5, True, ("y",)],
        "deep": {"api_key": b"z"},
    }
    assert Redactor().clean(value) == {
        "password": "[redacted:field]",
        "db_token": "[redacted:field]",
        "input_tokens": 7,
        "secret": None,
        "list": ["x", 1.5, True, ["y"]],
        "deep": {"api_key": "[redacted:field]"},
    }


def test_known_secrets():
    """A secret known by its text is found anywhere; one too short to tell from other text is not looked for."""
    redactor = Redactor()
    assert redactor.clean(["x-plainword99-y", "a b"], known=("plainword99", "b", "")) == ["x-[redacted:secret]-y", "a b"]


def test_configured_patterns():
    """Configured expressions are replaced whole, groups or not."""
    assert Redactor([r"(cust)omer-\d+"]).text("for customer-17") == "for [redacted:configured]"


def test_a_bad_pattern_is_a_configuration_error():
    """A pattern that is none is refused when it is read, by position."""
    with pytest.raises(ConfigError, match=r"llm\.redact\[1\]"):
        Redactor(["a", "("])


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError


def test_hostile_values():
    """Depth, cycles, foreign objects and broken text are answered, not raised."""
    cycle: list[object] = []
    cycle.append(cycle)
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    redactor = Redactor()
    assert "too_deep" in str(redactor.clean(cycle))
    assert "too_deep" in str(redactor.clean(deep))
    assert redactor.clean({"a": Unspeakable(), 3: {4}}) == {"a": "<Unspeakable>", "3": [4]}
    assert redactor.clean("\ud800") == "?"


@pytest.mark.parametrize(
    "unit",
    ["a", "-", "eyJ", "eyJa.", "eyJaaaaaaaaaaaa.aaaa", "sk-", "sk-a", "://", "://a", "://a@", "password", "password=", 'password\\"', "pass",
     "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n" + "A" * 19 + "\n", "bearer a", "basic aaaaaaaaaaaa ", "authorization:",
     "AKIA", '"', "\\", "--password ", "--a-", "-u a:", "token=,", "token=a,a", " ", "\n", "é"],
)  # fmt: skip
def test_no_text_makes_it_slow(unit):
    """A megabyte made to hurt takes little more than a megabyte of anything: no pattern backtracks over it."""
    text = unit * (1_000_000 // len(unit))
    before = time.process_time()
    Redactor().text(text)
    assert time.process_time() - before < 5.0
