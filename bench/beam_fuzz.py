"""Throws bytes at the term decoder and at the framing: they may be refused, by name, and nothing else.

`python bench/beam_fuzz.py 1000000 [seed]` prints what became of them, the slowest one and the memory at the end.
"""

import random
import resource
import sys
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from lens_exporter.errors import BadTerm
from lens_exporter.lenses.beam.decode import Bounds, decode
from lens_exporter.lenses.beam.encode import encode
from lens_exporter.lenses.beam.frames import Frames
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.stream import Wrong
from lens_exporter.lenses.beam.terms import Atom, BitBinary, Export, ImproperList, Pid, Port, Reference, text

BOUNDS = Bounds(depth=64, parts=100_000, inflated=1024 * 1024)
_TAGS = bytes([70, 77, 80, 88, 89, 90, 97, 98, 99, 100, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116])
_TAGS += bytes([118, 119, 120, 131])
_NODE = Atom("rabbit@mq1")


@dataclass
class Outcome:
    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0  # seconds
    slowest_input: bytes = b""


def fuzz(count: int, seed: int) -> Outcome:
    """Decode `count` inputs. Anything but a term or BadTerm comes out as it is; a term must survive being written again."""
    choice = random.Random(seed)
    outcome = Outcome()
    for _ in range(count):
        data = _input(choice)
        begun = time.perf_counter()
        try:
            term = decode(data, bounds=BOUNDS)
        except BadTerm as bad:
            outcome.refused["".join(each for each in bad.reason if not each.isdigit())[:50]] += 1
        else:
            outcome.read += 1
            again = encode(term)
            if encode(decode(again)) != again:
                raise AssertionError(data)
            show(term)
            text(term)
        took = time.perf_counter() - begun
        if took > outcome.slowest:
            outcome.slowest, outcome.slowest_input = took, data
    return outcome


def fuzz_frames(count: int, seed: int) -> Counter[str]:
    """Feed `count` streams, cut into pieces at random, to the framing."""
    choice = random.Random(seed)
    outcome: Counter[str] = Counter()
    for _ in range(count):
        frames = Frames(lambda _key: None, 30, tick=lambda: outcome.update(["tick"]))
        stream = b"".join(_frame(choice) for _ in range(choice.randrange(1, 5)))
        try:
            while stream:
                cut = choice.randrange(1, len(stream) + 1)
                frames.feed(stream[:cut])
                stream = stream[cut:]
            outcome["taken"] += 1
        except Wrong:
            outcome["wrong"] += 1
    return outcome


def _frame(choice: random.Random) -> bytes:
    body = b"p" + _input(choice) + _input(choice) if choice.random() < 0.7 else choice.randbytes(choice.randrange(20))
    size = len(body) if choice.random() < 0.8 else choice.getrandbits(32)
    return size.to_bytes(4, "big") + body


def _input(choice: random.Random) -> bytes:
    kind = choice.randrange(5)
    if kind == 0:
        return b"\x83" + choice.randbytes(choice.randrange(64))
    if kind == 1:
        return b"\x83" + bytes(
            choice.choice(_TAGS) if choice.random() < 0.5 else choice.randrange(4) for _ in range(choice.randrange(80))
        )
    data = encode(_term(choice, 4))
    if kind == 2:
        return _compressed(choice, data)
    if choice.random() < 0.3:
        return data
    return _mutated(choice, data) if kind == 3 else _mutated(choice, _mutated(choice, data))


def _compressed(choice: random.Random, data: bytes) -> bytes:
    size = len(data) - 1 if choice.random() < 0.7 else choice.getrandbits(24)
    packed = b"\x83P" + size.to_bytes(4, "big") + zlib.compress(data[1:])
    return packed if choice.random() < 0.5 else _mutated(choice, packed)


def _mutated(choice: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    at = choice.randrange(len(data))
    match choice.randrange(5):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([choice.randrange(256)]) + data[at + 1 :]
        case 2:
            return data[:at] + choice.randbytes(choice.randrange(1, 5)) + data[at:]
        case 3:
            return data[:at] + data[at + choice.randrange(1, 5) :]
        case _:
            other = choice.randrange(len(data))
            return data[:at] + data[other : other + choice.randrange(1, 30)] + data[at:]


def _term(choice: random.Random, depth: int) -> Any:
    creation = choice.getrandbits(32)
    leaves = (
        lambda: Atom("é" * choice.randrange(3) + "reductions"),
        lambda: choice.getrandbits(choice.choice([1, 8, 31, 64, 3000])) * choice.choice([1, -1]),
        lambda: choice.uniform(-1e300, 1e300),
        lambda: choice.randbytes(choice.randrange(20)),
        lambda: BitBinary(choice.randbytes(3), choice.randrange(1, 8)),
        lambda: Pid(_NODE, choice.getrandbits(28), choice.getrandbits(10), creation),
        lambda: Port(_NODE, choice.getrandbits(60), creation),
        lambda: Reference(_NODE, creation, tuple(choice.getrandbits(32) for _ in range(choice.randrange(1, 6)))),
        lambda: Export(Atom("ets"), Atom("info"), choice.randrange(256)),
        lambda: [Pid(_NODE, i, 0, creation) for i in range(choice.randrange(6))],
        lambda: [(Atom("reductions"), choice.getrandbits(40)) for _ in range(choice.randrange(6))],
    )
    if depth == 0 or choice.random() < 0.4:
        return choice.choice(leaves)()
    parts = [_term(choice, depth - 1) for _ in range(choice.randrange(5))]
    match choice.randrange(4):
        case 0:
            return parts
        case 1:
            return tuple(parts)
        case 2:
            return {Atom(f"k{at}"): each for at, each in enumerate(parts)}
        case _:
            return ImproperList(tuple(parts), 1) if parts else parts


if __name__ == "__main__":
    wanted, begin = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    started = time.perf_counter()
    found = fuzz(wanted, begin)
    print(
        f"{wanted} inputs, seed {begin}, {time.perf_counter() - started:.0f} s: {found.read} read, {found.refused.total()} refused"
    )
    for reason, times in found.refused.most_common():
        print(f"  {times:>8} {reason}")
    print(f"slowest {found.slowest * 1000:.1f} ms ({len(found.slowest_input)} bytes)")
    print("frames:", dict(fuzz_frames(wanted // 10, begin)))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")
