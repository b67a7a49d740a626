"""Labels as selectors: no name and no value becomes another query."""

import pytest

from lens_exporter.baseline.naming import narrowed
from lens_exporter.model.labels import selector
from lens_exporter.prometheus.promql import readings


def test_classic_names_are_written_bare_and_others_quoted() -> None:
    """As Prometheus 3 reads names of any UTF-8; the older ones never have such labels."""
    labels = {"job": "api", "service.name": "a", "größe": "b"}
    assert selector(labels, metric="up") == 'up{"größe"="b",job="api","service.name"="a"}'


@pytest.mark.parametrize("name", ['a="1"} or up{b', "a'", "a`", "a\\", "a\n", "a{", "}", "", "a\x00", "a\x85", "a\u2028b"])
def test_hostile_names_are_left_out(name: str) -> None:
    """Quotes, braces, backslashes and control characters in a name select nothing and end nothing."""
    assert selector({name: "x", "job": "api"}, metric="up") == 'up{job="api"}'
    assert narrowed("rate(up[5m])", {name: "x", "job": "api"}) in ("rate(up[5m])", 'rate(up{job="api"}[5m])')
    assert narrowed('rate(up{env="a"}[5m])', {name: "x"}) == 'rate(up{env="a"}[5m])'


def test_hostile_values_stay_inside_their_quotes() -> None:
    """A value is text, whatever it looks like, also behind a quoted name."""
    hostile = 'x"} or up{a="\\\n'
    for name in ("job", "service.name"):
        written = selector({name: hostile}, metric="up")
        assert written.endswith('="x\\"} or up{a=\\"\\\\\\n"}')
        assert len(readings(written)) == 1
