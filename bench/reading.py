"""What a model's reading does to alerts: `python bench/reading.py` acts on the same looks with and without, and prints markdown.

The model is scripted (bench/readings/models.py) and served on loopback in the Anthropic wire format, through the real SDK. No real
model is asked: the figures show what the bounds do with a sensible one and with those that are hostile, broken or away, and not how
well any model reads.
`--set synthetic|asd|smd|all`, `--days` of each server's test part; data are read from `--data`, what is absent is skipped.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the model's server is imported as the tests import it

from quality.data import DEFAULT_ROOT, DataAbsent
from quality.report import provenance, table
from readings.models import SCRIPTS
from readings.replayed import Run, Told, replay, warm_up
from readings.streams import Timeline, servers, synthetic

_WITHIN = 900.0  # the default allowance, seconds
_PAGES = {"warning", "critical"}
_SEEDS = (1, 2, 3)


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(provenance(" ".join(["python bench/reading.py", *arguments]), datetime.now(UTC)))
    print("The model is scripted; no real model was asked.\n")
    warm_up()
    for name in ("synthetic", "asd", "smd") if options.set == "all" else (options.set,):
        try:
            lines = [synthetic(seed) for seed in _SEEDS] if name == "synthetic" else servers(options.data, name, options.days)
        except DataAbsent as absent:
            print(f"{absent}\n")
            continue
        replays = [(line, replay(line, SCRIPTS)) for line in lines[: options.most]]
        days = sum(float(line.times[-1] - line.begins) / 86_400 for line, _ in replays)
        print(f"### {name}: {len(replays)} timelines, {days:.0f} days\n")
        print(_effects(replays))
        print(_events(replays))
    return 0


def _effects(replays: Sequence[tuple[Timeline, list[Run]]]) -> str:
    """Count pages, what became of those that statistics alone would send, the time added, and what it cost."""
    head = (
        "reading",
        "pages",
        "as info",
        "held back for good",
        "later",
        "median",
        "longest",
        "model calls",
        "kB a call",
        "longest tick",
        "outcomes",
    )
    rows = []
    for place, first in enumerate(replays[0][1]):
        runs = [(line, runs[0], runs[place]) for line, runs in replays]
        pages = sum(len(_paged(run)) for _, _, run in runs)
        info = sum(one.severity == "info" for _, _, run in runs for one in run.told)
        added = [_added(page, run, line) for line, plain, run in runs for page in _paged(plain)]
        late = [one for one in added if one]
        calls = sum(run.calls for _, _, run in runs)
        outcomes: dict[str, int] = {}
        for _, _, run in runs:
            for name, count in run.outcomes.items():
                outcomes[name] = outcomes.get(name, 0) + count
        rows.append(
            [
                first.name,
                str(pages),
                str(info),
                str(sum(one is None for one in added)),
                str(len(late)),
                f"{median(late) / 60:.0f} min" if late else "-",
                f"{max(late) / 60:.0f} min" if late else "-",
                str(calls),
                f"{sum(run.sent for _, _, run in runs) / calls / 1000:.1f}" if calls else "-",
                f"{max(run.longest for _, _, run in runs):.1f} s",
                ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items())) or "-",
            ]
        )
    return table(head, rows)


def _events(replays: Sequence[tuple[Timeline, list[Run]]]) -> str:
    """Count, for each kind of event, those that statistics alone page for, and those of them that a reading loses."""
    kinds = sorted({event.kind for line, _ in replays for event in line.events})
    names = [run.name for run in replays[0][1]]
    rows = []
    for kind in kinds:
        events = [(line, runs, event) for line, runs in replays for event in line.events if event.kind == kind]
        paged = [[_within(event.start, event.end, event.subject, run, line) for run in runs] for line, runs, event in events]
        rows.append([kind, str(len(events)), *(str(sum(each[place] for each in paged)) for place in range(len(names)))])
    inside = [
        [sum(not _labelled(page, line) for page in _paged(runs[place])) for line, runs in replays] for place in range(len(names))
    ]
    rows.append(["pages outside of any event", "", *(str(sum(each)) for each in inside)])
    return table(("events paged for", "of", *names), rows)


def _paged(run: Run) -> list[Told]:
    return [one for one in run.told if one.severity in _PAGES]


def _added(page: Told, run: Run, line: Timeline) -> float | None:
    """Give the seconds by which a page came later than without a reading; None where it never came."""
    latest = page.at + _WITHIN + line.step
    times = [one.at for one in _paged(run) if one.subject == page.subject and page.at <= one.at <= latest]
    return min(times) - page.at if times else None


def _within(start: float, end: float, subject: str, run: Run, line: Timeline) -> bool:
    return any(one.subject == subject and start <= one.at <= end + _WITHIN + line.step for one in _paged(run))


def _labelled(page: Told, line: Timeline) -> bool:
    return any(event.subject == page.subject and event.start <= page.at <= event.end + _WITHIN + line.step for event in line.events)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("synthetic", "asd", "smd", "all"), default="all")
    parser.add_argument("--days", type=float, default=15.0)
    parser.add_argument("--most", type=int, default=10, help="timelines of each set")
    parser.add_argument("--data", type=Path, default=DEFAULT_ROOT)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
