"""Loading a configuration file."""

from pathlib import Path

import pytest
from pydantic import Field

from lens_exporter.config.file import NoOptions, changed, fixed, load, read
from lens_exporter.config.settings import Config, Watcher
from lens_exporter.config.values import FilePath, Settings
from lens_exporter.errors import ConfigError, ConfigInvalid

HERE = Path("/etc/lens/lens.yml")


class BeamOptions(Settings):
    """A lens with options of its own, as a later lens will have them."""

    nodes: tuple[str, ...] = Field(min_length=1, title='list of node names like "rabbit@host"')
    cookie_file: FilePath | None = None


LENSES = {"host": NoOptions, "python": NoOptions, "promql": NoOptions, "beam": BeamOptions}

SMALL_SITE = """\
prometheus: {url: http://localhost:9090}
alertmanager: {urls: [http://localhost:9093]}
grafana: {url: http://localhost:3000, token_file: /etc/lens/grafana.token}
llm: {primary: claude, clients: [{name: claude, provider: anthropic, options: {api_key_file: anthropic.key}}]}
watchers:
  - host: "*/1 * * * *"
  - beam: {schedule: "*/5 * * * * 30", nodes: [rabbit@mq1], cookie_file: cookie, step: 30s}
  - name: checkout
    schedule: "*/1 * * * *"
    metrics:
      errors: {query: 'sum by (pod) (rate(http_requests_total{code=~"5.."}[5m]))', direction: up, min_change: 0.1}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        read(text, Path("lens.yml"), LENSES)
    return str(caught.value).splitlines()


def test_a_small_site_reads_whole():
    """Short forms, long forms, lens options and paths relative to the file arrive as settings."""
    config = read(SMALL_SITE, HERE, LENSES)
    host, beam, checkout = config.watchers
    assert host == Watcher(name="host", lens="host", schedule="*/1 * * * *")
    assert (beam.lens, beam.step, beam.options) == (
        "beam",
        30.0,
        {"nodes": ("rabbit@mq1",), "cookie_file": Path("/etc/lens/cookie")},
    )
    assert (checkout.lens, checkout.metrics["errors"].min_change) == ("promql", 0.1)
    assert config.llm.clients[0].options.model == "claude-haiku-4-5"
    assert config.llm.clients[0].options.api_key_file == Path("/etc/lens/anthropic.key")


@pytest.mark.parametrize("url", ["http://[::1]:9090", "https://[::1]/prom", "http://a.b:1/x", "https://a.b", "http://h:65535"])
def test_addresses_that_are_some(url):
    """With or without a port, by name or by address."""
    assert read(f'prometheus: {{url: "{url}"}}', HERE, LENSES).prometheus.url == url


def test_nothing_needs_no_unit():
    """0 is the one number that is a duration, where there may be none."""
    assert read("investigate: {debounce: 0}", HERE, LENSES).investigate.debounce == 0.0


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_is_all_defaults(text):
    """Nothing written means everything by default: host and own process, Prometheus on localhost."""
    assert read(text, HERE, LENSES) == Config()


PORT = 'expected an address like "http://localhost:9090", with a port from 1 to 65535'
ERRORS = [
    # the settings themselves
    ("prometheus:\n  max_samples: lots", 'lens.yml:2: prometheus.max_samples: expected a whole number, got "lots"'),
    (
        "events_retention: 30",
        'lens.yml:1: events_retention: expected a duration with its unit, like "30s" or "30d", got 30',
    ),
    ("investigate:\n  settle: .inf", "lens.yml:2: investigate.settle: expected a duration that ends, got Infinity"),
    ("prometheus:\n  max_range: 0s", 'lens.yml:2: prometheus.max_range: expected more than 0, got "0s"'),
    (
        "prometheus:\n  timeout: soon",
        'lens.yml:2: prometheus.timeout: expected a duration like "30s", "5m" or "1h30m", got "soon"',
    ),
    ("alertmanager:\n  urls: http://a:9093", 'lens.yml:2: alertmanager.urls: expected a list, got "http://a:9093"'),
    (
        "alertmanager: {urls: [localhost]}",
        'lens.yml:1: alertmanager.urls[0]: expected an address like "http://localhost:9090", got "localhost"',
    ),
    *(
        (f'prometheus: {{url: "http://{place}/prom"}}', f'lens.yml:1: prometheus.url: {PORT}, got "http://{place}/prom"')
        for place in ("h:99999", "h:0", "h:", "h:abc", "h:1:2", ":9090", "[]:9090")
    ),
    *(
        (
            f'watchers:\n- {{name: a, schedule: "* * * * *", metrics: {{b: {{query: up, {key}: {given}}}}}}}',
            f"lens.yml:2: watchers[0].metrics.b.{key}: expected a finite number, got {named}",
        )
        for key, given, named in (("min_change", ".inf", "Infinity"), ("full", ".nan", "NaN"), ("ceiling", "-.inf", "-Infinity"))
    ),
    ("lenses: {host: maybe}", 'lens.yml:1: lenses.host: expected true or false, got "maybe"'),
    ("web: [a]", "lens.yml:1: web: expected a mapping of settings, got a list"),
    ("origin: ''", 'lens.yml:1: origin: expected text that matches ^[a-zA-Z0-9_.-]+$, got ""'),
    (
        "web: {listen_address: '10077'}",
        'lens.yml:1: web.listen_address: expected an address to listen on like "127.0.0.1:10077" or ":10077", got "10077"',
    ),
    ("promethus: {}", 'lens.yml:1: promethus: unknown key; did you mean "prometheus"?'),
    ("cooldown: {zzz: 1}", "lens.yml:1: cooldown.zzz: unknown key; known: default, maximum, minimum"),
    ("grafana:\n\n  timeout: 5s", "lens.yml:1: grafana.url: required"),
    ("cooldown: {minimum: 10m}", "lens.yml:1: cooldown.default: expected minimum <= default <= maximum"),
    ("[1]", "lens.yml:1: expected a mapping of settings"),
    # clients
    (
        "llm: {primary: claude}",
        'lens.yml:1: llm.primary: there is no client "claude"; known: offline',
    ),
    (
        "llm:\n  clients:\n    - {name: a, provider: openai, options: {api_key_env: KEY}}",
        "lens.yml:3: llm.clients[0].options.model: required for openai",
    ),
    (
        "llm: {clients: [{name: a, provider: anthropic}]}",
        "lens.yml:1: llm.clients[0].options: anthropic needs api_key_file or api_key_env (or a base_url that asks for no key)",
    ),
    (
        "llm: {clients: [{name: a, provider: grok}]}",
        'lens.yml:1: llm.clients[0].provider: expected one of anthropic, openai, offline, got "grok"',
    ),
    (
        "llm: {clients: [{name: a, provider: offline}, {name: a, provider: offline}]}",
        'lens.yml:1: llm.clients[1].name: the name "a" is used by clients[0] too',
    ),
    # watchers
    (
        'watchers:\n  - host: "*/1 * * * *"\n  - beam: {schedule: "*/5 * * * *", nodes: rabbit}',
        'lens.yml:3: watchers[1].beam.nodes: expected a list of node names like "rabbit@host", got "rabbit"',
    ),
    (
        'watchers:\n  - beam: {schedule: "*/5 * * * *", nodes: [a], nods: [b]}',
        'lens.yml:2: watchers[0].beam.nods: unknown key; did you mean "nodes"?',
    ),
    (
        'watchers:\n  - beam: {scedule: "*/5 * * * *", nodes: [a]}',
        'lens.yml:2: watchers[0].beam.scedule: unknown key; did you mean "schedule"?\nlens.yml:2: watchers[0].beam.schedule: required',
    ),
    (
        "watchers:\n  - beam: '*/5 * * * *'",
        "lens.yml:2: watchers[0].beam: needs settings, not a schedule alone: nodes: required",
    ),
    (
        "watchers:\n  - hst: '* * * * *'",
        'lens.yml:2: watchers[0].hst: there is no lens "hst" in this version; did you mean "host"?',
    ),
    (
        "watchers:\n  - {name: x, lens: cobol, schedule: '* * * * *'}",
        'lens.yml:2: watchers[0].lens: there is no lens "cobol" in this version; known: beam, host, promql, python',
    ),
    (
        "watchers:\n  - host: every minute",
        'lens.yml:2: watchers[0].host: expected five cron fields (UTC) like "*/5 * * * *", or six with the seconds last, got "every minute"',
    ),
    (
        "watchers:\n  - host:\n      schedule: '61 * * * *'",
        'lens.yml:3: watchers[0].host.schedule: expected five cron fields (UTC), or six with the seconds last: "61" is no minute: 0 to 59, or a list, range or step of them, got "61 * * * *"',
    ),
    (
        "watchers: [{host: '0 0 30 2 *'}]",
        'lens.yml:1: watchers[0].host: expected a schedule for a day that comes, got "0 0 30 2 *"',
    ),
    (
        "watchers:\n  - host: '* * * * *'\n  - host: '*/2 * * * *'",
        'lens.yml:3: watchers[1].host: the name "host" is used by watchers[0] too; give one a name of its own',
    ),
    (
        "datasources: {eu: {}}\nwatchers:\n  - host: {schedule: '* * * * *', datasource: us}",
        'lens.yml:3: watchers[0].host.datasource: there is no data source "us"; known: eu',
    ),
    ("watchers: [{lens: promql, name: x, schedule: '* * * * *'}]", "lens.yml:1: watchers[0].metrics: required for the lens promql"),
    ("watchers:\n  - 17", "lens.yml:2: watchers[0]: expected a mapping of settings, got 17"),
    (
        "watchers: [{host: {schedule: '* * * * *', window: 60s}}]",
        "lens.yml:1: watchers[0].host.window: expected room for min_observations readings, one every step",
    ),
    # YAML
    ("origin: a\norigin: b", "lens.yml:2: origin: the key is used twice, first in line 1"),
    (
        "web: {\norigin: a",
        "lens.yml:2: column 10: not YAML: while parsing a flow mapping expected ',' or '}', but got '<stream end>'",
    ),
    (
        "origin: !!python/object:os.system x",
        "lens.yml:1: column 9: not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'",
    ),
    ("web: &a [*a]", "lens.yml:1: column 6: not YAML: an alias that contains itself"),
    ("origin: 2026-02-30", "lens.yml:1: column 9: not YAML: looks like a date or a number and is none; put it in quotes"),
    ("datasources:\n  on: {}", "lens.yml:2: datasources: expected a key of text, got on; put it in quotes"),
    ('snapshots_path: ""', 'lens.yml:1: snapshots_path: expected a path, got ""'),
]


@pytest.mark.parametrize(("text", "line"), ERRORS, ids=[line.split(": ", 1)[1] for _, line in ERRORS])
def test_an_error_names_file_line_key_and_what_is_expected(text, line):
    """Each mistake gives its one line, word for word."""
    assert problems(text) == line.split("\n")


def test_every_error_is_told_at_once_in_order_of_lines():
    """Five mistakes take one run to find, not five."""
    text = """\
alertmanager: {timeout: soon}
prometheus: {max_series: 0}
watchers:
  - hst: "* * * * *"
  - beam: {nodes: 5}
"""
    assert [line.split(": ")[0:2] for line in problems(text)] == [
        ["lens.yml:1", "alertmanager.timeout"],
        ["lens.yml:2", "prometheus.max_series"],
        ["lens.yml:4", "watchers[0].hst"],
        ["lens.yml:5", "watchers[1].beam.nodes"],
        ["lens.yml:5", "watchers[1].beam.schedule"],
    ]


def test_anchors_and_merge_keys_work():
    """A mapping may take its keys from another; its own win."""
    config = read("datasources:\n  eu: &eu {url: 'http://eu:9090', tenant: a}\n  us:\n    <<: *eu\n    tenant: b\n", HERE, LENSES)
    assert (config.datasources["us"].url, config.datasources["us"].tenant) == ("http://eu:9090", "b")


def test_aliases_cannot_unfold_without_end():
    """Nine levels of ten aliases are refused, not unfolded into a billion values."""
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    assert "not YAML: more than 100000 values" in "\n".join(problems(text))


@pytest.mark.parametrize(
    "text",
    [
        "prometheus: {basic_auth: {username: me, password: hunter2}}",
        "prometheus: {headers: {X-Api-Key: [hunter2]}}",
        "prometheus: {headers: {Authorization: Bearer hunter2}}",
        "prometheus: {bearer_token: hunter2}",
        "prometheus: {url: 'http://me:hunter2@localhost'}",
        "database_url: postgresql://lens:hunter2@db/lens",
        "llm: {clients: [{name: a, provider: openai, options: {model: m, api_key: hunter2}}]}",
    ],
)
def test_a_secret_written_into_the_file_is_refused_and_not_repeated(text):
    """Whoever writes a secret into the file is told so without seeing it in a log."""
    assert "hunter2" not in "\n".join(problems(text))


def test_repr_does_not_show_header_values():
    """Headers are sent as written and may hold a key under any name."""
    config = read("prometheus: {headers: {X-Anything: hunter2}}\ndatasources: {eu: {headers: {X-B: hunter2}}}", HERE, LENSES)
    assert config.prometheus.headers == {"X-Anything": "hunter2"}
    assert "hunter2" not in repr(config)


def test_a_hostile_key_cannot_forge_a_line_of_the_report():
    """A line break inside a key or value stays inside its line."""
    assert len(problems('"a\\nlens.yml:9: fine": 1')) == 1
    assert len(problems('origin: "a\\nb\\u2028c"')) == 1


def test_changed_names_the_parts_that_differ():
    """A reload says what it changed, by top-level key."""
    old = read(SMALL_SITE, HERE, LENSES)
    new = read(SMALL_SITE.replace("http://localhost:9093", "http://other:9093").replace("step: 30s", "step: 60s"), HERE, LENSES)
    assert changed(old, new) == ["alertmanager", "watchers"]
    assert changed(old, read(SMALL_SITE, HERE, LENSES)) == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ("", []),
        ("origin: other\ninvestigate: {debounce: 1s}\nevents_retention: 1d", []),
        ("investigate: {concurrency: 3, debounce: 1s}", ["investigate.concurrency"]),
        (
            "web: {max_body_bytes: 1, rate_limits: {admin: 1}, tokens: [{name: t, token_env: T, scopes: [read]}]}",
            ["web.max_body_bytes"],
        ),
        (
            "database_url: postgresql://db/lens\ndatabase_password_file: new.password",
            ["database_url", "database_password_file"],
        ),
        ("database_password_env: NEW", ["database_password_env"]),
        ("otlp_endpoint: http://o:4318", ["otlp_endpoint"]),
    ],
)
def test_fixed_names_what_differs_and_is_read_only_at_the_start(changes, named):
    """By its path of keys; what a reload can take is not named."""
    assert list(fixed(read("{}", HERE, LENSES), read(changes or "{}", HERE, LENSES))) == named


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    """A missing file, a folder and a binary file are named errors."""
    with pytest.raises(ConfigError, match=r"missing\.yml: cannot be read: No such file or directory"):
        load(tmp_path / "missing.yml", LENSES)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, LENSES)
    (tmp_path / "binary.yml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text: byte 3"):
        load(tmp_path / "binary.yml", LENSES)


def test_external_labels_are_labels_and_none_of_ours():
    """Each mistake has its line and key; a number without quotes would be another text in another YAML."""
    assert read("external_labels: {cluster: eu-1, env: prod}", HERE, LENSES).external_labels == {"cluster": "eu-1", "env": "prod"}
    text = "external_labels:\n  severity: page\n  lens_origin: me\n  a-b: c\n  __x: y\n  shard: 1\n  empty: ''\n"
    name = 'expected the name of a label like "cluster": letters, digits and _, no digit first, no __'
    assert problems(text) == [
        "lens.yml:2: external_labels.severity: the label severity is lens-exporter's own; give it another name",
        "lens.yml:3: external_labels.lens_origin: the label lens_origin is lens-exporter's own; give it another name",
        f'lens.yml:4: external_labels.a-b: {name}, got "a-b"',
        f'lens.yml:5: external_labels.__x: {name}, got "__x"',
        "lens.yml:6: external_labels.shard: expected text, got 1",
        'lens.yml:7: external_labels.empty: expected text that is not empty, got ""',
    ]


def test_what_stands_beside_a_short_form_is_named_as_the_mistake():
    """Not as a lens, a name and a schedule that are missing; what is wrong inside is said too."""
    text = """\
watchers:
  - host: "* * * * *"
    selector: 'job="node"'
  - python: {schedule: "* * * * *"}
    step: never
"""
    beside = "the short form takes nothing beside it: write"
    other = "and every other watcher as an item of its own"
    assert problems(text) == [
        f"lens.yml:2: watchers[0].host: {beside} host: {{schedule: ..., selector: ...}}, {other}",
        f"lens.yml:4: watchers[1].python: {beside} python: {{schedule: ..., step: ...}}, {other}",
        'lens.yml:4: watchers[1].python.step: expected a duration like "30s", "5m" or "1h30m", got "never"',
    ]


def test_a_query_of_the_watcher_itself_is_shown_its_place():
    """Not as a lens that is missing, and a list of all keys there are; in the short form neither."""
    text = """\
watchers:
  - name: checkout
    schedule: "* * * * *"
    query: up
    direction: down
  - promql: {schedule: "* * * * *", query: up}
"""
    told = "unknown key; it belongs to a metric, which has a name: metrics: {NAME: {%s: ...}}"
    assert problems(text) == [
        "lens.yml:2: watchers[0].metrics: required for the lens promql",
        f"lens.yml:4: watchers[0].query: {told % 'query'}",
        f"lens.yml:5: watchers[0].direction: {told % 'direction'}",
        "lens.yml:6: watchers[1].promql.metrics: required for the lens promql",
        f"lens.yml:6: watchers[1].promql.query: {told % 'query'}",
    ]


def test_what_does_not_fit_together_is_said_beside_what_is_wrong_by_itself():
    """A file is mended in one go: neither an unknown key nor another section's fault hides it."""
    text = """\
origin: "no good"
otlp_metrics_interval: 15s
watchers:
  - host:
      schedule: "* * * * *"
      reading: {client: nobody}
  - lens: python
    schedule: "* * * * *"
    window: 1m
    wndow: 2d
"""
    assert problems(text) == [
        'lens.yml:1: origin: expected text that matches ^[a-zA-Z0-9_.-]+$, got "no good"',
        "lens.yml:2: otlp_metrics_interval: nothing says where to: set otlp_endpoint too",
        'lens.yml:6: watchers[0].host.reading.client: "nobody" is no language model; there are none under llm.clients',
        "lens.yml:9: watchers[1].window: expected room for min_observations readings, one every step",
        'lens.yml:10: watchers[1].wndow: unknown key; did you mean "window"?',
    ]


def test_labels_that_name_groups_and_targets_are_label_names():
    """A misspelt one would put all series into one group, and nobody would notice."""
    start = 'watchers:\n  - host:\n      schedule: "* * * * *"\n'
    text = start + '      group_labels: ["in-stance", ""]\n      target_labels:\n        - instance\n        - 0day\n'
    assert problems(text) == [
        'lens.yml:4: watchers[0].host.group_labels[0]: expected the name of a label like "instance", got "in-stance"',
        'lens.yml:4: watchers[0].host.group_labels[1]: expected the name of a label like "instance", got ""',
        'lens.yml:7: watchers[0].host.target_labels[1]: expected the name of a label like "instance", got "0day"',
    ]
    (host,) = read(start + "      group_labels: [service.name, instance]\n", HERE, LENSES).watchers
    assert host.group_labels == ("service.name", "instance")


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        ("ceiling: 30, full: 20", "expected at most full (20): it could never be reached"),
        ("ceiling: 30, full: 20, direction: up", "expected at most full (20): it could never be reached"),
        ("ceiling: -1, full: 0, direction: down", "expected at least full (0): it could never be reached"),
        ("ceiling: 20, full: 20", None),
        ("ceiling: 5, full: 0, direction: down", None),
        ("ceiling: 5, unit: furlongs", None),  # any unit stands behind the number
    ],
)
def test_a_ceiling_beyond_the_hard_limit_is_never_reached(metric, problem):
    """On the side that the metric departs to."""
    text = f'watchers:\n  - name: pool\n    schedule: "* * * * *"\n    metrics:\n      used: {{query: used, {metric}}}\n'
    if problem is None:
        assert read(text, HERE, LENSES).watchers[0].metrics["used"].query == "used"
    else:
        assert problems(text) == [f"lens.yml:5: watchers[0].metrics.used.ceiling: {problem}"]
