"""State as a file: what comes back, and what is refused."""

import os
import stat
import subprocess
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lens_exporter.baseline.detection.spread import Scale, nothing_known
from lens_exporter.baseline.roster import Roster
from lens_exporter.errors import SnapshotError
from lens_exporter.foundation import snapshot

PACKAGE = "lens_exporter.baseline"


def saved(folder: Path, state: object, **given: object) -> Path:
    path = folder / "kept" / "api.lens-snapshot"
    snapshot.save(path, state, fingerprint="mine", given=given)
    return path


def loaded(path: Path, fingerprint: str = "mine", **given: object) -> Any:
    return snapshot.load(path, fingerprint=fingerprint, given=given, package=PACKAGE)


def test_plain_values_come_back_as_they_were(tmp_path: Path) -> None:
    """Numbers that are none, tuples, keys that are no text and odd letters among them."""
    state = {"a": [1, 2.5, float("inf"), None, True], 7: ("x", ("y", -0.0)), ("é\ud800", 1): {}, "object": {"array": 1}}
    back = loaded(saved(tmp_path, state))
    assert back == state
    assert [type(one) for one in back[7]] == [str, tuple]
    assert np.isnan(loaded(saved(tmp_path, float("nan"))))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.asfortranarray(np.arange(12.0, dtype=np.float32).reshape(3, 4)),
        np.array([[True, False]]),
        np.zeros((0, 5)),
        np.uint32(7),
        np.array([np.nan, -np.inf]),
    ],
)
def test_arrays_come_back_bit_by_bit(tmp_path: Path, array: np.ndarray) -> None:
    """With their type, and their order in memory, on which the last digits of sums depend."""
    back = loaded(saved(tmp_path, {"it": array}))["it"]
    assert type(back) is type(array)
    assert back.dtype == array.dtype
    assert back.tobytes(order="A") == array.tobytes(order="A")
    assert back.flags.f_contiguous == array.flags.f_contiguous


def test_what_is_shared_stays_shared_and_can_be_written_to(tmp_path: Path) -> None:
    """Two names of one array are that afterwards too."""
    one = np.arange(3.0)
    back = loaded(saved(tmp_path, [one, (one,)]))
    back[0][1] = 9.0
    assert back[1][0].tolist() == [0.0, 9.0, 2.0]


def test_objects_come_back_with_their_state(tmp_path: Path) -> None:
    """Frozen ones with slots, and ones that say themselves what to keep."""
    roster = Roster(2, ("instance",))
    roster.seat(1, ({"instance": "a"}, {"instance": "b"}))
    scale, there = loaded(saved(tmp_path, (nothing_known(2), roster)))
    assert isinstance(scale, Scale)
    assert scale.r_sd.tolist() == [1.0, 1.0]
    assert there.seat(1, ({"instance": "b"},)).tolist() == [1]
    assert there.seat(0, ({"instance": "b"},)).tolist() == [2]


def test_what_is_given_is_named_and_not_written(tmp_path: Path) -> None:
    """The reader has its own: here something that could not be written at all."""
    path = saved(tmp_path, ["clock", print], clock=print)
    assert loaded(path, clock=len) == ["clock", len]
    with pytest.raises(SnapshotError, match=r"api\.lens-snapshot: KeyError: 'clock'"):
        loaded(path)


def test_no_file_and_another_fingerprint_are_no_error(tmp_path: Path) -> None:
    """Then there is nothing to go on with."""
    assert loaded(tmp_path / "none.lens-snapshot") is None
    assert loaded(saved(tmp_path, [1]), fingerprint="other") is None


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    """Label values are in it."""
    path = saved(tmp_path, [1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 8)


def _replaced(text: str, **arrays: np.ndarray) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, fingerprint=_bytes("mine"), document=_bytes(text), **arrays)

    return replace


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _pickled(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, fingerprint=_bytes("mine"), document=np.array([print], dtype=object))


def _compressed(path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, fingerprint=_bytes("mine"), document=_bytes('{"array": 0}'), **{"0": np.zeros(10_000_000)})


def _endless(path: Path) -> None:
    """A header that promises a petabyte."""
    _replaced('{"array": 0}')(path)
    header = np.lib.format.magic(1, 0) + (118).to_bytes(2, "little")
    header += str({"descr": "<f8", "fortran_order": False, "shape": (1 << 47,)}).ljust(117).encode() + b"\n"
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("0.npy", header)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _open_to_all(path: Path) -> None:
    path.chmod(0o666)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _text(path: Path) -> None:
    path.write_text("garbage" * 100)


def _other_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme", "hello")


@pytest.mark.parametrize(
    "spoil",
    [
        _cut,
        _flipped,
        _emptied,
        _garbage,
        _pickled,
        _other_archive,
        _text,
        _compressed,
        _endless,
        _pipe,
        _link,
        _open_to_all,
        _replaced("[" * 100_000),
        _replaced('{"object": "lens_exporter.baseline.baselines:BaselineMetric", "state": {}}'),
        _replaced('{"object": "os:system", "state": null}'),
        _replaced('{"object": "subprocess:Popen", "state": {}}'),
        _replaced('{"object": "lens_exporter.baselinex:X", "state": {}}'),
        _replaced('{"object": "lens_exporter.baseline.roster:group_of", "state": {}}'),
        _replaced('{"object": "lens_exporter.baseline.roster:Nobody", "state": {}}'),
        _replaced('{"object": "lens_exporter.baseline.roster:Roster", "state": 7}'),
        _replaced('{"array": 3}'),
        _replaced('{"what": 1}'),
        _replaced('{"dict": [1]}'),
    ],
)
def test_what_save_does_not_write_is_refused_by_name(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A file that was cut short, changed, or made by somebody else; none of it runs anything."""
    path = saved(tmp_path, {"a": np.arange(5000.0)})
    spoil(path)
    with pytest.raises(SnapshotError, match=r"snapshot .*api\.lens-snapshot: \w+") as told:
        loaded(path)
    assert "unsafely" not in str(told.value)


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    """More than half of the disk is not taken, for the database may be on it; nor is a folder that is none."""
    path = saved(tmp_path, ["old"])
    endless = np.lib.stride_tricks.as_strided(np.zeros(1), shape=(1 << 50,), strides=(0,))
    with pytest.raises(SnapshotError, match=r"\d+ bytes beside 0 of other snapshots are more than half of the \d+ that"):
        snapshot.save(path, endless, fingerprint="mine", given={})
    assert loaded(path) == ["old"]
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotError, match=r"File exists: '.*file'"):
        snapshot.save(tmp_path / "file" / "api.lens-snapshot", [], fingerprint="mine", given={})


def test_no_bit_can_be_flipped_unnoticed(tmp_path: Path) -> None:
    """What a disk changes is either found out or was of no account."""
    state = {"values": np.arange(20.0), "roster": Roster(1), "text": "api-7"}
    path = saved(tmp_path, state)
    whole = path.read_bytes()
    for place in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << place % 8
        path.write_bytes(spoilt)
        try:
            back = loaded(path)
        except SnapshotError:
            continue
        if back is not None:  # None: a bit of the fingerprint, or of what it is called
            assert back["values"].tolist() == state["values"].tolist()
            assert back["text"] == "api-7"


def test_what_somebody_else_put_there_is_not_written_to(tmp_path: Path) -> None:
    """A link in place of the file is replaced, and what it leads to stays as it is."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "api.lens-snapshot").symlink_to(victim)
    assert loaded(saved(tmp_path, ["mine"])) == ["mine"]
    assert victim.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system takes root to make")
def test_all_files_of_a_folder_leave_half_of_the_space(tmp_path: Path) -> None:
    """Several watchers do not take half of the rest each; one that has its file already may write it again."""
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(tmp_path)], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        arrays = np.zeros(1_500_000 // 8)

        def save(name: str) -> None:
            snapshot.save(tmp_path / f"{name}.lens-snapshot", arrays, fingerprint="", given={})

        (tmp_path / "nothing.lens-snapshot").symlink_to("nowhere")  # is nobody's trouble
        with ThreadPoolExecutor(4) as threads:  # as at the end of the process
            at_once = {name: threads.submit(save, name) for name in "abcd"}
        kept = [name for name, one in at_once.items() if one.exception() is None]
        assert len(kept) == 2
        left = next(name for name in "abcd" if name not in kept)
        with pytest.raises(SnapshotError, match=r"beside 3\d{6} of other snapshots are more than half"):
            save(left)
        for name in kept:
            save(name)
        assert {one.name for one in tmp_path.iterdir()} == {f"{name}.lens-snapshot" for name in (*kept, "nothing")}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
