"""Queries as they are sent."""

import pytest

from lens_exporter.model.metric import substituted


@pytest.mark.parametrize(
    ("query", "selector", "sent"),
    [
        ("m{$selector}", 'job="api"', 'm{job="api"}'),
        ("m{$selector}", "", "m{}"),
        ('m{mode="x",$selector}', 'job="api"', 'm{mode="x",job="api"}'),
        ('m{mode="x",$selector}', "", 'm{mode="x"}'),
        ('m{$selector,mode="x"}', "", 'm{mode="x"}'),
        ("a{$selector} / b{$selector}", 'job="api"', 'a{job="api"} / b{job="api"}'),
        ('label_replace(m, "a", "$1", "b", "(.*)")', 'job="api"', 'label_replace(m, "a", "$1", "b", "(.*)")'),
    ],
)
def test_the_selector_is_put_where_the_query_says(query: str, selector: str, sent: str) -> None:
    """And without one the query stays valid PromQL."""
    assert substituted(query, selector) == sent
