"""Python values as Erlang's external terms (External Term Format, version 131, in the ERTS user's guide)."""

import struct
from collections.abc import Callable
from typing import Any

from lens_exporter.lenses.beam.terms import (
    Atom,
    BitBinary,
    Export,
    Fun,
    ImproperList,
    MapPairs,
    Pid,
    Port,
    Reference,
    Term,
)

VERSION = b"\x83"


def encode(term: Term) -> bytes:
    """Write a term with its version in front.

    Raises:
        TypeError: the value stands for no term. Neither str nor bool does: an atom must be said to be one.

    """
    return VERSION + bare(term)


def bare(term: Any) -> bytes:
    """Write a term without the version, as a part of another one."""
    writer = _WRITERS.get(type(term))
    if writer is None:
        raise TypeError(f"{type(term).__name__} stands for no term")
    return writer(term)


def _atom(atom: Atom) -> bytes:
    name = atom.encode()
    return b"w%c%b" % (len(name), name) if len(name) < 256 else b"v" + struct.pack(">H", len(name)) + name


def _integer(value: int) -> bytes:
    if 0 <= value < 256:
        return b"a%c" % value
    if -(1 << 31) <= value < 1 << 31:
        return b"b" + value.to_bytes(4, "big", signed=True)
    size = (abs(value).bit_length() + 7) // 8
    head = b"n%c%c" % (size, value < 0) if size < 256 else struct.pack(">cIB", b"o", size, value < 0)
    return head + abs(value).to_bytes(size, "little")


def _float(value: float) -> bytes:
    return b"F" + struct.pack(">d", value)


def _binary(value: bytes) -> bytes:
    return b"m" + struct.pack(">I", len(value)) + value


def _bits(value: BitBinary) -> bytes:
    return struct.pack(">cIB", b"M", len(value.data), value.bits) + value.data


def _list(items: list[Any]) -> bytes:
    if not items:
        return b"j"
    return b"l" + struct.pack(">I", len(items)) + _all(items) + b"j"


def _all(items: list[Any]) -> bytes:
    """Write the parts of a list. Pages are written here: thousands of pids, and one list of items as often as there are pids."""
    first = items[0]
    if all(each is first for each in items):
        return bare(first) * len(items)
    if type(first) is Pid and all(type(each) is Pid and each.node == first.node for each in items):
        head, pack = b"X" + _atom(first.node), struct.Struct(">III").pack
        return b"".join([head + pack(each.id, each.serial, each.creation) for each in items])
    return b"".join(map(bare, items))


def _improper(value: ImproperList) -> bytes:
    return b"l" + struct.pack(">I", len(value.items)) + b"".join(map(bare, value.items)) + bare(value.tail)


def _tuple(items: tuple[Any, ...]) -> bytes:
    head = b"h%c" % len(items) if len(items) < 256 else b"i" + struct.pack(">I", len(items))
    return head + b"".join(map(bare, items))


def _map(pairs: dict[Any, Any]) -> bytes:
    return _pairs(MapPairs(tuple(pairs.items())))


def _pairs(value: MapPairs) -> bytes:
    return b"t" + struct.pack(">I", len(value.pairs)) + b"".join(bare(key) + bare(each) for key, each in value.pairs)


def _pid(pid: Pid) -> bytes:
    return b"X" + _atom(pid.node) + struct.pack(">III", pid.id, pid.serial, pid.creation)


def _port(port: Port) -> bytes:
    return b"x" + _atom(port.node) + struct.pack(">QI", port.id, port.creation)


def _reference(reference: Reference) -> bytes:
    words = reference.words
    return (
        b"Z" + struct.pack(">H", len(words)) + _atom(reference.node) + struct.pack(f">I{len(words)}I", reference.creation, *words)
    )


def _export(function: Export) -> bytes:
    return b"q" + _atom(function.module) + _atom(function.function) + _integer(function.arity)


def _fun(function: Fun) -> bytes:
    return function.encoded


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    Atom: _atom,
    int: _integer,
    float: _float,
    bytes: _binary,
    BitBinary: _bits,
    list: _list,
    ImproperList: _improper,
    tuple: _tuple,
    dict: _map,
    MapPairs: _pairs,
    Pid: _pid,
    Port: _port,
    Reference: _reference,
    Export: _export,
    Fun: _fun,
}
