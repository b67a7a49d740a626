"""Failures in a row are told when they begin and when they are over."""

from lens_exporter.foundation.stretch import Over, Stretch


def test_the_first_failure_is_news_and_the_first_success_says_what_it_ended() -> None:
    stretch = Stretch()
    assert stretch.over(5.0) is None
    assert [stretch.failed(at) for at in (10.0, 20.0, 30.0)] == [True, False, False]
    assert stretch.over(70.0) == Over(60.0, 3)
    assert stretch.over(80.0) is None
    assert stretch.failed(90.0)


def test_another_kind_of_failure_is_news_once() -> None:
    """Away, then back with a wrong answer, then away again."""
    stretch = Stretch()
    kinds = [{"Unreachable"}, set(), {"QueryError"}, {"Unreachable"}, {"QueryError", "Unreachable"}]
    assert [stretch.failed(float(at), kind) for at, kind in enumerate(kinds)] == [True, False, True, False, False]


def test_a_clock_that_is_set_back_makes_no_negative_time() -> None:
    stretch = Stretch()
    stretch.failed(100.0)
    assert stretch.over(50.0) == Over(0.0, 1)
