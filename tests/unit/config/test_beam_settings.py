"""Naming Erlang nodes in the configuration."""

from pathlib import Path

import pytest

from lens_exporter.config.beam import Beam, MetricsSource
from lens_exporter.config.file import read
from lens_exporter.config.secrets import secret_sources
from lens_exporter.errors import ConfigInvalid
from lens_exporter.lenses.catalog import lens_options, nodes

HERE = Path("/etc/lens/lens.yml")
SITE = """\
prometheus: {url: http://localhost:9090}
alertmanager: {urls: [http://localhost:9093]}
watchers:
  - host: "*/1 * * * *"
  - beam: {schedule: "*/5 * * * *", nodes: [rabbit@mq1], cookie_file: /etc/lens/cookie}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        read(text, Path("lens.yml"), lens_options())
    return str(caught.value).splitlines()


def test_nodes_of_a_watcher_are_published():
    """The nodes a watcher names are read from its options, with the path of their cookie, and stand beside those to publish."""
    config = read(SITE + "lenses: {beam: [{nodes: [shop@app1, shop@app2], cookie_env: SHOP}]}\n", HERE, lens_options())
    shop, rabbit = nodes(config)
    assert (shop.nodes, shop.cookie_env) == (("shop@app1", "shop@app2"), "SHOP")
    assert (rabbit.nodes, rabbit.cookie_file) == (("rabbit@mq1",), Path("/etc/lens/cookie"))
    assert (config.watchers[1].lens, config.watchers[1].name) == ("beam", "beam")


def test_a_watcher_of_what_exporters_publish():
    """A watcher that names no nodes connects to none, and needs no cookie."""
    config = read('watchers:\n  - beam: "*/5 * * * *"\n  - {name: mq, lens: beam, schedule: "* * * * *"}', HERE, lens_options())
    assert nodes(config) == ()


def test_all_settings_of_nodes():
    """Paths start at the file, sizes have units, and the source is one of three."""
    config = read(
        'watchers: [{beam: {schedule: "* * * * *", epmd: [mq1], dns: ["r@r-{n}.r"], cookie_file: cookie, memory_limit: 2GiB, '
        "mailboxes: 0, epmd_port: 4370, source: any, tls: {cert_file: a.pem, key_file: b.pem}}}]",
        HERE,
        lens_options(),
    )
    (found,) = nodes(config)
    assert found.cookie_file == Path("/etc/lens/cookie")
    assert (found.memory_limit, found.mailboxes, found.epmd_port, found.source) == (2 * 1024**3, 0, 4370, MetricsSource.ANY)
    assert found.tls.cert_file == Path("/etc/lens/a.pem")


def test_cookies_are_among_the_secrets_that_are_tried():
    """check-config tries the cookies of watchers and of nodes to publish, wherever they come from; certificates are no secrets."""
    config = read(
        SITE.replace("cookie_file: /etc/lens/cookie", "cookie_env: COOKIE, tls: {ca_file: ca.pem}")
        + "lenses: {beam: [{nodes: [a@b], cookie_file: cookie}]}\n",
        HERE,
        lens_options(),
    )
    assert {(source.key, source.file, source.env) for source in secret_sources(config)} == {
        ("lenses.beam[0].cookie_file", Path("/etc/lens/cookie"), None),
        ("watchers[1].options.cookie_env", None, "COOKIE"),
    }


ERRORS = [
    (
        SITE.replace("[rabbit@mq1]", "rabbit"),
        'lens.yml:5: watchers[1].beam.nodes: expected a list of node names like "rabbit@host", got "rabbit"',
    ),
    (
        SITE.replace("[rabbit@mq1]", "[rabbit]"),
        'lens.yml:5: watchers[1].beam.nodes[0]: expected a node name like "rabbit@host", got "rabbit"',
    ),
    (
        SITE.replace(", cookie_file: /etc/lens/cookie", ""),
        "lens.yml:5: watchers[1].beam: nodes let nobody in without their cookie: give cookie_file or cookie_env",
    ),
    (
        SITE.replace("cookie_file: /etc/lens/cookie", "cookie: secret"),
        "lens.yml:5: watchers[1].beam.cookie: unknown key; secrets are never written here; use cookie_file or cookie_env",
    ),
    (
        "lenses:\n  beam:\n    - {cookie_env: A}",
        "lens.yml:3: lenses.beam[0]: names no nodes: give nodes, epmd or dns",
    ),
    (
        "lenses:\n  beam:\n    - {nodes: [a@b], cookie_env: A, cookie_file: b}",
        "lens.yml:3: lenses.beam[0].cookie_env: cookie_file is given too; give only one of them",
    ),
    (
        "lenses:\n  beam:\n    - {dns: [rabbitmq], cookie_env: A}",
        (
            'lens.yml:3: lenses.beam[0].dns[0]: expected a name like "shop@shop-headless" or "rabbit@rabbitmq-{n}.rabbitmq", '
            'got "rabbitmq"'
        ),
    ),
    (
        "lenses:\n  beam:\n    - {epmd: [a b], cookie_env: A}",
        'lens.yml:3: lenses.beam[0].epmd[0]: expected a host like "mq1.example.org", got "a b"',
    ),
    (
        "lenses:\n  beam:\n    - {nodes: [a@b], cookie_env: A, memory_limit: lots}",
        'lens.yml:3: lenses.beam[0].memory_limit: expected an amount of memory like "512MiB" or "2GB", got "lots"',
    ),
    (
        "lenses:\n  beam:\n    - {nodes: [a@b], cookie_env: A, tls: {cert_file: a}}",
        "lens.yml:3: lenses.beam[0].tls.cert_file: cert_file and key_file come together",
    ),
    (
        'watchers:\n  - beam: {schedule: "* * * * *", source: scrape}',
        'lens.yml:2: watchers[0].beam.source: expected one of lens, exporter, any, got "scrape"',
    ),
]


@pytest.mark.parametrize(("text", "problem"), ERRORS)
def test_errors_name_file_line_and_key(text, problem):
    """Each error says where it is and what was expected, and nothing else."""
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("written", "size"),
    [("2GiB", 2 * 1024**3), ("2GB", 2e9), ("512Mi", 512 * 1024**2), ("1.5k", 1500), ("100", 100), (100, 100), ("7B", 7)],
)
def test_sizes(written, size):
    """Amounts of memory are written with or without unit, in powers of 1000 or of 1024."""
    assert Beam.model_validate({"memory_limit": written}).memory_limit == size
