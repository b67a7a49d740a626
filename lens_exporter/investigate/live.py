"""What the answers of live tools say: the largest part of a whole, and the few sentences that matter to somebody who was woken."""

import re
from collections.abc import Iterator, Mapping

from lens_exporter.baseline import numbers as words
from lens_exporter.investigate import nodes
from lens_exporter.investigate.notebook import Notebook
from lens_exporter.investigate.part import Part
from lens_exporter.investigate.wording import when, word
from lens_exporter.model.conversation import Answered

_SAFE_PATH = re.compile(r"[\w./-]{4,100}", re.ASCII)  # what may stand in a command that somebody will paste
_MOST = 0.5


def parts(notes: Notebook) -> list[Part]:
    """List the largest part of every answer that has parts."""
    found: list[Part] = []
    for answered in notes.live:
        found += _READERS[answered.call.name](answered) if answered.call.name in _READERS else ()
    if notes.heap:
        held = notes.heap[0]
        claim = f"{word(held.location)} holds {words.number(held.value, 'bytes')} of memory"
        found.append(Part("memory", claim, "it is not given back", held.value, None, "bytes", held.receipt))
    return found


def sentences(answered: Answered, notes: Notebook) -> Iterator[str]:
    """Say what else an answer is worth, most of them nothing."""
    seen = answered.result.seen
    match answered.call.name:
        case "get_process" if "memory_bytes" in seen and "memory_limit_bytes" in seen:
            used, limit = (words.number(seen[name], "bytes") for name in ("memory_bytes", "memory_limit_bytes"))
            since = f" and runs since {when(seen['started_at'], notes)}" if "started_at" in seen else ""
            yield f"the process holds {used} of its {limit} limit{since}"
        case "get_memory_stats" if seen.get("oom_kills", 0) > 0:
            yield f"the kernel has killed {seen['oom_kills']:,.0f} processes of this host for want of memory since it booted"
        case "beam_find_atom_growth":
            yield from nodes.atoms(answered)
        case "get_disk_usage":
            places = {name.rpartition(":")[0] for name in seen}
            fullest = max(places, key=lambda place: seen.get(f"{place}:utilization", 0.0), default="")
            if f"{fullest}:utilization" in seen:
                used, limit = (words.number(seen[f"{fullest}:{name}"], "bytes") for name in ("used", "limit"))
                yield f"{word(fullest)} uses {used} of its {limit}, the fullest of this host"


def lead(notes: Notebook) -> str:
    """Give what is worth saying first where no cause is named, "" where nothing is."""
    return next((text for one in notes.live if one.call.name == "beam_find_atom_growth" for text in sentences(one, notes)), "")


def _open_files(answered: Answered) -> Iterator[Part]:
    seen = answered.result.seen
    total = seen.get("open_files", 0.0)
    pattern, count = _largest(seen, ("pattern:",))
    kinds = {name: seen.get(name, 0.0) for name in ("sockets", "pipes")}
    kind = max(kinds, key=lambda name: kinds[name])
    beginning = pattern.partition("*")[0]
    show = f"lsof -p {_pid(answered)}" + (f" | grep {beginning}" if _SAFE_PATH.fullmatch(beginning) else "")
    if kinds[kind] > count:
        pattern, count = kind, kinds[kind]
        show = f"ss -tnp | grep pid={_pid(answered)}" if kind == "sockets" else f"lsof -p {_pid(answered)}"
    if count > 1:
        claim = f"{count:,.0f} of {total:,.0f} open files are {word(pattern)}"
        step = f"{show}, then find the code that opens them"
        yield Part("open files", claim, "they are not closed", count, total, "count", answered.receipt, step)


def _sockets(answered: Answered) -> Iterator[Part]:
    seen = answered.result.seen
    total = seen.get("sockets", 0.0)
    for prefix, where in (("outgoing:", "to"), ("incoming:", "from")):
        peer, count = _largest(seen, (prefix,))
        if count > 1 and count >= _MOST * total:
            claim = f"{count:,.0f} of {total:,.0f} sockets are connections {where} {word(peer)}"
            meaning = "they are not closed" if where == "to" else "it keeps them open"
            step = f"ss -tnp | grep pid={_pid(answered)}, then find the code that opens them"
            # A socket is an open file too, so it explains either.
            for family in ("connections", "open files"):
                yield Part(family, claim, meaning, count, total, "count", answered.receipt, step)


def _stacks(answered: Answered) -> Iterator[Part]:
    seen = answered.result.seen
    place, count = _largest(seen, ("at:",))
    if count > 1:
        claim = f"{count:,.0f} of {seen.get('threads', 0.0):,.0f} threads stand at {word(place)}"
        yield Part("threads", claim, "they do not end", count, seen.get("threads"), "count", answered.receipt)


def _processes(answered: Answered) -> Iterator[Part]:
    """Name the process at the head of the list, in the column the list is ordered by."""
    data = answered.result.data if isinstance(answered.result.data, dict) else {}
    rows = data.get("processes") or [{}]
    pid = rows[0].get("pid")
    columns = {
        "memory": ("memory_bytes", "memory", "bytes"),
        "cpu": ("cpu_cores", "CPU", "cores"),
        "descriptors": ("open_files", "open files", "count"),
    }
    column, family, unit = columns.get(str(data.get("sort_by")), ("", "", ""))
    value = answered.result.seen.get(f"pid:{pid}:{column}")
    if value is None:
        return
    amount = f"{round(value, 2):g} cores" if unit == "cores" else words.number(value, "bytes" if unit == "bytes" else "")
    what = {"bytes": "of memory", "cores": "", "count": "open files"}[unit]
    name = word(str(rows[0].get("name") or "?"))
    claim = f"process {name} (pid {pid}) uses {amount} {what}".rstrip()
    yield Part(family, claim, "no other process uses more", value, None, unit, answered.receipt)


_READERS = {
    **nodes.READERS,
    "get_open_files": _open_files,
    "get_sockets": _sockets,
    "get_thread_stacks": _stacks,
    "get_top_processes": _processes,
}


def _largest(seen: Mapping[str, float], prefixes: tuple[str, ...]) -> tuple[str, float]:
    groups = {name.partition(":")[2]: count for name, count in seen.items() if name.startswith(prefixes)}
    return max(groups.items(), key=lambda item: item[1], default=("", 0.0))


def _pid(answered: Answered) -> str:
    data = answered.result.data
    return str(data["pid"]) if isinstance(data, dict) and "pid" in data else "PID"
