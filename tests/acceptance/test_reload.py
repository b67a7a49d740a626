"""A reload while a model is being asked: the call that is paid for is used."""

import pytest

from tests.acceptance.test_kill import Site, expect_one_result
from tests.servers.model_server import Answer, Asked
from tests.servers.waiting import until

pytestmark = pytest.mark.acceptance


def test_a_reload_does_not_cut_off_a_model_call(tmp_path):
    """The second model call takes three seconds, the reload comes meanwhile: one whole result, no call made twice."""
    site = Site(tmp_path)
    answer = site.model._answer

    def slowly(asked: Asked) -> Answer:
        given = answer(asked)
        return (
            Answer(tools=given.tools, hang=3.0) if len(asked.tool_results) == 1 and "submit_review" not in asked.offered else given
        )

    site.model._answer = slowly
    try:
        site.lens.start()
        site.alert("FilesLeak")
        until(lambda: len(site.model.requests) == 2, 60.0, what="the second model call")
        assert site.lens.post("/-/reload").status_code == 200
        assert site.model.statuses.get(2) is None, "the call was still under way"
        expect_one_result(site)
        assert site.model.abandoned == []
    finally:
        site.close()
