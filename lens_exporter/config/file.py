"""From one YAML file to a Config, or to every error in it at once: `lens.yml:6: watchers[1].beam.nodes: expected a list ...`."""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lens_exporter.config import schema, shortforms, words
from lens_exporter.config.settings import Config, Llm, Watcher
from lens_exporter.config.tree import Problem, Tree, parse
from lens_exporter.config.values import Key, Settings
from lens_exporter.errors import ConfigError, ConfigInvalid

LensOptions = Mapping[str, type[BaseModel]]  # the lenses there are, each with the model of its options


class NoOptions(Settings):
    """For lenses that take no options of their own."""


def load(path: Path, lens_options: LensOptions) -> Config:
    """Read a configuration file. Relative paths in it are taken from its own folder.

    Raises:
        ConfigInvalid: with every problem found, one per line; ConfigError: the file cannot be read.

    """
    return read(text_of(path), path, lens_options)


def text_of(path: Path) -> str:
    """Read a file of settings. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(where=path, problem=f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        # Without the decoder's own words: they hold the bytes.
        raise ConfigError(where=path, problem=f"is not UTF-8 text: byte {error.start}") from None


def mapping_of(text: str, path: Path) -> Tree:
    """Parse a file of settings; an empty one sets nothing. Raises ConfigInvalid: it is no mapping."""
    tree = parse(text)
    if tree.value is None:
        tree.value = {}
    if not isinstance(tree.value, dict):
        raise invalid(path, tree, [*tree.problems, Problem((), "expected a mapping of settings", 1)])
    return tree


def read(text: str, path: Path, lens_options: LensOptions) -> Config:
    """Turn the text of a configuration file into a Config; `path` is for its name in errors and for relative paths.

    Raises:
        ConfigInvalid: with every problem found, one per line.

    """
    tree = mapping_of(text, path)
    entries = _entries(tree, lens_options)
    context = {"base": path.parent}
    problems = [
        *tree.problems,
        *_watchers_misfit(tree.value, entries, lens_options),
        *_readers_misfit(tree.value, entries, context),
    ]
    if tree.value.get("otlp_metrics_interval") is not None and tree.value.get("otlp_endpoint") is None:
        problems.append(Problem(("otlp_metrics_interval",), "nothing says where to: set otlp_endpoint too"))
    values = [entry.value for entry in entries]
    for index, entry in enumerate(entries):
        checked = _options(entry, lens_options, context)
        if isinstance(checked, ValidationError):
            problems += _problems(lens_options[entry.value["lens"]], checked, ("watchers", index), entry, under=("options",))
        elif checked is not None:
            values[index] = {**entry.value, "options": checked}
    given = {**tree.value, "watchers": values} if entries else tree.value
    try:
        config = Config.model_validate(given, context=context)
    except ValidationError as error:
        problems += _translated(error, entries)
        try:
            Config.model_validate(_known(given, error), context=context)
        except ValidationError as more:
            problems += _translated(more, entries)
        raise invalid(path, tree, problems) from None  # pydantic's own text may hold what was given
    if problems:
        raise invalid(path, tree, problems)
    return config


def places(path: Path, lens_options: LensOptions) -> Callable[[Key], str]:
    """Give a function that says where in a file a setting stands: `lens.yml:4`. Raises ConfigInvalid, ConfigError."""
    tree = mapping_of(text_of(path), path)
    entries = _entries(tree, lens_options)
    return lambda key: f"{path}:{tree.line(_as_written(key, entries))}"


def changed(old: Config, new: Config) -> list[str]:
    """Name the top-level settings that differ."""
    return [key for key in Config.model_fields if getattr(old, key) != getattr(new, key)]


def fixed(old: BaseModel, new: BaseModel) -> Iterator[str]:
    """Name the settings that differ and are read only at the start, like `investigate.concurrency`."""
    for key, field in type(old).model_fields.items():
        before, after = getattr(old, key), getattr(new, key)
        if before == after:
            continue
        if schema.needs_restart(field):
            yield key
        elif isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from (f"{key}.{inner}" for inner in fixed(before, after))


def _entries(tree: Tree, lens_options: LensOptions) -> list[shortforms.Entry]:
    listed = tree.value.get("watchers")
    return [shortforms.expand(entry, lens_options) for entry in listed] if isinstance(listed, list) else []


def _known(given: Mapping[str, Any], error: ValidationError) -> Mapping[str, Any]:
    """Copy what was given without unknown keys: beside one, pydantic holds no setting against another."""
    known = copy.deepcopy(given)
    for detail in error.errors(include_url=False):
        if detail["type"] == "extra_forbidden":
            *parts, name = detail["loc"]
            section: Any = known
            for part in parts:
                section = section[part]
            del section[name]
    return known


def _options(entry: shortforms.Entry, lens_options: LensOptions, context: Mapping[str, Any]) -> Any:
    # None: there is no such lens, or the entry is no watcher at all; others say so.
    if not isinstance(entry.value, dict) or not isinstance(entry.value.get("lens"), str):
        return None
    model = lens_options.get(entry.value["lens"])
    given = entry.value.get("options", {})
    if model is None or not isinstance(given, dict):
        return None
    try:
        return model.model_validate(given, context=dict(context)).model_dump()
    except ValidationError as error:
        return error


def _watchers_misfit(value: Mapping[str, Any], entries: list[shortforms.Entry], lens_options: LensOptions) -> Iterator[Problem]:
    """Find what no watcher can know by itself: lenses and data sources that are not there, and names used twice."""
    names: dict[str, Key] = {}
    datasources = value.get("datasources") or {}
    for index, entry in enumerate(entries):
        if not isinstance(entry.value, dict):
            continue
        here: Key = ("watchers", index)
        if entry.misplaced:
            yield Problem((*here, entry.short), entry.misplaced)
        lens, name, source = (entry.value.get(key) for key in ("lens", "name", "datasource"))
        if isinstance(lens, str) and lens not in lens_options:
            meant = words.did_you_mean(lens, lens_options)
            yield Problem((*here, *entry.written(("lens",))), f'there is no lens "{lens}" in this version{meant}')
        if isinstance(name, str):
            if name in names:
                given = entry.written(("name",))
                yield Problem((*here, *given), f'the name "{name}" is used by {_path(names[name])} too; give one a name of its own')
            names.setdefault(name, here)
        if isinstance(source, str) and isinstance(datasources, dict) and source not in datasources:
            known = f"; known: {', '.join(datasources)}" if datasources else "; there are none under datasources"
            yield Problem((*here, *entry.written(("datasource",))), f'there is no data source "{source}"{known}')


def _readers_misfit(value: Mapping[str, Any], entries: list[shortforms.Entry], context: Mapping[str, Any]) -> Iterator[Problem]:
    """Find readings by what is no language model."""
    try:
        llm = Llm.model_validate(value.get("llm", {}), context=dict(context))
    except ValidationError:
        return  # which there are is not known before that is right
    models = sorted(client.name for client in llm.clients if client.provider != "offline")
    for index, entry in enumerate(entries):
        reading = entry.value.get("reading") if isinstance(entry.value, dict) else None
        if not isinstance(reading, dict):
            continue
        named = reading.get("client") or llm.primary
        if not isinstance(named, str) or named in models:
            continue
        known = f"known: {', '.join(models)}" if models else "there are none under llm.clients"
        key: Key = ("reading", "client") if reading.get("client") else ("reading",)
        yield Problem(("watchers", index, *entry.written(key)), f'"{named}" is no language model; {known}')


def _translated(error: ValidationError, entries: list[shortforms.Entry]) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        key, text = words.explain(Config, detail)
        yield Problem(_as_written(key, entries), text)


def _as_written(key: Key, entries: list[shortforms.Entry]) -> Key:
    match key:
        case ("watchers", int(index), *rest) if index < len(entries):
            return ("watchers", index, *entries[index].written(tuple(rest)))
    return key


def _problems(
    model: type[BaseModel], error: ValidationError, here: Key, entry: shortforms.Entry, *, under: Key
) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        key, text = words.explain(model, detail)
        if detail["type"] == "extra_forbidden" and len(key) == 1 and entry.short:
            # In the short form a watcher's own settings and its lens' options stand side by side.
            text = words.unknown_key(str(key[0]), [*model.model_fields, *Watcher.model_fields.keys() - {"lens", "options"}])
        if entry.scalar:
            text = f"needs settings, not a schedule alone: {_path(key)}: {text}"
        yield Problem((*here, *entry.written((*under, *key))), text)


def invalid(path: Path, tree: Tree, problems: list[Problem]) -> ConfigInvalid:
    """Put the problems of a file in the order of its lines."""
    found = sorted({(problem.line or tree.line(problem.key), _path(problem.key), problem.text) for problem in problems})
    lines = [f"{path}:{line}: {f'{key}: ' if key else ''}{text}" for line, key, text in found]
    return ConfigInvalid(lines="\n".join(lines))


def _path(key: Key) -> str:
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w<-]+", part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text
