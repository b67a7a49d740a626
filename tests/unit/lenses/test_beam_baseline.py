"""What a watcher of BEAM nodes tracks, from this lens or from the nodes' own exporters."""

import pytest

from lens_exporter.baseline.naming import narrowed, target_name
from lens_exporter.baseline.roster import group_of
from lens_exporter.config.settings import Watcher
from lens_exporter.lenses.beam.baseline import tracked
from lens_exporter.lenses.beam.exporters import exporters, quantity, share
from lens_exporter.lenses.beam.families import FAMILIES
from lens_exporter.lenses.catalog import kind
from lens_exporter.lenses.catalog import tracked as tracked_by
from lens_exporter.model.metric import Direction

SIX = ["memory_utilization", "process_utilization", "port_utilization", "atom_utilization", "run_queue", "schedulers_online"]
COOKIE = {"cookie_env": "COOKIE"}
PUBLISHED = {spec.name for spec in FAMILIES}


def queries(**options) -> dict[str, str]:
    return {metric.name: metric.query for metric in tracked(options)}


def test_the_six_of_every_beam_watcher_come_first():
    """Memory, process, port, atom utilization, run queue and schedulers online, with their ceiling and their limit."""
    found = kind("beam").baseline_metrics
    assert [metric.name for metric in found[:6]] == SIX
    for metric in found[:4]:
        assert (metric.unit, metric.direction, metric.ceiling, metric.full) == ("ratio", Direction.UP, 0.9, 1.0)
    assert found[5].direction is Direction.DOWN
    assert len({metric.name for metric in found}) == len(found)
    for metric in found:
        assert metric.words
        assert metric.min_change > 0


def test_named_nodes_are_told_by_the_lens_alone():
    """A watcher that names nodes reads what the lens publishes of just these, so that none is watched twice."""
    found = queries(nodes=["rabbit@mq1", "shop@10.0.0.1"], epmd=["mq2.x"], dns=["a@a-{n}.b", "s@shop"], **COOKIE)
    assert found["process_utilization"] == (
        'lens_beam_process_utilization_ratio{node=~"rabbit@mq1|shop@10[.]0[.]0[.]1|.+@mq2[.]x|a@a-[0-9]+[.]b|s@.+",$selector}'
    )
    for query in found.values():
        assert query.count("$selector") == 1
        assert any(family in query for family in PUBLISHED)


def test_without_names_whoever_tells_is_read():
    """A watcher without nodes reads every exporter that exists, and this lens; one told so reads exporters only."""
    found = queries()
    assert found["process_utilization"].split("\nor ") == [
        "lens_beam_process_utilization_ratio{$selector}",
        "erlang_vm_process_count{$selector} / erlang_vm_process_limit{$selector}",
        "erlang_vm_processes{$selector} / erlang_vm_process_limit{$selector}",
        (
            'max without () ({__name__=~".+_prom_ex_beam_stats_process_count",$selector}) / '
            'max without () ({__name__=~".+_prom_ex_beam_system_process_limit_info",$selector})'
        ),
    ]
    exporter = queries(source="exporter")
    assert not any("lens_beam" in query for query in exporter.values())
    assert found.keys() - exporter.keys() == {"message_queue_longest"}  # no exporter looks into mailboxes
    assert all("\nor " not in query for query in queries(source="lens").values())


def test_memory_of_exporters_against_a_configured_limit():
    """Exporters tell no limit of memory but RabbitMQ's; a configured one takes its place."""
    assert "rabbitmq_resident_memory_limit_bytes" in queries()["memory_utilization"]
    configured = queries(source="exporter", memory_limit="2GiB")["memory_utilization"]
    assert "rabbitmq" not in configured
    assert all(one.endswith(" / 2147483648") for one in configured.split("\nor "))


def test_each_exporter_tells_the_six():
    """Each generation in the table has a name for all that the six need, but for memory's limit where there is none."""
    for exporter in exporters():
        needed = {f"{what}_{part}" for what in ("process", "port", "atom") for part in ("used", "limit")}
        assert exporter.aliases.keys() >= {"memory", "run_queue", "schedulers_online", "reductions", *needed}
    assert quantity("no_such_quantity") == []
    assert share("process_used", "no_such_quantity") == []


def test_a_watcher_tracks_what_its_options_say():
    """The options of a watcher reach its queries; metrics of its own take the place of all of them."""
    watcher = Watcher(name="beam", lens="beam", schedule="*/5 * * * *", options={"nodes": ["rabbit@mq1"], **COOKIE})
    assert 'node=~"rabbit@mq1"' in tracked_by(watcher)[0].query
    own = watcher.model_validate({**watcher.model_dump(), "metrics": {"up": {"query": "up"}}})
    assert [metric.query for metric in tracked_by(own)] == ["up"]


@pytest.mark.parametrize("selector", ["", 'job="mq"'])
def test_a_query_of_several_exporters_is_narrowed(selector):
    """An alert's query shows its one node whichever of the exporters has told: matchers go to all of them."""
    metric = tracked()[1].selecting(selector)
    found = narrowed(metric.query, {"instance": "mq1:15692"}, metric.template)
    assert found.count('instance="mq1:15692"}') == 7
    assert found.count(f'{{{selector},instance="mq1:15692"}}') == (5 if selector else 0)
    assert "$selector" not in metric.query + found


def test_a_node_names_and_groups_its_series():
    """Nodes that one lens-exporter publishes share its instance: the node is what a series is about."""
    published = {"instance": "lens-1:10077", "job": "lens", "node": "rabbit@mq1"}
    assert target_name(published) == "rabbit@mq1"
    assert group_of(published) == (("node", "rabbit@mq1"), ("job", "lens"))
    machine = {"instance": "api-7:9100", "job": "node", "node": "worker-3"}
    assert target_name(machine) == "api-7"
    assert group_of(machine) == (("instance", "api-7:9100"), ("job", "node"))
