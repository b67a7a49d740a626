"""The fingerprint is an identity: it depends on the label set and on nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.model.labels import fingerprint

LABELS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=6)


@given(LABELS, st.randoms())
def test_order_does_not_matter(labels, random):
    """The same labels in another order are the same alert."""
    items = list(labels.items())
    random.shuffle(items)
    assert fingerprint(dict(items)) == fingerprint(labels)


@given(LABELS)
def test_it_is_sixteen_hexadecimal_digits(labels):
    """Leading zeros are written, as Alertmanager writes them."""
    text = fingerprint(labels)
    assert len(text) == 16
    assert int(text, 16) >= 0
    assert text == text.lower()


@given(LABELS, st.text(max_size=8), st.text(max_size=8))
def test_one_more_or_another_value_is_another_alert(labels, name, value):
    """Every name and every value counts."""
    changed = {**labels, name: value}
    assert (fingerprint(changed) == fingerprint(labels)) == (changed == labels)


@given(st.text(min_size=1, max_size=6), st.text(min_size=1, max_size=6))
def test_moving_a_letter_between_name_and_value_is_another_alert(name, value):
    """Name and value are separated, so that they cannot be glued together differently."""
    assert fingerprint({name: value}) != fingerprint({name + value[0]: value[1:]})


def test_a_known_value():
    """The empty label set is FNV-1a's offset basis, as in prometheus/common."""
    assert fingerprint({}) == "cbf29ce484222325"
