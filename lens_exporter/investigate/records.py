"""What a step gave, as JSON. It comes back from a database: reading it makes values and runs nothing that is written there.

The values are those of JSON, tuples, our enums, frozen dataclasses and errors, and Python's own exceptions.
"""

import builtins
import json
import sys
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from lens_exporter.errors import LensError

_PACKAGE = "lens_exporter"
# What `written` raises of a value that it does not know, and `read` of a text that it did not write or that an older program did.
UNFIT = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def written(value: object) -> str:
    """Write a value down. Raises one of UNFIT."""
    return json.dumps(_packed(value))


def read(text: str) -> Any:
    """Give what was written. Raises one of UNFIT."""
    return _unpacked(json.loads(text))


def _packed(value: object) -> Any:
    match value:
        case Enum():
            return {"enum": _name(type(value)), "value": value.value}
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            return float(value)  # without what numpy makes of it
        case list():
            return [_packed(each) for each in value]
        case tuple():
            return {"tuple": [_packed(each) for each in value]}
        case dict():
            return {"dict": [[_packed(key), _packed(each)] for key, each in value.items()]}
        case LensError():
            return {"error": _name(type(value)), "fields": [[name, _told(each)] for name, each in value.fields.items()]}
        case Exception() if type(value) is vars(builtins).get(type(value).__name__):
            return {"exception": type(value).__name__, "args": [_told(each) for each in value.args]}
        case _ if is_dataclass(value) and not isinstance(value, type):
            kept = {field.name: _packed(getattr(value, field.name)) for field in fields(value) if field.init}
            return {"record": _name(type(value)), "fields": kept}
    raise TypeError(f"a {type(value).__name__} cannot be written down")


def _told(value: object) -> Any:
    """Write down what an error says. Most of it is a part of its message, so words will do."""
    try:
        return _packed(value)
    except TypeError:
        return str(value)


def _unpacked(packed: Any) -> Any:
    match packed:
        case list():
            return [_unpacked(each) for each in packed]
        case {"tuple": values}:
            return tuple(_unpacked(each) for each in values)
        case {"dict": items}:
            return {_unpacked(key): _unpacked(each) for key, each in items}
        case {"enum": name, "value": value}:
            return _kind(name, Enum)(value)
        case {"error": name, "fields": told}:
            return _kind(name, LensError)(**{field: _unpacked(each) for field, each in told})
        case {"exception": name, "args": told}:
            return _of(vars(builtins)[name], name, Exception)(*map(_unpacked, told))
        case {"record": name, "fields": kept}:
            kind = _kind(name, object)
            if not is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
                raise ValueError(f"{name} is no value")
            return kind(**{field: _unpacked(each) for field, each in kept.items()})
        case dict():
            raise ValueError(f"what is {sorted(packed)}?")
    return packed


def _name(kind: type) -> str:
    name = f"{kind.__module__}:{kind.__qualname__}"
    _kind(name, object)
    return name


def _kind(name: str, base: type) -> type[Any]:
    """Find a class of ours by its name. Only where it is imported already: a record imports nothing."""
    module, _, qualified = name.partition(":")
    if not module.startswith(f"{_PACKAGE}."):
        raise ValueError(f"{name} is not of {_PACKAGE}")
    found = vars(sys.modules[module]).get(qualified)
    if getattr(found, "__module__", None) != module:
        raise ValueError(f"{name} is no class of that module")
    return _of(found, name, base)


def _of(found: object, name: str, base: type) -> type[Any]:
    if isinstance(found, type) and issubclass(found, base):
        return found
    raise ValueError(f"{name} is no {base.__name__}")
