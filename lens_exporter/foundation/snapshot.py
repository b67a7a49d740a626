"""The state of an object as one file: arrays as arrays, all else as JSON. Nothing that is in it is ever run."""

import contextlib
import importlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lens_exporter.errors import SnapshotError

_DOCUMENT = "document"  # the name of the JSON among the arrays
_LARGEST_PART = 0.5  # of the free space: a cache must not fill the disk that the database is on
# What reading a file that is cut short, overwritten or made by somebody else comes to.
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, ImportError, zipfile.BadZipFile, zlib.error)


def save(path: Path, state: object, *, fingerprint: str, given: Mapping[str, object]) -> int:
    """Write an object's state in place of the file that is there; give the file's size in bytes.

    state: numbers, texts, None, lists, tuples, mappings, arrays, and objects of our own whose `__getstate__` consists of such.
    fingerprint: only a reader who names the same gets it back. given: what is not written but named, for the reader has it.

    Raises:
        SnapshotError: it cannot be written, or would take more than half of the space that is free. The old file stands.

    """
    packing = _Packing(given)
    document = json.dumps({"fingerprint": fingerprint, "state": packing.packed(state)}).encode()
    size = len(document) + sum(array.nbytes for array in packing.arrays)
    unfinished = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if size > _LARGEST_PART * free:
            raise SnapshotError(path=path, reason=f"it would take {size} bytes, more than half of the {free} that are free")
        # Not synced: what a power failure leaves of it is found out by its checksums, and then it is learnt anew.
        with open(unfinished, "wb", opener=_private) as file:
            arrays = {str(number): array for number, array in enumerate(packing.arrays)}
            np.savez(file, allow_pickle=False, **{_DOCUMENT: np.frombuffer(document, dtype=np.uint8)}, **arrays)
        unfinished.replace(path)
        return path.stat().st_size
    except OSError as error:
        raise SnapshotError(path=path, reason=str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()  # there is one only if it failed


def load(path: Path, *, fingerprint: str, given: Mapping[str, object], package: str) -> Any | None:
    """Give what was saved; None where there is no file, or one with another fingerprint.

    package: objects in it may be of classes of this package only.

    Raises:
        SnapshotError: it cannot be read, or is not what `save` writes.

    """
    try:
        with np.load(path, allow_pickle=False) as file:
            document = json.loads(file[_DOCUMENT].tobytes())
            if document["fingerprint"] != fingerprint:
                return None
            return _Unpacking(file, given, package).unpacked(document["state"])
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        raise SnapshotError(path=path, reason=f"{type(error).__name__}: {error}") from error


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
        if not isinstance(found, type):
            raise ValueError(f"{name} is no class")  # noqa: TRY004 - of the file, not of an argument
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


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
