"""Reading the settings' own declarations: for errors that say what was expected, and for docs/configuration.md."""

from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lens_exporter.config.values import Key


class Kind(NamedTuple):
    """A type without None and Annotated around it, and the noun its errors use ("" when it has none)."""

    type: Any
    title: str


def kind_of(annotation: Any, metadata: Sequence[Any] = (), title: str | None = None) -> Kind:
    """Take Annotated and Optional off a type."""
    title = title or next((item.title for item in metadata if isinstance(item, FieldInfo) and item.title), None)
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return kind_of(inner, more, title)
    if origin in {Union, UnionType}:
        members = [member for member in get_args(annotation) if member is not type(None)]
        if len(members) == 1:
            return kind_of(members[0], (), title)
    return Kind(annotation, title or "")


def kind_of_field(field: FieldInfo) -> Kind:
    return kind_of(field.annotation, field.metadata, field.title)


def needs_restart(field: FieldInfo) -> bool:
    """Say whether a setting is read only at the start: then a reload that changes it is refused."""
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("needs_restart"))


def model_in(kind: Kind) -> type[BaseModel] | None:
    """Give the model of a section, or None where the value is not a section."""
    return kind.type if isinstance(kind.type, type) and issubclass(kind.type, BaseModel) else None


def items_of(kind: Kind) -> Kind | None:
    """Give the kind of a list's items or a mapping's values."""
    origin, arguments = get_origin(kind.type), get_args(kind.type)
    if origin is tuple or origin is list:
        return kind_of(arguments[0])
    if origin is dict:
        return kind_of(arguments[1])
    return None


def kind_at(model: type[BaseModel], key: Key) -> Kind | None:
    """Follow a path of keys from a model; None where the declarations do not reach."""
    kind: Kind | None = Kind(model, "")
    for part in key:
        if kind is None:
            return None
        section = model_in(kind)
        if section is None:
            kind = items_of(kind)
        else:
            field = section.model_fields.get(str(part))
            kind = kind_of_field(field) if field is not None else None
    return kind
