"""Erlang's external terms as Python values, within bounds, whatever the bytes are.

Of the External Term Format (ERTS user's guide) everything a node of OTP 23 or newer sends, and the older forms of what it may send.
A term can cost more memory than it has bytes: how deep it is nested and how many parts it has is bounded before it is built.
"""

import struct
import zlib
from typing import NamedTuple

from lens_exporter.errors import BadTerm
from lens_exporter.lenses.beam.term_forms import FORMS
from lens_exporter.lenses.beam.term_reader import DEFAULT, Bad, Bounds, TermReader
from lens_exporter.lenses.beam.terms import Term

__all__ = ["Bounds", "Decoded", "decode", "decode_at"]


class Decoded(NamedTuple):
    term: Term
    end: int  # where the next byte is


def decode(data: bytes, *, node: str = "", bounds: Bounds = DEFAULT) -> Term:
    """Read the one term that `data` is, its version in front.

    Raises:
        BadTerm: it is none, it is cut off, bytes follow it, or it is beyond the bounds.

    """
    term, end = decode_at(data, 0, node=node, bounds=bounds)
    if end != len(data):
        raise BadTerm(node=node, reason=f"{len(data) - end} bytes follow the term")
    return term


def decode_at(data: bytes, position: int, *, node: str = "", bounds: Bounds = DEFAULT) -> Decoded:
    """Read the term that begins at `position`, its version in front; other bytes may follow.

    Raises:
        BadTerm: as decode.

    """
    try:
        return _versioned(data, position, bounds)
    except Bad as bad:
        raise BadTerm(node=node, reason=str(bad)) from None
    except (IndexError, struct.error):
        raise BadTerm(node=node, reason="it is cut off") from None


def _versioned(data: bytes, position: int, bounds: Bounds) -> Decoded:
    if data[position] != 131:
        raise Bad(f"version {data[position]} instead of 131")
    if data[position + 1] == 80:
        return _inflated(data, position + 2, bounds)
    return _read(data, position + 1, bounds)


def _read(data: bytes, position: int, bounds: Bounds) -> Decoded:
    reader = TermReader(data, position, bounds, FORMS)
    (term,) = reader.items(1, bounds.depth)
    if reader.position > len(data):  # slices beyond the end are short, not an error
        raise Bad("it is cut off")
    return Decoded(term, reader.position)


def _inflated(data: bytes, position: int, bounds: Bounds) -> Decoded:
    (size,) = struct.unpack_from(">I", data, position)
    if size > bounds.inflated:
        raise Bad(f"it would inflate to {size} bytes, more than {bounds.inflated}")
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data[position + 4 :], size + 1)
    except zlib.error:
        raise Bad("its compressed part cannot be inflated") from None
    if len(plain) != size or not stream.eof:
        raise Bad(f"its compressed part does not inflate to the {size} bytes it says")
    term, end = _read(plain, 0, bounds)
    if end != size:
        raise Bad(f"{size - end} bytes follow the compressed term")
    return Decoded(term, len(data) - len(stream.unused_data))
