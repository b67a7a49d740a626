"""A model's notes beside those of statistics."""

from lens_exporter.baseline.reading.remarks import joined, remark
from tests.unit.baseline.windows import NOON

FIRST = remark("claude", NOON, ["bursts every night"])


def test_either_side_keeps_its_notes_while_the_other_writes_new_ones():
    """The newest replaces the old, on its own side only."""
    both = joined("memory grows", "", FIRST)
    assert both == "memory grows\nModel claude, 20 Nov 12:00 UTC: bursts every night"
    assert joined("memory is full", both, "") == both.replace("grows", "is full")
    second = remark("claude", NOON + 60.0, ["a habit"])
    assert joined(None, both, second) == "memory grows\nModel claude, 20 Nov 12:01 UTC: a habit"
    assert joined("memory grows", "", "") == "memory grows"


def test_nothing_new_leaves_the_notes_as_they_are():
    """None means: keep what is kept, as everywhere with notes."""
    assert joined(None, "memory grows", "") is None
    assert remark("claude", NOON, ["", ""]) == ""


def test_a_remark_alone_is_found_again():
    """Also where statistics never noted anything."""
    assert joined("memory grows", joined(None, "", FIRST), "") == f"memory grows{FIRST}"
