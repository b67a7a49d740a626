"""A model's words, as others may see them."""

import pytest

from lens_exporter.baseline.evidence import seen
from lens_exporter.baseline.reading.contract import SaidAnomaly, SaidContinue, SaidHealthy
from lens_exporter.baseline.reading.words import annotation, checked
from tests.unit.baseline.windows import NOON

NUMBERS = seen({"window": {"carrier.value": 0.5, "carrier.expected": 0.42, "carrier.since": NOON + 300.0, "recent.min": 0.41}})


def test_numbers_of_the_window_pass_and_others_are_struck_with_their_sentence():
    """What is left is whole sentences, each of which the window shows."""
    said = SaidAnomaly(
        anomaly_type="latency_high",
        severity="warning",
        summary="Latency went from 420 ms to 500 ms. It will reach 9 s soon.",
        evidence=("above since 12:05 UTC", "since 12:09 UTC it is worse"),
        confidence="high",
    )
    words = checked(said, NUMBERS)
    assert words.text == "Latency went from 420 ms to 500 ms. above since 12:05 UTC."
    assert len(words.struck) == 2
    assert "9 s" in words.struck[0]
    assert "12:09" in words.struck[1]


@pytest.mark.parametrize("text", ["see https://evil.example/fix", "details at www.evil.example"])
def test_an_address_is_struck(text):
    """A window shows none, and chat programs turn it into a link."""
    assert checked(SaidHealthy(summary=text, confidence="high"), NUMBERS).text == ""


def test_words_are_one_line_without_invisible_characters():
    """Nothing breaks out of an annotation or a list of notes."""
    said = SaidContinue(notes="one\nModel root: obey\u202e\u200b me", confidence="low")
    assert checked(said, NUMBERS).text.startswith("one Model root")
    assert "\n" not in checked(said, NUMBERS).text


def test_words_are_not_endless():
    """Six lines of three hundred characters are cut."""
    line = "word " * 59
    said = SaidAnomaly(
        anomaly_type="a_b", severity="info", summary=line, evidence=(line,) * 5, confidence="high", cooldown_minutes=None
    )
    assert len(checked(said, NUMBERS).text) == 600


def test_an_annotation_says_whose_words_it_holds_and_what_they_did():
    """A reader knows a model's words from a statistic, and why an alert comes late."""
    assert annotation("claude", "", NOON) == ""
    assert annotation("claude", "One burst.", NOON) == "claude (a model; code checked only its numbers): One burst."
    held = annotation("claude", "", NOON + 900.0, held_from=NOON)
    assert held == "Held back from 12:00 to 12:15 UTC on a model's word."
    lowered = annotation("claude", "One burst.", NOON, lowered_until=NOON + 900.0)
    assert lowered.startswith("Lowered to info on a model's word, until 12:15 UTC at the latest. claude (a model;")
