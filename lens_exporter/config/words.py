"""pydantic's errors in plain words."""

import difflib
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from lens_exporter.config.schema import kind_at, model_in
from lens_exporter.config.settings import Metric
from lens_exporter.config.values import Key, Misfit
from lens_exporter.errors import UnknownWord
from lens_exporter.model.secret import may_hold_a_secret

# By pydantic's error type; {…} are its context.
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "model_attributes_type": "a mapping of settings",
    "model_type": "a mapping of settings",
    "path_type": "a path",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_short": "text that is not empty",
    "string_type": "text",
    "tuple_type": "a list",
}
# Types whose error is about the value as such, so that the setting's own noun says better what was expected.
_NAMED_BY_TITLE = {"list_type", "tuple_type", "dict_type", "string_type", "path_type", "float_type", "string_pattern_mismatch"}
_LONGEST_SHOWN = 60
# Keys under which people write secrets; others that sound like it (max_token) are misspelt.
_FOR_SECRETS = {"api_key", "apikey", "bearer_token", "password", "secret", "token"}


def explain(model: type[BaseModel], error: ErrorDetails) -> tuple[Key, str]:
    """Give the path of keys inside the model at which the fault lies, and what it is."""
    key: Key = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "missing":
        return key, "required"
    if error["type"] == "extra_forbidden":
        parent = kind_at(model, key[:-1])
        section = model_in(parent) if parent else None
        return key, unknown_key(str(key[-1]), section.model_fields if section else ())
    if error["type"] == "value_error":
        cause = error["ctx"]["error"]
        if isinstance(cause, Misfit):
            return (*key, *cause.key), str(cause)
        return key, _with_what_was_given(str(cause), key, error["input"])
    return key, _with_what_was_given(f"expected {_expected(model, key, error)}", key, error["input"])


def unknown_key(name: str, known: Iterable[str]) -> str:
    """Say that a key is unknown, and which was probably meant; where it belongs, if it is a metric's or for a secret."""
    names = list(known)
    if "metrics" in names and name in Metric.model_fields:
        return f"unknown key; it belongs to a metric, which has a name: metrics: {{NAME: {{{name}: ...}}}}"
    places = _places_of_secrets(name, names)
    if not places:
        return "unknown key" + did_you_mean(name, names)
    return f"unknown key; secrets are never written here; use {' or '.join(places)}"


def _places_of_secrets(name: str, known: list[str]) -> list[str]:
    """Give the settings that say where the secret is which somebody wrote under this name."""
    if not may_hold_a_secret(name):
        return []
    own = [key for key in known if key in {f"{name}_file", f"{name}_env"}]
    if own or name not in _FOR_SECRETS:
        return own
    return [key for key in known if key.endswith(("_file", "_env")) and may_hold_a_secret(key.rpartition("_")[0])]


def expect_known(what: str, name: str, known: Iterable[str]) -> None:
    """Raise UnknownWord, with all there are and which was probably meant, when a name is none of the known ones."""
    names = list(known)
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        meant = f' (did you mean "{close[0]}"?)' if close else ""
        raise UnknownWord(what=what, name=name, meant=meant, known=", ".join(names) or "none")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give "; did you mean "x"?", else "; known: x, y"."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 1)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known: {', '.join(sorted(names))}" if names else ""


def _expected(model: type[BaseModel], key: Key, error: ErrorDetails) -> str:
    kind = kind_at(model, key)
    if kind is not None and kind.title and error["type"] in _NAMED_BY_TITLE:
        return f"{'an' if kind.title[0] in 'aeiou' else 'a'} {kind.title}"
    if error["type"] in {"literal_error", "enum"}:
        choices: str = error["ctx"]["expected"]
        return "one of " + choices.replace("'", "").replace(" or ", ", ")
    if error["type"] in _EXPECTED:
        return _EXPECTED[error["type"]].format(**error.get("ctx", {}))
    message: str = error["msg"]
    return message[:1].lower() + message[1:]


def _with_what_was_given(text: str, key: Key, given: Any) -> str:
    if not text.startswith("expected") or any(may_hold_a_secret(str(part)) for part in key):
        return text
    return f"{text}, got {_shown(given)}"


def _shown(given: Any) -> str:
    if given is None:
        return "nothing"
    if isinstance(given, dict):
        return "a mapping"
    if isinstance(given, list | tuple):
        return "a list"
    # ASCII: nothing that was given can break or hide a line of the report.
    shown = json.dumps(given, default=str)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 3]}..."
