"""Erlang's external terms as Python values, within bounds, whatever the bytes are.

Of the External Term Format (ERTS user's guide) everything a node of OTP 23 or newer sends, and the older forms of what it may send.
A term can cost more memory than it has bytes: how deep it is nested and how many parts it has is bounded before it is built.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from lens_exporter.errors import BadTerm
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

_ATOM_CHARACTERS = 255  # Erlang's own limit
_INTEGER_BYTES = 1024  # Python refuses to write much longer ones in decimal
_REFERENCE_WORDS = 5


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one term may have."""

    depth: int = 128  # levels; one frame of Python's each
    parts: int = 2_000_000
    inflated: int = 16 * 1024 * 1024  # bytes, of a term that is sent compressed


class Decoded(NamedTuple):
    term: Term
    end: int  # where the next byte is


def decode(data: bytes, *, node: str = "", bounds: Bounds = Bounds()) -> Term:
    """Read the one term that `data` is, its version in front.

    Raises:
        BadTerm: it is none, it is cut off, bytes follow it, or it is beyond the bounds.

    """
    term, end = decode_at(data, 0, node=node, bounds=bounds)
    if end != len(data):
        raise BadTerm(node=node, reason=f"{len(data) - end} bytes follow the term")
    return term


def decode_at(data: bytes, position: int, *, node: str = "", bounds: Bounds = Bounds()) -> Decoded:
    """Read the term that begins at `position`, its version in front; other bytes may follow.

    Raises:
        BadTerm: as decode.

    """
    try:
        return _versioned(data, position, bounds)
    except _Bad as bad:
        raise BadTerm(node=node, reason=str(bad)) from None
    except (IndexError, struct.error):
        raise BadTerm(node=node, reason="it is cut off") from None


def _versioned(data: bytes, position: int, bounds: Bounds) -> Decoded:
    if data[position] != 131:
        raise _Bad(f"version {data[position]} instead of 131")
    if data[position + 1] == 80:
        return _inflated(data, position + 2, bounds)
    return _read(data, position + 1, bounds)


class _Bad(Exception):
    """What is wrong with the bytes."""


def _read(data: bytes, position: int, bounds: Bounds) -> Decoded:
    reader = _Reader(data, position, bounds)
    (term,) = reader.items(1, bounds.depth)
    if reader.position > len(data):  # slices beyond the end are short, not an error
        raise _Bad("it is cut off")
    return Decoded(term, reader.position)


def _inflated(data: bytes, position: int, bounds: Bounds) -> Decoded:
    (size,) = struct.unpack_from(">I", data, position)
    if size > bounds.inflated:
        raise _Bad(f"it would inflate to {size} bytes, more than {bounds.inflated}")
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data[position + 4 :], size + 1)
    except zlib.error:
        raise _Bad("its compressed part cannot be inflated") from None
    if len(plain) != size or not stream.eof:
        raise _Bad(f"its compressed part does not inflate to the {size} bytes it says")
    term, end = _read(plain, 0, bounds)
    if end != size:
        raise _Bad(f"{size - end} bytes follow the compressed term")
    return Decoded(term, len(data) - len(stream.unused_data))


class _Reader:
    """Walks once through the bytes. Nothing outlives it: atoms are shared within one term only."""

    __slots__ = ("_left", "atoms", "data", "position")

    def __init__(self, data: bytes, position: int, bounds: Bounds) -> None:
        self.data = data
        self.position = position
        self.atoms: dict[bytes, Atom] = {}
        self._left = bounds.parts

    def items(self, count: int, depth: int) -> list[Any]:
        """Read `count` terms. What pages are made of is read here, the rest by the table: one call a term would double the time."""
        data, position, atoms = self.data, self.position, self.atoms
        if count > len(data) - position:
            raise _Bad("it is cut off")
        self.count(count)
        if depth < 0:
            raise _Bad("it is nested too deeply")
        found: list[Any] = []
        append = found.append
        for _ in range(count):
            tag = data[position]
            if tag == 119:
                end = position + 2 + data[position + 1]
                atom = atoms.get(data[position:end])
                append(self._new_atom(position, end) if atom is None else atom)
                position = end
            elif tag == 97:
                append(data[position + 1])
                position += 2
            elif tag == 98:
                append(int.from_bytes(data[position + 1 : position + 5], "big", signed=True))
                position += 5
            elif tag == 110:
                end = position + 3 + data[position + 1]
                magnitude = int.from_bytes(data[position + 3 : end], "little")
                append(-magnitude if data[position + 2] else magnitude)
                position = end
            elif tag == 104:
                if data[position + 1] == 2 and data[position + 2] == 119:
                    pair = self._named(position + 2)
                    if pair is not None:
                        append(pair)
                        position = self.position
                        continue
                self.position = position + 2
                append(tuple(self.items(data[position + 1], depth - 1)))
                position = self.position
            else:
                self.position = position + 1
                append(_read_other(self, tag, depth))
                position = self.position
        self.position = position
        return found

    def _named(self, position: int) -> tuple[Atom, int] | None:
        """Read the two parts of {name, integer}, of which most answers are made; move nothing, and give None, if they are not."""
        data = self.data
        end = position + 2 + data[position + 1]
        atom = self.atoms.get(data[position:end])
        if atom is None:
            return None
        tag = data[end]
        if tag == 97:
            value = data[end + 1]
            self.position = end + 2
        elif tag == 98:
            value = int.from_bytes(data[end + 1 : end + 5], "big", signed=True)
            self.position = end + 5
        elif tag == 110:
            last = end + 3 + data[end + 1]
            value = int.from_bytes(data[end + 3 : last], "little")
            if data[end + 2]:
                value = -value
            self.position = last
        else:
            return None
        self.count(2)
        return (atom, value)

    def count(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            raise _Bad("it has too many parts")

    def _new_atom(self, start: int, end: int) -> Atom:
        atom = _atom_of(self.data[start + 2 : end], "utf-8")
        self.atoms[self.data[start:end]] = atom
        return atom

    def atom(self) -> Atom:
        (atom,) = self.items(1, 1)
        if type(atom) is not Atom:
            raise _Bad(f"{type(atom).__name__} where an atom must be")
        return atom

    def integer(self) -> int:
        (value,) = self.items(1, 1)
        if type(value) is not int:
            raise _Bad(f"{type(value).__name__} where an integer must be")
        return value

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        found = form.unpack_from(self.data, self.position)
        self.position += form.size
        return found

    def take(self, size: int) -> bytes:
        start = self.position
        self.position = start + size
        if self.position > len(self.data):
            raise _Bad("it is cut off")
        return self.data[start : self.position]


def _read_other(reader: _Reader, tag: int, depth: int) -> Any:
    read = _READERS.get(tag)
    if read is None:
        raise _Bad(f"there is no tag {tag}")
    return read(reader, depth)


_BYTE, _SHORT, _LONG, _DOUBLE = struct.Struct(">B"), struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">d")
_PID, _OLD_PID = struct.Struct(">III"), struct.Struct(">IIB")
_PORT, _NEW_PORT, _OLD_PORT = struct.Struct(">QI"), struct.Struct(">II"), struct.Struct(">IB")
_SIZE_AND_BYTE = struct.Struct(">IB")


def _atom_of(raw: bytes, encoding: str) -> Atom:
    try:
        name = raw.decode(encoding)
    except UnicodeDecodeError:
        raise _Bad("an atom is not UTF-8 text") from None
    if len(name) > _ATOM_CHARACTERS:
        raise _Bad(f"an atom has more than {_ATOM_CHARACTERS} characters")
    return Atom(name)


def _atom_reader(size: struct.Struct, encoding: str) -> Callable[[_Reader, int], Atom]:
    return lambda reader, _depth: _atom_of(reader.take(*reader.unpack(size)), encoding)


def _list(reader: _Reader, depth: int) -> Any:
    (count,) = reader.unpack(_LONG)
    items = _pids(reader, count) or reader.items(count, depth - 1)
    if reader.data[reader.position] == 106:
        reader.position += 1
        return items
    (tail,) = reader.items(1, depth - 1)
    if type(tail) is list:
        return items + tail
    if type(tail) is ImproperList:
        return ImproperList((*items, *tail.items), tail.tail)
    return ImproperList(tuple(items), tail) if items else tail


def _pids(reader: _Reader, count: int) -> list[Any]:
    """Read a list of one node's pids in one go; give nothing, and leave everything as it is, where the list is not that."""
    data, start = reader.data, reader.position
    if count < 2 or data[start : start + 2] != b"Xw":
        return []
    head = data[start : start + 3 + data[start + 2]]
    end = start + count * (len(head) + _PID.size)
    if end > len(data) or data.count(head, start, end) < count:
        return []
    rows = list(struct.iter_unpack(f">{len(head)}sIII", data[start:end]))
    if any(row[0] != head for row in rows):
        return []
    node = _atom_of(head[3:], "utf-8")
    reader.position = end
    reader.count(count)
    return [Pid(node, id_, serial, creation) for _, id_, serial, creation in rows]


def _string(reader: _Reader, _depth: int) -> list[int]:
    return list(reader.take(*reader.unpack(_SHORT)))


def _large_tuple(reader: _Reader, depth: int) -> tuple[Any, ...]:
    return tuple(reader.items(reader.unpack(_LONG)[0], depth - 1))


def _map(reader: _Reader, depth: int) -> dict[Any, Any] | MapPairs:
    (count,) = reader.unpack(_LONG)
    parts = reader.items(2 * count, depth - 1)
    pairs = tuple(zip(parts[::2], parts[1::2], strict=True))
    try:
        found = dict(pairs)
    except TypeError:
        return MapPairs(pairs)
    return found if len(found) == count else MapPairs(pairs)


def _binary(reader: _Reader, _depth: int) -> bytes:
    return reader.take(*reader.unpack(_LONG))


def _bits(reader: _Reader, _depth: int) -> bytes | BitBinary:
    size, bits = reader.unpack(_SIZE_AND_BYTE)
    data = reader.take(size)
    if not (0 < bits <= 8 and size) and (size or bits):
        raise _Bad(f"a bitstring with {bits} bits in its last byte")
    return data if bits in {0, 8} else BitBinary(data, bits)


def _float(reader: _Reader, _depth: int) -> float:
    return _finite(*reader.unpack(_DOUBLE))


def _old_float(reader: _Reader, _depth: int) -> float:
    try:
        return _finite(float(reader.take(31).rstrip(b"\0").decode("ascii")))
    except ValueError:
        raise _Bad("a float that is no number") from None


def _finite(value: float) -> float:
    if not isfinite(value):
        raise _Bad("a float that is no number")
    return value


def _large_integer(reader: _Reader, _depth: int) -> int:
    size, sign = reader.unpack(_SIZE_AND_BYTE)
    if size > _INTEGER_BYTES:
        raise _Bad(f"an integer of {size} bytes")
    magnitude = int.from_bytes(reader.take(size), "little")
    return -magnitude if sign else magnitude


def _pid(reader: _Reader, _depth: int) -> Pid:
    return Pid(reader.atom(), *reader.unpack(_PID))


def _old_pid(reader: _Reader, _depth: int) -> Pid:
    return Pid(reader.atom(), *reader.unpack(_OLD_PID))


def _port_reader(form: struct.Struct) -> Callable[[_Reader, int], Port]:
    return lambda reader, _depth: Port(reader.atom(), *reader.unpack(form))


def _reference_reader(creation: struct.Struct) -> Callable[[_Reader, int], Reference]:
    def read(reader: _Reader, _depth: int) -> Reference:
        (words,) = reader.unpack(_SHORT)
        if words > _REFERENCE_WORDS:
            raise _Bad(f"a reference of {words} words")
        node = reader.atom()
        (started,) = reader.unpack(creation)
        return Reference(node, started, reader.unpack(struct.Struct(f">{words}I")))

    return read


def _export(reader: _Reader, _depth: int) -> Export:
    return Export(reader.atom(), reader.atom(), reader.integer())


def _fun(reader: _Reader, _depth: int) -> Fun:
    start = reader.position - 1
    (size,) = reader.unpack(_LONG)  # counts itself
    if size < _LONG.size:
        raise _Bad("a function that is cut off")
    reader.take(size - _LONG.size)
    return Fun(reader.data[start : reader.position])


_READERS: dict[int, Callable[[_Reader, int], Any]] = {
    70: _float,
    77: _bits,
    88: _pid,
    89: _port_reader(_NEW_PORT),
    90: _reference_reader(_LONG),
    99: _old_float,
    100: _atom_reader(_SHORT, "latin-1"),
    102: _port_reader(_OLD_PORT),
    103: _old_pid,
    105: _large_tuple,
    106: lambda _reader, _depth: [],
    107: _string,
    108: _list,
    109: _binary,
    111: _large_integer,
    112: _fun,
    113: _export,
    114: _reference_reader(_BYTE),
    115: _atom_reader(_BYTE, "latin-1"),
    116: _map,
    118: _atom_reader(_SHORT, "utf-8"),
    120: _port_reader(_PORT),
}
