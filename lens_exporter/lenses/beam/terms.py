"""Erlang's terms as Python values.

Integers are int, floats are float, binaries are bytes, lists are list, tuples are tuple, maps are dict; what Python has no value
for is one of the types below. `true`, `false` and `undefined` stay atoms.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias


class Atom(str):
    """An atom. It compares equal to a str of the same letters; binaries are bytes, so the two are never mixed up."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Atom({str(self)!r})"


@dataclass(slots=True, unsafe_hash=True)
class Pid:
    """Not frozen, though nobody writes to one: an answer may hold a million, and frozen ones take four times as long to make."""

    node: Atom
    id: int
    serial: int
    creation: int

    def __str__(self) -> str:
        """Write it as the node itself does."""
        return f"<0.{self.id}.{self.serial}>"


@dataclass(frozen=True, slots=True)
class Port:
    node: Atom
    id: int
    creation: int

    def __str__(self) -> str:
        """Write it as the node itself does."""
        return f"#Port<0.{self.id}>"


@dataclass(frozen=True, slots=True)
class Reference:
    node: Atom
    creation: int
    words: tuple[int, ...]  # as they are sent, the least significant first

    def __str__(self) -> str:
        """Write it as the node itself does."""
        return f"#Ref<0.{'.'.join(str(word) for word in reversed(self.words))}>"


@dataclass(frozen=True, slots=True)
class Export:
    """A function by its name, fun module:function/arity: the only kind of function that is ever sent."""

    module: Atom
    function: Atom
    arity: int


@dataclass(frozen=True, slots=True)
class Fun:
    """A closure of the node's. Opaque: kept as it was sent, never called."""

    encoded: bytes


@dataclass(frozen=True, slots=True)
class BitBinary:
    """A bitstring whose length is no whole number of bytes; of the last byte only the `bits` highest count."""

    data: bytes
    bits: int


@dataclass(frozen=True, slots=True)
class ImproperList:
    """[a, b | tail]."""

    items: tuple[Any, ...]
    tail: Any


@dataclass(frozen=True, slots=True)
class MapPairs:
    """A map with other keys than atoms and binaries, which a dict could not hold, or hold apart: lists, maps, 1 beside 1.0."""

    pairs: tuple[tuple[Any, Any], ...]


Term: TypeAlias = (
    Atom
    | int
    | float
    | bytes
    | list[Any]
    | tuple[Any, ...]
    | dict[Any, Any]
    | Pid
    | Port
    | Reference
    | Export
    | Fun
    | BitBinary
    | ImproperList
    | MapPairs
)


def text(term: Term) -> str | None:
    """Read what Erlang programs use as text: an atom, a UTF-8 binary, a list of code points. None for anything else."""
    if isinstance(term, str):
        return str(term)
    if isinstance(term, bytes):
        return term.decode("utf-8", "replace")
    if isinstance(term, list) and all(isinstance(each, int) and 0 <= each < 0x110000 for each in term):
        return "".join(map(chr, term))
    return None
