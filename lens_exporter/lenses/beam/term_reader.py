"""Walks through the bytes of a term, within bounds: what most of an answer is made of is read here, the rest by a table."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from lens_exporter.lenses.beam.terms import Atom

_ATOM_CHARACTERS = 255  # Erlang's own limit
_ATOMS = {100, 115, 118, 119}  # tags


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one term may have."""

    depth: int = 128  # levels; one frame of Python's each
    parts: int = 2_000_000
    inflated: int = 16 * 1024 * 1024  # bytes, of a term that is sent compressed


DEFAULT = Bounds()


class Bad(Exception):
    """What is wrong with the bytes. Never leaves decode.py."""


class TermReader:
    """Walks once through the bytes. Nothing outlives it: atoms are shared within one term only."""

    __slots__ = ("_forms", "_left", "atoms", "data", "position")

    def __init__(self, data: bytes, position: int, bounds: Bounds, forms: "Mapping[int, Form]") -> None:
        self._forms = forms
        self.data = data
        self.position = position
        self.atoms: dict[bytes, Atom] = {}
        self._left = bounds.parts

    def items(self, count: int, depth: int) -> list[Any]:
        """Read `count` terms. What pages are made of is read here, the rest by the table: one call a term would double the time."""
        data, position, atoms = self.data, self.position, self.atoms
        if count > len(data) - position:
            raise Bad("it is cut off")
        self.count(count)
        if depth < 0:
            raise Bad("it is nested too deeply")
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
                append(self._read_other(tag, depth))
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

    def has_room(self, parts: int) -> bool:
        """Say whether so many parts may still follow."""
        return parts <= self._left

    def fits(self, parts: int) -> None:
        """Refuse so many parts before any of them is built."""
        if parts > self._left:
            raise Bad("it has too many parts")

    def count(self, parts: int) -> None:
        self.fits(parts)
        self._left -= parts

    def _new_atom(self, start: int, end: int) -> Atom:
        atom = atom_of(self.data[start + 2 : end], "utf-8")
        self.atoms[self.data[start:end]] = atom
        return atom

    def atom(self) -> Atom:
        if self.data[self.position] not in _ATOMS:  # looked at first: a pid whose node is a pid whose node is ... has no end
            raise Bad(f"tag {self.data[self.position]} where an atom must be")
        (atom,) = self.items(1, 0)
        return cast("Atom", atom)

    def small_integer(self) -> int:
        (value,) = self.take(2)[1:]
        if self.data[self.position - 2] != 97:
            raise Bad("no small integer where one must be")
        return value

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        found = form.unpack_from(self.data, self.position)
        self.position += form.size
        return found

    def take(self, size: int) -> bytes:
        start = self.position
        self.position = start + size
        if self.position > len(self.data):
            raise Bad("it is cut off")
        return self.data[start : self.position]

    def _read_other(self, tag: int, depth: int) -> Any:
        read = self._forms.get(tag)
        if read is None:
            raise Bad(f"there is no tag {tag}")
        return read(self, depth)


Form: TypeAlias = Callable[[TermReader, int], Any]  # reads what follows a tag; the second is how many levels may follow


def atom_of(raw: bytes, encoding: str) -> Atom:
    try:
        name = raw.decode(encoding)
    except UnicodeDecodeError:
        raise Bad("an atom is not UTF-8 text") from None
    if len(name) > _ATOM_CHARACTERS:
        raise Bad(f"an atom has more than {_ATOM_CHARACTERS} characters")
    return Atom(name)
