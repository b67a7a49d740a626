"""Erlang and Elixir nodes, as the lens reads them over Erlang's own distribution."""

from dashboards.generate.frame import Board, Panels, Variable
from dashboards.generate.parts import OWN, Query, about_target, banded, number, series

_NODE = f'{OWN},node=~"$node"'


def board() -> Board:
    """Give the dashboard."""
    return Board(
        uid="lens-beam",
        title="lens-exporter / BEAM",
        description="Erlang and Elixir nodes that lens-exporter asks itself. Those that their own exporter tells of: Overview.",
        of="lens_beam_memory_used_bytes",
        variables=(Variable("node", "Node", f"label_values(lens_beam_memory_used_bytes{{{OWN}}}, node)"),),
        rows=[("Now", _now()), ("Against their limits", _limits()), ("Work", _work())],
    )


def _now() -> Panels:
    return [
        number("Nodes", "Nodes that answer.", "short", f"count(lens_beam_uptime_seconds{{{_NODE}}})"),
        number(
            "Do not answer",
            "Nodes that could not be read at the last scrape.",
            "short",
            f'count(lens_up{{{OWN},lens=~"beam:.+"}} == 0) or vector(0)',
            bad=1,
        ),
        number(
            "Memory",
            "The fullest: allocated by limit.",
            "percentunit",
            f"max(lens_beam_memory_utilization_ratio{{{_NODE}}})",
            bad=0.9,
        ),
        number(
            "Atoms",
            "The fullest; they are never freed.",
            "percentunit",
            f"max(lens_beam_atom_utilization_ratio{{{_NODE}}})",
            bad=0.9,
        ),
        number(
            "Longest mailbox",
            "Messages that wait for one process.",
            "short",
            f"max(lens_beam_message_queue_longest{{{_NODE}}})",
            bad=10_000,
        ),
        number("Youngest", "Since the last start of one of them.", "s", f"min(lens_beam_uptime_seconds{{{_NODE}}})"),
    ]


def _limits() -> Panels:
    return [
        banded(
            "Memory",
            "Memory the node has allocated, by the limit that is known for it.",
            "percentunit",
            "memory_utilization",
            Query(f"lens_beam_memory_utilization_ratio{{{_NODE}}}", "{{node}}"),
        ),
        series(
            "Memory by kind",
            "Parts of what is allocated. Binaries are shared between processes.",
            "bytes",
            Query(f'lens_beam_memory_bytes{{{_NODE},kind=~"processes|atom|binary|code|ets"}}', "{{node}} {{kind}}"),
            stacked=True,
        ),
        series(
            "Processes, ports, atoms, tables",
            "By the node's limits (+P, +Q, +t, +e).",
            "percentunit",
            *(Query(f"lens_beam_{what}_utilization_ratio{{{_NODE}}}", f"{{{{node}}}} {words}") for what, words in _LIMITED),
        ),
        banded(
            "Processes",
            "By the node's limit.",
            "percentunit",
            "process_utilization",
            Query(f"lens_beam_process_utilization_ratio{{{_NODE}}}", "{{node}}"),
        ),
    ]


_LIMITED = (("process", "processes"), ("port", "ports"), ("atom", "atoms"), ("ets", "ETS tables"))


def _work() -> Panels:
    return [
        series(
            "Schedulers",
            "Share of the last minute in which schedulers worked, by kind.",
            "percentunit",
            Query(f"lens_beam_scheduler_utilization_ratio{{{_NODE}}}", "{{node}} {{kind}}"),
        ),
        banded(
            "Run queue",
            "Processes and ports that are ready to run and wait for a scheduler.",
            "short",
            "run_queue",
            Query(f'lens_beam_run_queue_length{{{_NODE},kind="normal"}}', "{{node}}"),
        ),
        banded(
            "Longest mailbox",
            "Messages in the longest mailbox of a process, and in all of them.",
            "short",
            "message_queue_longest",
            Query(f"lens_beam_message_queue_longest{{{_NODE}}}", "{{node}} longest"),
            Query(f"lens_beam_messages_queued{{{_NODE}}}", "{{node}} all"),
        ),
        series(
            "Work done",
            "Reductions a second, the node's own measure.",
            "ops",
            Query(f"rate(lens_beam_reductions_total{{{_NODE}}}[$__rate_interval])", "{{node}}"),
        ),
        series(
            "Garbage collection",
            "Memory given back a second.",
            "Bps",
            Query(f"rate(lens_beam_gc_reclaimed_bytes_total{{{_NODE}}}[$__rate_interval])", "{{node}}"),
        ),
        series(
            "Score",
            "How far from normal what watchers track of these nodes is; 1 is the edge of the band.",
            "short",
            Query(f"abs({about_target('lens_anomaly_score', _METRICS)})", "{{metric}} {{node}}"),
            edge=1,
        ),
    ]


_METRICS = 'node=~"$node",node!=""'
