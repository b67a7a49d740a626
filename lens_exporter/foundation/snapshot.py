"""The state of an object as one file: arrays as arrays, all else as JSON. Nothing that is in it is ever run."""

import contextlib
import importlib
import json
import os
import shutil
import stat
import struct
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from lens_exporter.errors import SnapshotError

SUFFIX = ".lens-snapshot"
_FINGERPRINT, _DOCUMENT = "fingerprint", "document"  # names among the arrays, of a text and of the JSON
_LARGEST_PART = 0.5  # of the space that is free without snapshots: a cache must not fill the disk that the database is on
_one_at_a_time = threading.Lock()  # writes: each counts what the others have taken
# What reading a file that is cut short, overwritten or made by somebody else comes to.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, ImportError, RuntimeError, MemoryError),
    *(struct.error, zipfile.BadZipFile, zlib.error),
)


def save(path: Path, state: object, *, fingerprint: str, given: Mapping[str, object]) -> int:
    """Write an object's state in place of the file that is there, for the owner alone; give the file's size in bytes.

    state: numbers, texts, None, lists, tuples, mappings, arrays, and objects of our own whose `__getstate__` consists of such.
    fingerprint: only a reader who names the same gets it back. given: what is not written but named, for the reader has it.

    Raises:
        SnapshotError: it cannot be written, or all snapshots of the folder would take more than half of the space that is free
            without them. The old file stands.

    """
    packing = _Packing(given)
    document = json.dumps(packing.packed(state)).encode()
    unfinished: Path | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _one_at_a_time:
            _hold_to_the_free_space(path, len(document) + sum(array.nbytes for array in packing.arrays))
            descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".new", dir=path.parent)
            unfinished = Path(name)
            # Not synced: what a power failure leaves of it is found out by its checksums, and then it is learnt anew.
            with os.fdopen(descriptor, "wb") as file:
                texts = {_FINGERPRINT: np.frombuffer(fingerprint.encode(), np.uint8), _DOCUMENT: np.frombuffer(document, np.uint8)}
                arrays = {str(number): array for number, array in enumerate(packing.arrays)}
                np.savez(file, allow_pickle=False, **texts, **arrays)
            unfinished.replace(path)
            return path.stat().st_size
    except OSError as error:
        raise SnapshotError(path=path, reason=str(error)) from error
    finally:
        if unfinished is not None:
            with contextlib.suppress(OSError):
                unfinished.unlink()  # there is one only if it failed


def load(path: Path, *, fingerprint: str, given: Mapping[str, object], package: str) -> Any | None:
    """Give what was saved; None where there is no file, or one with another fingerprint.

    package: objects in it may be of classes of this package only.

    Raises:
        SnapshotError: it cannot be read, or is not what `save` writes.

    """
    try:
        with _opened(path) as raw, np.load(_archive(raw), allow_pickle=False) as file:
            # Stored as it is: what is read takes no more memory than the file is long.
            if any(member.compress_type != zipfile.ZIP_STORED for member in file.zip.infolist()):
                raise ValueError("it is compressed")
            if sum(member.file_size for member in file.zip.infolist()) > os.fstat(raw.fileno()).st_size:
                raise ValueError("its parts are longer than the file")
            if file[_FINGERPRINT].tobytes().decode() != fingerprint:
                return None
            return _Unpacking(file, given, package).unpacked(json.loads(file[_DOCUMENT].tobytes()))
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        raise SnapshotError(path=path, reason=f"{type(error).__name__}: {error}") from error


def _hold_to_the_free_space(path: Path, size: int) -> None:
    taken = {}
    for each in path.parent.glob(f"*{SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # its watcher may take it away
            taken[each] = each.lstat().st_size
    others = sum(taken.values()) - taken.get(path, 0)
    free = shutil.disk_usage(path.parent).free
    without = free + sum(taken.values())
    if others + size > _LARGEST_PART * without:
        told = (
            f"{size} bytes beside {others} of other snapshots are more than half of the {without} that would be free without them"
        )
        raise SnapshotError(path=path, reason=told)
    if size > free:  # the old file stands until the new one is whole
        raise SnapshotError(path=path, reason=f"it takes {size} bytes, and {free} are free")


def _opened(path: Path) -> IO[bytes]:
    """Open a plain file that nobody else may write. Nothing else is waited for, or followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode  # not whose it is: some servers of files give all of them to one user
    if not stat.S_ISREG(mode) or mode & (stat.S_IWGRP | stat.S_IWOTH):
        os.close(descriptor)
        raise ValueError(f"it is no plain file that only its owner may write ({stat.filemode(mode)}): delete it")
    return os.fdopen(descriptor, "rb")


def _archive(raw: IO[bytes]) -> IO[bytes]:
    if not zipfile.is_zipfile(raw):
        raise ValueError("it is no snapshot")  # numpy would say how to run what is in it
    raw.seek(0)
    return raw


class _Packing:
    """Turns values into JSON and the arrays that it names by their number."""

    def __init__(self, given: Mapping[str, object]) -> None:
        self.arrays: list[np.ndarray] = []
        self._places: dict[int, int] = {}  # of arrays by identity: what is shared stays shared
        self._given = {id(value): name for name, value in given.items()}

    def packed(self, value: object) -> Any:
        if (name := self._given.get(id(value))) is not None:
            return {"given": name}
        match value:
            case None | bool() | int() | float() | str():
                return value
            case np.ndarray():
                return {"array": self._place(value)}
            case np.generic():
                return {"number": self._place(np.asarray(value))}
            case list():
                return [self.packed(each) for each in value]
            case tuple():
                return {"tuple": [self.packed(each) for each in value]}
            case dict():
                return {"dict": [[self.packed(key), self.packed(each)] for key, each in value.items()]}
            case _:
                kind = type(value)
                return {"object": f"{kind.__module__}:{kind.__qualname__}", "state": self.packed(value.__getstate__())}

    def _place(self, array: np.ndarray) -> int:
        if id(array) not in self._places:
            self._places[id(array)] = len(self.arrays)
            self.arrays.append(array)  # which keeps its identity from being another's
        return self._places[id(array)]


class _Unpacking:
    def __init__(self, file: Mapping[str, np.ndarray], given: Mapping[str, object], package: str) -> None:
        self._file = file
        self._given = given
        self._package = package
        self._arrays: dict[int, np.ndarray] = {}

    def unpacked(self, packed: Any) -> Any:
        match packed:
            case list():
                return [self.unpacked(each) for each in packed]
            case {"given": name}:
                return self._given[name]
            case {"array": place}:
                return self._array(place)
            case {"number": place}:
                return self._array(place)[()]
            case {"tuple": values}:
                return tuple(self.unpacked(each) for each in values)
            case {"dict": items}:
                return {self.unpacked(key): self.unpacked(each) for key, each in items}
            case {"object": name, "state": state}:
                return _made(self._kind(name), self.unpacked(state))
            case dict():
                raise ValueError(f"what is {sorted(packed)}?")
        return packed

    def _array(self, place: int) -> np.ndarray:
        if place not in self._arrays:
            self._arrays[place] = self._file[str(place)]
        return self._arrays[place]

    def _kind(self, name: str) -> type:
        module, _, qualified = name.partition(":")
        if module != self._package and not module.startswith(self._package + "."):
            raise ValueError(f"{name} is not of {self._package}")
        found = vars(importlib.import_module(module))[qualified]
        if not isinstance(found, type) or found.__module__ != module:
            raise ValueError(f"{name} is no class of that module")
        return found


def _made(kind: type, state: Any) -> object:
    """Make an object without its constructor, as copying does."""
    value: object = object.__new__(kind)
    if (restore := getattr(value, "__setstate__", None)) is not None:
        restore(state)
        return value
    for name, each in _attributes(state):
        object.__setattr__(value, name, each)  # also of what is frozen
    return value


def _attributes(state: Any) -> Iterator[tuple[str, Any]]:
    """Give the attributes in what object.__getstate__ gives: those of a mapping, or of a mapping and of slots."""
    for part in state if isinstance(state, tuple) else (state,):
        yield from (part or {}).items()
