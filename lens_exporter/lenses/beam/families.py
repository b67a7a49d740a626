"""Every metric the BEAM lens publishes; docs/metrics.md is generated from here."""

from lens_exporter.foundation.catalogue import Kind, MetricSpec
from lens_exporter.lenses.emission import usage_specs

_NODE = ("node",)
_KIND = ("kind", "node")
_KINDS = "normal, dirty_cpu, dirty_io"

FAMILIES: tuple[MetricSpec, ...] = (
    MetricSpec("lens_beam_info", Kind.GAUGE, "Constant 1: the node's OTP release.", ("node", "otp_release")),
    *usage_specs("lens_beam_memory", "Memory the node has allocated, against the limit that is known for it", _NODE, "_bytes"),
    MetricSpec(
        "lens_beam_memory_limit_info",
        Kind.GAUGE,
        "Constant 1: where the memory limit comes from (configured, rabbitmq, cgroup, rlimit, host).",
        ("node", "source"),
    ),
    MetricSpec(
        "lens_beam_memory_bytes",
        Kind.GAUGE,
        "Memory by kind: processes and system make up the total; atom, binary, code and ets are parts of system.",
        _KIND,
    ),
    *usage_specs("lens_beam_process", "Processes, against the node's limit (+P)", _NODE),
    *usage_specs("lens_beam_port", "Ports: sockets, files, programs; against the node's limit (+Q)", _NODE),
    *usage_specs("lens_beam_atom", "Atoms, which are never freed, against the node's limit (+t)", _NODE),
    *usage_specs("lens_beam_ets", "ETS tables, against the node's limit (+e), beyond which memory alone limits them", _NODE),
    MetricSpec("lens_beam_run_queue_length", Kind.GAUGE, f"Processes and ports ready to run, by scheduler kind: {_KINDS}.", _KIND),
    MetricSpec("lens_beam_schedulers_online", Kind.GAUGE, f"Schedulers online, by kind: {_KINDS}.", _KIND),
    MetricSpec(
        "lens_beam_scheduler_utilization_ratio",
        Kind.GAUGE,
        "Share of the last 60 s in which schedulers worked, by kind; absent at first, and while the node does not time them.",
        _KIND,
    ),
    MetricSpec("lens_beam_reductions_total", Kind.COUNTER, "Reductions: the node's own measure of work done.", _NODE),
    MetricSpec("lens_beam_gc_collections_total", Kind.COUNTER, "Garbage collections, of all processes.", _NODE),
    MetricSpec("lens_beam_gc_reclaimed_bytes_total", Kind.COUNTER, "Memory given back by garbage collections.", _NODE),
    MetricSpec("lens_beam_message_queue_longest", Kind.GAUGE, "Messages in the longest mailbox of a process.", _NODE),
    MetricSpec("lens_beam_messages_queued", Kind.GAUGE, "Messages that wait in the mailboxes of all processes.", _NODE),
    MetricSpec("lens_beam_uptime_seconds", Kind.GAUGE, "How long the node runs.", _NODE),
    MetricSpec("lens_beam_part_up", Kind.GAUGE, "Whether this part of the node could be read.", ("node", "part")),
)

# What the lens `beam` publishes about all nodes together.
DISCOVERY: tuple[MetricSpec, ...] = (
    MetricSpec("lens_beam_nodes", Kind.GAUGE, "Nodes known, by the setting that names them.", ("source",)),
    MetricSpec("lens_beam_source_up", Kind.GAUGE, "Whether this setting could name its nodes.", ("source",)),
)
