"""How good detection is on public data, beside peers: `python bench/detection.py` prints tables in markdown.

`--set nab|asd|smd|petshop|young|short|other|all`, `--lens` or `--peers` for one side only. Data are read from `--data`; what is
absent is skipped.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # recordings are read as the tests read them

from quality import lens, lone, servers
from quality.alone import Told, alone, alone_differences, alone_table, told, told_table
from quality.bootstrap import Resamples
from quality.data import DEFAULT_ROOT, DataAbsent, Machine, load_asd, load_nab, load_petshop, load_smd
from quality.healthy import healthy_table, peer_alarms
from quality.other import coarser, fewer
from quality.pages import HOSTS, of_host, of_services, pages_table
from quality.peers import Kept, all_peers
from quality.report import PER_WEEK, provenance
from quality.short import pieces, short_row, short_table
from quality.young import cases, seen, young_table

_SERVERS: dict[str, tuple[str, Callable[[Path], list[Machine]], servers.ServerTargets]] = {
    "asd": ("ASD 1-6", load_asd, servers.ServerTargets(ap=0.55, ev1=0.97, ev02=0.80, hr100=0.93, delay=15)),
    "smd": ("SMD 1-6, 2-1, 2-7, 3-3", load_smd, servers.ServerTargets(ap=0.62, ev1=0.92, ev02=0.80, hr100=0.80)),
}

_YOUNG = {"asd": (1, (3.0, 6.0, 12.0, 20.0)), "smd": (8, (3.0, 12.0))}
"""Of how many events one is looked at, and after how many hours; a watcher's ticks are slow beside the engine's rows."""

_SHORT = (6.0, 12.0, 24.0, 48.0, 96.0)
"""Hours of a table."""

_COARSER = {"asd": (3, 12), "smd": (5, 15)}
"""How many rows become one."""

_FEWER = (3, 8)
"""Metrics that are left of a machine, judged as a group also where a watcher would judge each by itself."""


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(provenance(" ".join(["python bench/detection.py", *arguments]), datetime.now(UTC)))
    for name, shown in _PRINTS.items():
        if options.set not in (name, "all"):
            continue
        try:
            shown(options)
        except DataAbsent as absent:
            print(f"{absent}\n")
    return 0


def print_nab(options: argparse.Namespace) -> None:
    files, kept = load_nab(options.data), Kept()
    windows = sum(len(each.windows) for each in files)
    print(f"### NAB, the given half ({len(files)} files, {windows} windows)\n")
    ours = [lone.run_scorer(lens.NAME, lens.series_scores, files)] if options.lens else []
    peers = [lone.run_peer(peer, files, kept) for peer in all_peers()] if options.peers else []
    print(lone.score_table([*ours, *peers]))
    for run in ours:
        if peers:
            print(lone.difference_table(run, peers, Resamples(resamples=options.resamples)))
        print(lone.target_table(run))


def print_servers(name: str, options: argparse.Namespace) -> None:
    title, load, targets = _SERVERS[name]
    machines, kept = load(options.data), Kept()
    rows, metrics = sum(len(each.test) for each in machines), machines[0].test.shape[1]
    days, events = sum(each.days for each in machines), sum(len(each.events) for each in machines)
    print(f"### {title} ({metrics} metrics, {days:.0f} machine-days, {rows} rows, {events} events)\n")
    ours = [servers.run_scorer(lens.NAME, lens.machine_scores, machines)] if options.lens else []
    peers = [servers.run_peer(peer, machines, kept) for peer in all_peers()] if options.peers else []
    chance = servers.run_chance(machines)
    print(servers.quality_table([*ours, *peers, chance], machines))
    print(servers.field_table([*ours, *peers], machines))
    for run in ours:
        if peers:
            print(servers.difference_table(run, peers, machines, Resamples(resamples=options.resamples)))
        print(servers.target_table(run, machines, targets))
    print("#### Metrics by themselves\n")
    by_itself = [alone(run.name, machines, run.series) for run in (*peers, chance)]
    decisions: list[Told] = []
    for budget in PER_WEEK.values() if options.lens else ():
        said = [lens.metric_scores(machine, budget) for machine in machines]
        decisions.append(told(lens.NAME, servers.budget_words(budget), machines, [each.anomaly for each in said]))
        if len(decisions) == 1:
            by_itself.insert(0, alone(lens.NAME, machines, [each.score for each in said]))
    for peer, run in zip(all_peers(), peers, strict=False):
        alarms = [
            np.stack([peer.decide(score[None], machine.step) for score in scores])
            for machine, scores in zip(machines, run.series, strict=True)
        ]
        decisions.append(told(peer.name, peer.decision, machines, alarms))
    print(alone_table(by_itself))
    print(told_table(decisions))
    if options.lens and peers:
        print(alone_differences(by_itself[0], by_itself[1:-1], Resamples(resamples=options.resamples)))


def print_petshop(options: argparse.Namespace) -> None:
    recordings, kept = load_petshop(options.data), Kept()
    print("### Days without an issue: PetShop\n")
    alone, together = "each series by itself", "the series of a microservice together"
    ours = [(lens.NAME, alone, lens.lone_alarms), (lens.NAME, together, lens.group_alarms)] if options.lens else []
    peers = [(peer.name, peer.decision, peer_alarms(peer, kept)) for peer in all_peers()] if options.peers else []
    print(healthy_table([*ours, *peers], recordings))
    if options.lens:
        print("#### What reaches a person: alerts of watchers with default settings\n")
        print(pages_table([*map(of_services, recordings), *(of_host(name, lens_) for name, lens_ in HOSTS.items())]))


def print_young(options: argparse.Namespace) -> None:
    for name, (every, hours) in _YOUNG.items():
        title, load, _ = _SERVERS[name]
        machines = load(options.data)
        print(f"### Servers not known for a day: {title}, one of {every} events\n")
        chosen = [(machine, event, known) for known in hours for machine in machines for event in cases(machine, known)[::every]]
        print(young_table([seen(*each) for each in chosen]))


def print_short(options: argparse.Namespace) -> None:
    for title, load, _ in _SERVERS.values():
        machines = load(options.data)
        print(f"### Short tables: {title}, each cut seen from nothing\n")
        cut = [(hours, [piece for machine in machines for piece in pieces(machine, hours)]) for hours in _SHORT]
        print(short_table([short_row(hours, found, [lens.group_scores(each) for each in found]) for hours, found in cut]))


def print_other(options: argparse.Namespace) -> None:
    for name, (title, load, _) in _SERVERS.items():
        machines = load(options.data)
        others = {f"means of {rows} rows": [coarser(machine, rows) for machine in machines] for rows in _COARSER[name]}
        for metrics in _FEWER:
            others[f"{metrics} metrics"] = [fewer(machine, metrics, seed) for seed, machine in enumerate(machines)]
        for other, seen_so in others.items():
            print(f"### {title}, {other}\n")
            kept = Kept()
            ours = [servers.run_scorer(lens.NAME, lens.machine_scores, seen_so)] if options.lens else []
            peers = [servers.run_peer(peer, seen_so, kept) for peer in all_peers()] if options.peers else []
            runs = [*ours, *peers]
            print(servers.quality_table([*runs, servers.run_chance(seen_so)], seen_so))
            print(servers.field_table(runs, seen_so))


_PRINTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "nab": print_nab,
    **{name: partial(print_servers, name) for name in _SERVERS},
    "petshop": print_petshop,
    "young": print_young,
    "short": print_short,
    "other": print_other,
}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How good detection is on public data.")
    parser.add_argument("--set", choices=[*_PRINTS, "all"], default="all")
    parser.add_argument("--lens", action="store_true", help="only lens-exporter's own detector")
    parser.add_argument("--peers", action="store_true", help="only the peers")
    parser.add_argument("--data", type=Path, default=DEFAULT_ROOT, help="folder of the public data (default: %(default)s)")
    parser.add_argument("--resamples", type=int, default=2000, help="of the paired bootstrap")
    options = parser.parse_args(arguments)
    if options.lens == options.peers:
        options.lens = options.peers = True
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
