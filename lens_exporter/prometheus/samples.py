"""From the text of samples to numbers, many at once.

A value is text inside JSON ([1700000000,"1.5"]), so a JSON parser makes a list and a text of every sample, and each text has to be
read again. Here everything between the values is checked and blanked out by vector operations, and one call of the JSON parser
reads what is left, a plain list of numbers.
"""

import math
from collections.abc import Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from lens_exporter.model.window import FloatArray

SEAM = b'"],['  # between two samples
_QUOTE, _COMMA, _MINUS, _ZERO, _NINE, _SPACE, _OPEN = b'",-09 ['
_GAP = 15  # from the closing quote of a value to the opening one of the next: "],[1700000000,"
_BLANK = int.from_bytes(b"        ", "little")
_BLANK_COMMA = int.from_bytes(b"       ,", "little")
_SEAM_AND_TWO_DIGITS = 0xFFFF_FFFF_FFFF  # of eight bytes
# What float() reads otherwise than JSON does. JSON's -0 is an integer, which has no sign at zero.
_WORDS = ((b"NaN", math.nan), (b"+Inf", math.inf), (b"-Inf", -math.inf), (b"-0", -0.0))

Integers = NDArray[np.int64]


def read(texts: Sequence[bytes]) -> tuple[Integers, FloatArray, FloatArray] | None:
    """Give counts [series], times [sample] and values [sample] of the samples of some series, one series after the other.

    A text holds one series' samples without the brackets and the quote around them: `1700000000,"1.5"],[1700000060,"NaN`.
    Values are what float() makes of their text, to the last bit. None: some text is not like this (times that are no whole
    seconds of ten digits, the first two the same in all; a value only float() reads; no samples at all), and has to be read the
    slow way.
    """
    text = bytearray(SEAM).join((b"", *texts))
    length = len(text)
    text += b"]       "  # the blanks behind the end let eight bytes be read from every place in the text
    raw = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(raw == _QUOTE)
    if quotes.size % 2 or (raw < _SPACE).any():
        return None
    # Each sample has two quotes: that of the seam before it, and the one that opens its value.
    seams, opens = np.ascontiguousarray(quotes[0::2]), np.ascontiguousarray(quotes[1::2])
    words = np.ndarray(len(text) - 7, "<u8", text, strides=(1,))  # the eight bytes from each place on
    times = _times(raw, words, seams, opens)
    named = _blank_words(raw, words, opens + 1, np.append(seams[1:], length)) if times is not None else None
    if times is None or named is None:
        return None
    words[seams] = _BLANK
    words[seams + 8] = _BLANK_COMMA
    raw[opens[0]] = _OPEN
    # Every value begins with a digit or a minus, so whatever JSON it is, it is made of numbers only; and as there are as many
    # numbers as values, each value is one.
    try:
        numbers = orjson.loads(memoryview(text)[int(opens[0]) :])
    except orjson.JSONDecodeError:
        return None
    if len(numbers) != len(opens):
        return None
    values = np.fromiter(numbers, np.float64, len(numbers))
    for places, number in named:
        values[places] = number
    sizes = np.fromiter(map(len, texts), np.int64, len(texts)) + len(SEAM)
    firsts = np.searchsorted(seams, np.cumsum(sizes) - sizes)  # which sample is each series' first
    return np.diff(firsts, append=len(seams)), times, values


def _times(raw: NDArray[np.uint8], words: NDArray[np.uint64], seams: Integers, opens: Integers) -> FloatArray | None:
    """Read ten digits between each seam and the quote that follows; None where there is anything else."""
    if not seams.size or (opens - seams != _GAP).any() or (raw[opens - 1] != _COMMA).any():
        return None
    heads = words[seams] & _SEAM_AND_TWO_DIGITS  # "],[17
    head = int(heads[0]).to_bytes(6, "little")
    if head[:4] != SEAM or not head[4:].isdigit() or head[4] == _ZERO or (heads != heads[0]).any():
        return None
    # Eight digits at once, as a register of bytes (Lemire, "Quickly parsing eight digits", 2018).
    digits = words[seams + 6]
    if (((digits + 0x46464646_46464646) | (digits - 0x30303030_30303030)) & 0x80808080_80808080).any():
        return None
    digits -= 0x30303030_30303030
    digits = digits * 10 + (digits >> 8)
    pairs = (digits & 0x000000FF_000000FF) * 0x000F4240_00000064
    pairs += ((digits >> 16) & 0x000000FF_000000FF) * 0x00002710_00000001
    return (pairs >> 32).astype(np.float64) + int(head[4:]) * 1e8


def _blank_words(
    raw: NDArray[np.uint8], words: NDArray[np.uint64], begins: Integers, ends: Integers
) -> list[tuple[Integers, float]] | None:
    """Put a 0 where a word of _WORDS stands, and give the places of each; None for a value that begins like no number."""
    first = raw[begins]
    odd = np.flatnonzero((first < _ZERO) | (first > _NINE))
    named: list[tuple[Integers, float]] = []
    if not odd.size:
        return named
    begin, size, word = begins[odd], (ends - begins)[odd], words[begins[odd]]
    understood = first[odd] == _MINUS
    for text, number in _WORDS:
        length = len(text)
        found = (size == length) & (word & (256**length - 1) == int.from_bytes(text, "little"))
        if found.any():
            named.append((odd[found], number))
            raw[begin[found]] = _ZERO
            for place in range(1, length):
                raw[begin[found] + place] = _SPACE
        understood |= found
    return named if understood.all() else None
