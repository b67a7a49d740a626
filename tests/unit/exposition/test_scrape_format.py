import gzip

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from lens_exporter.exposition.scrape import Exposition

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


class Families:
    """A collector over ready families."""

    def __init__(self, *families):
        self.families = families

    def collect(self):
        yield from self.families


def up(lens):
    family = GaugeMetricFamily("lens_up", "Whether it could.", labels=["lens"])
    family.add_metric([lens], 1)
    return family


def test_a_family_of_two_collectors_is_written_once():
    """The formats forbid a second HELP or TYPE line; both collectors' samples are there."""
    body, _ = Exposition([Families(up("host")), Families(up("python"))]).encode("", "")
    text = body.decode()
    assert text.count("# TYPE lens_up gauge") == 1
    assert {sample.labels["lens"] for family in parse_text(text) for sample in family.samples} == {"host", "python"}


def test_merging_leaves_the_collectors_own_families_alone():
    """A scrape does not grow what a collector keeps."""
    kept = up("host")
    exposition = Exposition([Families(kept), Families(up("python"))])
    assert exposition.encode("", "")[0] == exposition.encode("", "")[0]
    assert len(kept.samples) == 1


def test_empty_families_and_creation_times_are_left_out():
    """Nothing without a sample, and no second series for each counter."""
    registry = CollectorRegistry()
    Gauge("never_set", "x", ["label"], registry=registry)
    Counter("things_total", "x", registry=registry).inc()
    text = Exposition([registry]).encode("", "")[0].decode()
    assert "never_set" not in text
    assert "_created" not in text
    assert "things_total 1.0" in text


def test_the_scraper_chooses_format_and_encoding():
    """OpenMetrics ends in # EOF and says so in its type; gzip is announced; the default is the text format."""
    exposition = Exposition([Families(up("host"))])
    body, headers = exposition.encode(OPENMETRICS, "gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    text = gzip.decompress(body).decode()
    assert text.endswith("# EOF\n")
    assert [family.name for family in parse_openmetrics(text)] == ["lens_up"]
    body, headers = exposition.encode("", "identity")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "Content-Encoding" not in headers
