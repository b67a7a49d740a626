"""What a model is told when the arguments of its call do not fit."""

from pydantic import ValidationError

_MOST = 8


def problems(error: ValidationError) -> str:
    """Say in one line of plain words what is wrong with the arguments of a call."""
    parts = []
    for one in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in one["loc"])
        parts.append(f"{where}: {one['msg']}" if where else str(one["msg"]))
    return "; ".join(parts[:_MOST])
