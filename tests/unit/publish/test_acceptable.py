"""What every Alertmanager accepts."""

from hypothesis import given
from hypothesis import strategies as st

from lens_exporter.model.alert import Alert
from lens_exporter.publish.acceptable import MAX_LABEL_VALUE, MAX_NAME, acceptable, labels

ANY_TEXT = st.text(st.characters(codec=None), max_size=50)


def test_good_labels_stay_as_they_are():
    """Cleaning changes no fingerprint without need."""
    good = {"alertname": "X", "instance": "a:1", "path": 'C:\\ "ü" \n'}
    assert labels(good) == good


def test_bad_names_are_renamed_hidden_and_empty_ones_dropped():
    """UTF-8 names of Prometheus 3 become ASCII; two that become one are told apart."""
    given_labels = {"__name__": "x", "a.b": "1", "a-b": "2", "0": "3", "": "4", "empty": "", "größe": "5"}
    assert labels(given_labels) == {"a_b": "2", "a_b_2": "1", "_0": "3", "unnamed": "4", "gr__e": "5"}


def test_a_link_that_is_no_address_is_dropped():
    """Alertmanager would refuse the whole alert for it."""
    for link in ("nonsense", "http://", "http://a b", "javascript:alert(1)", ""):
        assert acceptable(Alert({"a": "b"}, generator_url=link)).generator_url == ""
    assert acceptable(Alert({"a": "b"}, generator_url="https://lens/x?y=1#z")).generator_url == "https://lens/x?y=1#z"


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.just("x" * 5000), max_size=8))
def test_whatever_comes_in_is_acceptable_and_stable(anything):
    """Names are ASCII label names, values are non-empty UTF-8 of bounded size, and cleaning twice is cleaning once."""
    alert = acceptable(Alert(anything, anything, 1.23456, 2.34567))
    for name, value in alert.labels.items():
        assert name.isascii()
        assert name.isidentifier()
        assert len(name) <= MAX_NAME + 3
        assert 0 < len(value.encode()) <= 4 * MAX_LABEL_VALUE
    assert (alert.starts_at, alert.ends_at) == (1.235, 2.346)
    assert acceptable(alert) == alert
