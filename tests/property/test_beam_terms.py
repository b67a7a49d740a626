from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.beam_fuzz import BOUNDS, fuzz, fuzz_frames
from lens_exporter.errors import BadTerm
from lens_exporter.lenses.beam.decode import Bounds, decode
from lens_exporter.lenses.beam.encode import encode
from lens_exporter.lenses.beam.frames import Frames
from lens_exporter.lenses.beam.show import show
from lens_exporter.lenses.beam.terms import Atom, BitBinary, Export, ImproperList, MapPairs, Pid, Port, Reference, text

_WORD = st.integers(0, 2**32 - 1)
_ATOM = st.text(max_size=255, alphabet=st.characters(codec="utf-8")).map(Atom)
_BITS = st.builds(
    lambda data, bits: BitBinary(data[:-1] + bytes([data[-1] >> (8 - bits) << (8 - bits)]), bits),
    st.binary(min_size=1, max_size=20),
    st.integers(1, 7),
)
_LEAF = st.one_of(
    _ATOM,
    st.integers(),
    st.integers(-(2**4000), 2**4000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(),
    _BITS,
    st.builds(Pid, _ATOM, _WORD, _WORD, _WORD),
    st.builds(Port, _ATOM, st.integers(0, 2**64 - 1), _WORD),
    st.builds(Reference, _ATOM, _WORD, st.lists(_WORD, min_size=1, max_size=5).map(tuple)),
    st.builds(Export, _ATOM, _ATOM, st.integers(0, 255)),
)


def _is_proper(tail: object) -> bool:
    return isinstance(tail, list | ImproperList)


def _grown(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.lists(st.integers(0, 10), min_size=250, max_size=300).map(tuple),  # a large tuple
        st.dictionaries(st.one_of(_ATOM, st.binary()), inner),
        st.builds(ImproperList, st.lists(inner, min_size=1).map(tuple), inner.filter(lambda tail: not _is_proper(tail))),
    )


_TERM = st.recursive(_LEAF, _grown, max_leaves=30)


def _kinds(term: object) -> object:
    """A term with its types: in Python 1 equals 1.0, and an atom equals a str."""
    if isinstance(term, list | tuple):
        return type(term), [_kinds(each) for each in term]
    if isinstance(term, dict):
        return dict, [(_kinds(key), _kinds(value)) for key, value in term.items()]
    if isinstance(term, ImproperList):
        return ImproperList, _kinds(term.items), _kinds(term.tail)
    return type(term), term, repr(term)


@given(_TERM)
def test_a_term_comes_back_as_it_was(term):
    """Whatever is encoded is decoded to the same value, of the same types."""
    assert _kinds(decode(encode(term))) == _kinds(term)


@given(_TERM, st.data())
def test_a_term_that_is_cut_off_is_refused(term, data):
    """No beginning of a term is a term."""
    encoded = encode(term)
    end = data.draw(st.integers(0, len(encoded) - 1))
    try:
        decode(encoded[:end])
    except BadTerm:
        return
    raise AssertionError(f"{end} of {len(encoded)} bytes were taken for a term")


NAMED = st.tuples(st.sampled_from([Atom("memory"), Atom("memory"), Atom("memory"), Atom("other")]), st.integers(-(2**70), 2**70))
PAGES = st.lists(
    st.one_of(NAMED, NAMED, NAMED, st.just(Atom("undefined")), st.just((Atom("memory"), b"x"))), min_size=14, max_size=60
)


@given(PAGES, st.data())
def test_a_page_of_named_numbers_comes_back_as_it_was_and_counts_as_any_list(page, data):
    """However its numbers are written and whatever stands among them; cut anywhere it is refused; its parts count."""
    written = encode([(Atom("memory"), 5), *page])
    assert decode(written) == [(Atom("memory"), 5), *page]
    parts = 2 + len(page) + sum(2 for each in page if type(each) is tuple) + 2
    assert decode(written, bounds=Bounds(parts=parts)) == decode(written)
    for refused in (
        lambda: decode(written, bounds=Bounds(parts=parts - 1)),
        lambda: decode(written[: data.draw(st.integers(0, len(written) - 1))]),
    ):
        with pytest.raises(BadTerm):
            refused()


@given(_TERM, st.integers(1, 400))
def test_words_for_a_term_are_short(term, longest):
    """Any term can be shown, within the length that is asked for."""
    assert len(show(term, longest)) <= max(longest, 3)
    text(term)


@given(st.lists(st.tuples(_LEAF, _LEAF), max_size=6))
def test_no_pair_of_a_map_is_lost(pairs):
    """A map whose keys a dict would take for one another keeps them all."""
    found = decode(encode(MapPairs(tuple(pairs))))
    kept = found.pairs if isinstance(found, MapPairs) else tuple(found.items())
    assert _kinds(kept) == _kinds(tuple(pairs))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_term_or_refused_by_name(data):
    """Nothing but a term or BadTerm comes of bytes, whatever they are."""
    with suppress(BadTerm):
        encode(decode(b"\x83" + data, bounds=BOUNDS))


@given(st.lists(st.binary(max_size=64), max_size=5), st.data())
def test_an_answer_is_the_same_however_it_is_cut(parts, data):
    """Frames that arrive in any pieces give the same answers, in order, and nothing of what nobody waits for."""
    own, reference = Pid(Atom("a@b"), 1, 0, 5), Reference(Atom("a@b"), 5, (1, 2, 3))
    key = encode(reference)[1:]
    head = b"p" + encode((2, Atom(""), own)) + b"\x83h\x02" + key
    frames_sent = [head + part for part in parts] + [b"p" + encode((2, Atom(""), own)) + encode((1, b"unasked"))]
    stream = b"".join(len(frame).to_bytes(4, "big") + frame + bytes(4) for frame in frames_sent)
    answers, ticks = [], []

    class Sink:
        limit = 64

        def put(self, answer):
            answers.append(answer)

        def refuse(self):
            raise AssertionError

    frames = Frames(lambda claimed: Sink() if claimed == key else None, len(key), tick=lambda: ticks.append(1))
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        frames.feed(stream[:cut])
        stream = stream[cut:]
    assert answers == [b"\x83" + part for part in parts]
    assert len(ticks) == len(frames_sent)


def test_twenty_thousand_hostile_inputs():
    """Mutated, random and compressed inputs are read or refused, none takes a second, and what is read can be written again."""
    outcome = fuzz(20_000, seed=20_000)
    assert outcome.read > 2000
    assert outcome.refused.total() > 10_000
    assert outcome.slowest < 1.0, outcome.slowest_input


def test_two_thousand_hostile_streams():
    """The framing takes a stream, or says that it is wrong."""
    outcome = fuzz_frames(2000, seed=2000)
    assert outcome["taken"] > 100
    assert outcome["wrong"] > 100
