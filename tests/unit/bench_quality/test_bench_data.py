"""How the public data are read; skipped where they are absent."""

from pathlib import Path

import numpy as np
import pytest

from bench.quality.data import DEFAULT_ROOT, DataAbsent, Event, _events, load_asd, load_nab, load_petshop, load_smd

LOADERS = (load_nab, load_asd, load_smd, load_petshop)


@pytest.fixture
def root() -> Path:
    if not DEFAULT_ROOT.is_dir():
        pytest.skip(f"the public data are not at {DEFAULT_ROOT}")
    return DEFAULT_ROOT


@pytest.mark.parametrize("load", LOADERS)
def test_an_absent_set_is_said_in_a_sentence(load: object, tmp_path: Path) -> None:
    """Which set, where it was looked for, and what helps."""
    assert callable(load)
    with pytest.raises(DataAbsent, match=r"is skipped: there is no folder .* \(give another one with --data\)"):
        load(tmp_path)


def test_nab_windows_stand_on_rows(root: Path) -> None:
    """29 files with 55 windows, each in its file and in order."""
    files = load_nab(root)
    assert len(files) == 29
    assert sum(len(each.windows) for each in files) == 55
    for each in files:
        assert len(each.times) == len(each.values)
        assert all(0 <= first < last < len(each.values) for first, last in each.windows)


def test_machines_have_their_events_and_causes(root: Path) -> None:
    """Events are the runs of labelled rows; every one of both sets has causes among its columns."""
    for machines, events in ((load_asd(root), 38), (load_smd(root), 89)):
        assert sum(len(each.events) for each in machines) == events
        for each in machines:
            assert each.label.sum() == sum(event.end - event.start for event in each.events)
            assert all(event.causes and max(event.causes) < each.test.shape[1] for event in each.events)
            assert each.test_times[0] == each.train_times[-1] + each.step


def test_an_event_has_the_causes_of_the_entries_that_meet_it() -> None:
    """An entry's last row may be its event's last or the one after it; two entries of one event are joined; others stay out."""
    label = np.zeros(100, dtype=np.bool_)
    label[10:20], label[40:50] = True, True
    entries = [(10, 20, [1]), (15, 19, [3]), (30, 35, [7]), (40, 49, [2]), (60, 61, [8])]
    assert list(_events(label, entries)) == [Event(10, 20, (1, 3)), Event(40, 50, (2,))]


def test_smd_is_rescaled_by_its_train_part(root: Path) -> None:
    """Train lies in 0..1, touching both where it varies; test may leave it, which it could not in the set's own scale."""
    machines = load_smd(root)
    for each in machines:
        assert each.train.min() == 0
        varies = np.ptp(each.train, axis=0) > 0
        assert each.train[:, varies].max(axis=0) == pytest.approx(1)
        assert not each.train[:, ~varies].any()
    assert max(each.test.max() for each in machines) > 7
    assert min(each.test.min() for each in machines) < 0


def test_petshop_keeps_gaps_and_names_its_services(root: Path) -> None:
    """Two recordings of two days; a missing cell is NaN; each series belongs to a microservice."""
    recordings = load_petshop(root)
    assert [each.name for each in recordings] == ["high_traffic", "low_traffic"]
    for each in recordings:
        assert each.values.shape == (len(each.series), len(each.times))
        assert np.isnan(each.values).any()
        assert len(set(each.groups)) > 30
        assert all(name.startswith(group + "/") for name, group in zip(each.series, each.groups, strict=True))
