"""How each form of a term is read, by its tag, but for those that TermReader reads itself."""

import struct
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from lens_exporter.lenses.beam.term_reader import Bad, Form, TermReader, atom_of
from lens_exporter.lenses.beam.terms import Atom, BitBinary, Export, Fun, ImproperList, MapPairs, Pid, Port, Reference

_INTEGER_BYTES = 1024  # Python refuses to write much longer ones in decimal
_REFERENCE_WORDS = 5
_MANY = 16  # parts of a list that are worth a look at what it is a list of
_KEYS = {Atom, bytes}  # of a map that becomes a dict

_BYTE, _SHORT, _LONG, _DOUBLE = struct.Struct(">B"), struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">d")
_PID, _OLD_PID = struct.Struct(">III"), struct.Struct(">IIB")
_PORT, _NEW_PORT, _OLD_PORT = struct.Struct(">QI"), struct.Struct(">II"), struct.Struct(">IB")
_SIZE_AND_BYTE = struct.Struct(">IB")


def _atom_reader(size: struct.Struct, encoding: str) -> Callable[[TermReader, int], Atom]:
    return lambda reader, _depth: atom_of(reader.take(*reader.unpack(size)), encoding)


def _list(reader: TermReader, depth: int) -> Any:
    (count,) = reader.unpack(_LONG)
    items = _pids(reader, count) or _pairs(reader, count, depth - 1) or reader.items(count, depth - 1)
    if reader.data[reader.position] == 106:
        reader.position += 1
        return items
    (tail,) = reader.items(1, depth - 1)
    if type(tail) is list:
        return items + tail
    if type(tail) is ImproperList:
        return ImproperList((*items, *tail.items), tail.tail)
    return ImproperList(tuple(items), tail) if items else tail


def _pids(reader: TermReader, count: int) -> list[Any]:
    """Read a list of one node's pids in one go; give nothing, and leave everything as it is, where the list is not that."""
    data, start = reader.data, reader.position
    if count < 2 or data[start : start + 2] != b"Xw":
        return []
    head = data[start : start + 3 + data[start + 2]]
    end = start + count * (len(head) + _PID.size)
    if end > len(data):
        return []
    reader.fits(count)
    node, found = atom_of(head[3:], "utf-8"), list[Any]()
    for named, id_, serial, creation in struct.iter_unpack(f">{len(head)}sIII", memoryview(data)[start:end]):
        if named != head:
            return []
        found.append(Pid(node, id_, serial, creation))
    reader.position = end
    reader.count(count)
    return found


def _pairs(reader: TermReader, count: int, depth: int) -> list[Any]:
    """Read a list of {name, integer}, all of one name but for a few; nothing, and everything as it is, where it begins otherwise.

    That is what a page of an item of many processes is. Reading each by itself takes five times as long.
    """
    data, position = reader.data, reader.position
    if count < _MANY or depth < 1 or data[position : position + 3] != b"h\x02w" or not reader.has_room(3 * count):
        return []
    size = 4 + data[position + 3]
    head = data[position : position + size]
    name, found = atom_of(head[4:], "utf-8"), list[Any]()
    append, from_bytes, fast = found.append, int.from_bytes, 0
    for _ in range(count):
        tagged = position + size
        tag = data[tagged] if data[position:tagged] == head else 0
        if tag == 98:
            append((name, from_bytes(data[tagged + 1 : tagged + 5], "big", signed=True)))
            position = tagged + 5
        elif tag == 97:
            append((name, data[tagged + 1]))
            position = tagged + 2
        elif tag == 110 and data[tagged + 2] == 0:
            position = tagged + 3 + data[tagged + 1]
            append((name, from_bytes(data[tagged + 3 : position], "little")))
        else:
            reader.position = position
            found += reader.items(1, depth)
            position = reader.position
            continue
        fast += 1
    if position > len(data):
        raise Bad("it is cut off")
    reader.position = position
    reader.count(3 * fast)
    return found


def _string(reader: TermReader, _depth: int) -> list[int]:
    (size,) = reader.unpack(_SHORT)
    reader.count(size)
    return list(reader.take(size))


def _large_tuple(reader: TermReader, depth: int) -> tuple[Any, ...]:
    return tuple(reader.items(reader.unpack(_LONG)[0], depth - 1))


def _map(reader: TermReader, depth: int) -> dict[Any, Any] | MapPairs:
    (count,) = reader.unpack(_LONG)
    parts = reader.items(2 * count, depth - 1)
    pairs = tuple(zip(parts[::2], parts[1::2], strict=True))
    # Python's hash of a text begins with a secret. That of a number does not: a map can be sent whose every key falls on one place.
    if not all(type(key) in _KEYS for key in parts[::2]):
        return MapPairs(pairs)
    found = dict(pairs)
    return found if len(found) == count else MapPairs(pairs)


def _binary(reader: TermReader, _depth: int) -> bytes:
    return reader.take(*reader.unpack(_LONG))


def _bits(reader: TermReader, _depth: int) -> bytes | BitBinary:
    size, bits = reader.unpack(_SIZE_AND_BYTE)
    data = reader.take(size)
    if not (0 < bits <= 8 and size) and (size or bits):
        raise Bad(f"a bitstring with {bits} bits in its last byte")
    return data if bits in {0, 8} else BitBinary(data, bits)


def _float(reader: TermReader, _depth: int) -> float:
    return _finite(*reader.unpack(_DOUBLE))


def _old_float(reader: TermReader, _depth: int) -> float:
    try:
        return _finite(float(reader.take(31).rstrip(b"\0").decode("ascii")))
    except ValueError:
        raise Bad("a float that is no number") from None


def _finite(value: float) -> float:
    if not isfinite(value):
        raise Bad("a float that is no number")
    return value


def _large_integer(reader: TermReader, _depth: int) -> int:
    size, sign = reader.unpack(_SIZE_AND_BYTE)
    if size > _INTEGER_BYTES:
        raise Bad(f"an integer of {size} bytes")
    magnitude = int.from_bytes(reader.take(size), "little")
    return -magnitude if sign else magnitude


def _pid(reader: TermReader, _depth: int) -> Pid:
    return Pid(reader.atom(), *reader.unpack(_PID))


def _old_pid(reader: TermReader, _depth: int) -> Pid:
    return Pid(reader.atom(), *reader.unpack(_OLD_PID))


def _port_reader(form: struct.Struct) -> Callable[[TermReader, int], Port]:
    return lambda reader, _depth: Port(reader.atom(), *reader.unpack(form))


def _reference_reader(creation: struct.Struct) -> Callable[[TermReader, int], Reference]:
    def read(reader: TermReader, _depth: int) -> Reference:
        (words,) = reader.unpack(_SHORT)
        if words > _REFERENCE_WORDS:
            raise Bad(f"a reference of {words} words")
        node = reader.atom()
        (started,) = reader.unpack(creation)
        return Reference(node, started, reader.unpack(struct.Struct(f">{words}I")))

    return read


def _export(reader: TermReader, _depth: int) -> Export:
    return Export(reader.atom(), reader.atom(), reader.small_integer())


def _fun(reader: TermReader, _depth: int) -> Fun:
    start = reader.position - 1
    (size,) = reader.unpack(_LONG)  # counts itself
    if size < _LONG.size:
        raise Bad("a function that is cut off")
    reader.take(size - _LONG.size)
    return Fun(reader.data[start : reader.position])


FORMS: Mapping[int, Form] = {
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
