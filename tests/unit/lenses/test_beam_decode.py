"""The term decoder: forms an older node sends, and terms made to hurt whoever reads them."""

import tracemalloc
import zlib

import pytest

from lens_exporter.errors import BadTerm
from lens_exporter.lenses.beam.decode import Bounds, decode
from lens_exporter.lenses.beam.encode import encode
from lens_exporter.lenses.beam.terms import Atom, Fun, ImproperList, MapPairs, Pid, Port, Reference, text

NODE = b"s\x03a@b"  # as SMALL_ATOM_EXT


@pytest.mark.parametrize(
    ("encoded", "term"),
    [
        (b"d\x00\x02ok", Atom("ok")),
        (b"s\x01\xe9", Atom("é")),
        (b"v\x00\x02\xc3\xa9", Atom("é")),
        (b"c" + b"1.50000000000000000000e+00".ljust(31, b"\0"), 1.5),
        (b"k\x00\x03abc", [97, 98, 99]),
        (b"o\x00\x00\x00\x01\x01\x05", -5),
        (b"g" + NODE + bytes([0, 0, 0, 7, 0, 0, 0, 1, 2]), Pid(Atom("a@b"), 7, 1, 2)),
        (b"f" + NODE + bytes([0, 0, 0, 7, 2]), Port(Atom("a@b"), 7, 2)),
        (b"Y" + NODE + bytes([0, 0, 0, 7, 0, 0, 0, 2]), Port(Atom("a@b"), 7, 2)),
        (b"r\x00\x02" + NODE + b"\x02" + bytes([0, 0, 0, 7, 0, 0, 0, 1]), Reference(Atom("a@b"), 2, (7, 1))),
        (b"p\x00\x00\x00\x06ab", Fun(b"p\x00\x00\x00\x06ab")),
        (b"l\x00\x00\x00\x01a\x01l\x00\x00\x00\x01a\x02j", [1, 2]),
        (b"l\x00\x00\x00\x01a\x01l\x00\x00\x00\x01a\x02a\x03", ImproperList((1, 2), 3)),
        (b"i\x00\x00\x00\x01j", ([],)),
        (b"P\x00\x00\x00\x02" + zlib.compress(b"a\x07"), 7),
    ],
)
def test_other_forms(encoded, term):
    """What older nodes, and newer ones seldom, send is read too."""
    found = decode(b"\x83" + encoded)
    assert found == term
    assert type(found) is type(term)


def test_keys_that_a_dict_takes_for_one_another():
    """A map with keys 1 and 1.0, or with a list as a key, keeps all its pairs."""
    numbers = b"\x83t\x00\x00\x00\x02a\x01a\x0aF\x3f\xf0\x00\x00\x00\x00\x00\x00a\x0b"
    assert decode(numbers) == MapPairs(((1, 10), (1.0, 11)))
    assert decode(b"\x83t\x00\x00\x00\x01k\x00\x01aa\x01") == MapPairs((([97], 1),))


@pytest.mark.parametrize(
    "key", [1, 1.5, (1,), Pid(Atom("a@b"), 1, 2, 3), Reference(Atom("a@b"), 2, (7, 1)), Port(Atom("a@b"), 7, 2)]
)
def test_keys_whose_hash_a_peer_can_choose(key):
    """Only atoms and binaries become keys of a dict: thousands of others may be made to fall on one place, which takes hours."""
    pairs = ((Atom("a"), 1), (b"a", 2))
    assert decode(encode(MapPairs(pairs))) == {Atom("a"): 1, b"a": 2}
    assert decode(encode(MapPairs((*pairs, (key, 3))))) == MapPairs((*pairs, (key, 3)))


def test_many_colliding_keys():
    """Twenty thousand numbers of one hash are read as quickly as any others."""
    found = decode(encode(MapPairs(tuple((number * (2**61 - 1), 0) for number in range(20_000)))))
    assert len(found.pairs) == 20_000


def _nested(levels: int) -> bytes:
    return b"\x83" + b"l\x00\x00\x00\x01" * levels + b"a\x01" + b"j" * levels


_HOSTILE = {
    "deeply nested lists": (_nested(100_000), "nested too deeply"),
    "deeply nested tuples": (b"\x83" + b"h\x01" * 1_000_000 + b"j", "nested too deeply"),
    "deeply nested tails": (b"\x83" + b"l\x00\x00\x00\x01a\x01" * 100_000 + b"j", "nested too deeply"),
    "deeply nested maps": (b"\x83" + b"t\x00\x00\x00\x01a\x01" * 100_000 + b"j", "nested too deeply"),
    "deeply nested nodes of pids": (b"\x83" + b"X" * 100_000, "where an atom must be"),
    "a list of 4 billion": (b"\x83l\xff\xff\xff\xff" + b"a\x01" * 1000, "cut off"),
    "a tuple of 4 billion": (b"\x83i\xff\xff\xff\xff" + b"a\x01" * 1000, "cut off"),
    "a map of 4 billion": (b"\x83t\xff\xff\xff\xff" + b"a\x01" * 1000, "cut off"),
    "a binary of 4 GiB": (b"\x83m\xff\xff\xff\xff1234", "cut off"),
    "an integer of 4 GiB": (b"\x83o\xff\xff\xff\xff\x001234", "integer of"),
    "an integer of 64 KiB": (b"\x83o\x00\x01\x00\x00\x00" + b"\xff" * 65536, "integer of"),
    "three million parts": (b"\x83l\x00\x2d\xc6\xc0" + b"j" * 3_000_001, "too many parts"),
    "a huge atom": (b"\x83v\xff\xff" + b"a" * 65535, "more than 255 characters"),
    "a huge latin-1 atom": (b"\x83d\xff\xff" + b"a" * 65535, "more than 255 characters"),
    "an atom of bytes that are no text": (b"\x83w\x02\xff\xfe", "UTF-8"),
    "a zip bomb that says what it is": (b"\x83P\x7f\xff\xff\xff" + zlib.compress(b"j" * 10_000_000), "inflate"),
    "a zip bomb that lies": (b"\x83P\x00\x00\x00\x02" + zlib.compress(b"m\x10\x00\x00\x00" + bytes(268_435_456)), "inflate"),
    "compressed in a compressed one": (b"\x83P\x00\x00\x00\x02" + zlib.compress(b"P\x00"), "no tag 80"),
    "not a number": (b"\x83F\x7f\xf8" + bytes(6), "no number"),
    "a float of other letters": (b"\x83c" + b"9" * 31, None),
    "another version": (b"\x82a\x01", "version 130"),
    "nothing": (b"", "cut off"),
    "a function that is shorter than its own size": (b"\x83p\x00\x00\x00\x00", "cut off"),
    "two terms": (b"\x83a\x01a\x02", "follow"),
}


@pytest.fixture(scope="module", autouse=True)
def _traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_terms_are_refused_cheaply(name):
    """A term bomb is refused by name, and reading it takes no more memory than it has bytes, and a megabyte."""
    encoded, reason = _HOSTILE[name]
    if reason is None:
        assert decode(encoded) == float("9" * 31)
        return
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    with pytest.raises(BadTerm, match=reason):
        decode(encoded)
    assert tracemalloc.get_traced_memory()[1] - before < 2 * len(encoded) + 1_000_000


def test_the_depth_that_is_allowed_is_read():
    """The bound on depth is where it says: one level less is read."""
    assert decode(_nested(10), bounds=Bounds(depth=10)) == [[[[[[[[[[1]]]]]]]]]]
    with pytest.raises(BadTerm, match="too deeply"):
        decode(_nested(11), bounds=Bounds(depth=10))


def test_pairs_count_as_parts():
    """The short way through {name, integer} is bounded as any other."""
    many = encode([(Atom("reductions"), 70_000)] * 1000)
    assert len(decode(many, bounds=Bounds(parts=3001))) == 1000
    with pytest.raises(BadTerm, match="too many parts"):
        decode(many, bounds=Bounds(parts=3000))


def test_pids_of_one_node_are_read_as_any_others():
    """The short way through a list of pids gives what the long one does, also when only nearly all are of one node."""
    pids = [Pid(Atom("rabbit@mq1"), number, number >> 15, 7) for number in range(2000)]
    assert decode(encode(pids)) == pids
    mixed = [*pids, Pid(Atom("rabbit@mq2"), 1, 2, 3), *pids[:3]]
    assert decode(encode(mixed)) == mixed
    with pytest.raises(BadTerm, match="too many parts"):
        decode(encode(pids), bounds=Bounds(parts=2000))


@pytest.mark.parametrize(
    "many",
    [
        encode([Pid(Atom("rabbit@mq1"), number, 0, 7) for number in range(100_000)]),
        b"\x83" + b"k\xea\x60" + b"x" * 60_000,
    ],
    ids=["pids", "a string"],
)
def test_what_is_read_in_one_go_is_counted_before_it_is_built(many):
    """Pids and strings beyond the bound are refused before they cost memory."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    with pytest.raises(BadTerm, match="too many parts"):
        decode(many, bounds=Bounds(parts=50_000))
    assert tracemalloc.get_traced_memory()[1] - before < 20_000
    decode(many, bounds=Bounds(parts=100_001))


def test_lists_that_begin_with_a_pid_and_nest():
    """That a list may be one of pids is found out without a copy of all that follows, at each level."""
    pid, levels = encode(Pid(Atom("a@b"), 1, 2, 3))[1:], 100
    nested = b"\x83" + b"".join(b"l" + (300_000).to_bytes(4, "big") + pid for _ in range(levels)) + bytes(10_000_000)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    with pytest.raises(BadTerm):
        decode(nested)
    assert tracemalloc.get_traced_memory()[1] - before < 1_000_000


def test_text():
    """Atoms, UTF-8 binaries and lists of code points are text; anything else is none."""
    assert [text(each) for each in (Atom("a"), "é".encode(), [104, 233], [])] == ["a", "é", "hé", ""]
    assert text([104, -1]) is None
    assert text((1,)) is None


@pytest.mark.parametrize("value", [True, "text", None, {1, 2}, b"x".__class__, [object()]])
def test_what_is_no_term_is_refused(value):
    """A str that was not said to be an atom, a bool or any other value of Python is never sent."""
    with pytest.raises(TypeError, match="stands for no term"):
        encode(value)
