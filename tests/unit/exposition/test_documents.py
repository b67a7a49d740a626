import math

import pytest

from lens_exporter.exposition import documents
from lens_exporter.exposition.documents import parse_time
from lens_exporter.exposition.ports import WatcherView
from lens_exporter.foundation.clock import rfc3339
from lens_exporter.model.decision import Observation, Phase


def test_times_are_rfc3339_in_utc():
    """Whole seconds have no fraction; others have milliseconds."""
    assert rfc3339(1_795_183_320.0) == "2026-11-20T14:02:00Z"
    assert rfc3339(1_795_183_320.25) == "2026-11-20T14:02:00.250Z"
    assert rfc3339(1_795_183_319.9999) == "2026-11-20T14:02:00Z"


@pytest.mark.parametrize("text", ["1795183320", "2026-11-20T14:02:00Z", "2026-11-20T15:02:00+01:00", "2026-11-20 14:02"])
def test_times_are_read_in_every_usual_form(text):
    """Unix seconds, RFC 3339 with any offset, and a time without zone as UTC are the same moment."""
    assert parse_time(text) == 1_795_183_320.0


@pytest.mark.parametrize(
    "given",
    ["", "yesterday", "nan", "inf", "2026-13-01T00:00:00Z", True, False, None, [1_795_183_320], {}, 10**400, "\ud800", "9" * 5000],
)
def test_what_is_no_time_is_refused(given):
    """A time that cannot be read is an error that says what would have been one, never now or zero."""
    with pytest.raises(ValueError, match=r"^expected Unix seconds or a time like 2026-11-20T14:02:00Z$"):
        parse_time(given)


def test_a_gap_is_null_and_never_nan():
    """JSON has no NaN: readings without a value are null, and the document fits its published shape."""
    reading = Observation("m", "ratio", {"instance": "a"}, 0.0, math.nan, math.inf, None, 1.0, None, Phase.MISSING)
    document = documents.watcher_detail(WatcherView("w", "host", "* * * * *", "waiting", observations=(reading,)))
    documents.WatcherDetail.model_validate(document)
    assert document["readings"][0]["value"] is None
    assert document["readings"][0]["expected"] is None
    assert document["readings"][0]["upper"] == 1.0
