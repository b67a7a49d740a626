"""A YAML file as plain values, with the line of every key. Duplicate keys are problems, not silently the last one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from lens_exporter.config.values import Key

# An alias may stand for a large part many times over; a configuration that unfolds to more than this is an attack or an accident.
_MOST_NODES = 100_000
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: the path of keys inside the file, and a line (from 1; 0 when unknown)."""

    key: Key
    text: str
    line: int = 0


@dataclass(slots=True)
class Tree:
    """The values of one file, the line of each key and list item, and what is wrong with the YAML itself."""

    value: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, key: Key) -> int:
        """Give the line of a key; for one that is not there, the line of what it should stand in."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def parse(text: str) -> Tree:
    """Read YAML. Whatever is wrong with it is in the tree's problems; then the value may be incomplete."""
    tree = Tree()
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                tree.value = _Reader(loader, tree).read(node, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"column {mark.column + 1}: " if mark else ""
        problem = " ".join(filter(None, (error.context, error.problem)))
        tree.problems.append(Problem((), f"{at}not YAML: {problem}", mark.line + 1 if mark else 0))
    except yaml.YAMLError as error:
        tree.problems.append(Problem((), "not YAML: " + " ".join(str(error).split())))
    except RecursionError:
        tree.problems.append(Problem((), "nested too deep"))
    return tree


class _Reader:
    def __init__(self, loader: yaml.SafeLoader, tree: Tree) -> None:
        self._loader = loader
        self._tree = tree
        self._open: list[yaml.Node] = []
        self._count = 0

    def read(self, node: yaml.Node, key: Key) -> Any:
        self._count += 1
        if self._count > _MOST_NODES:
            raise yaml.constructor.ConstructorError(None, None, f"more than {_MOST_NODES} values", node.start_mark)
        if node in self._open:
            raise yaml.constructor.ConstructorError(None, None, "an alias that contains itself", node.start_mark)
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, key)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, key)
            return self._scalar(node)
        finally:
            self._open.pop()

    def _sequence(self, node: yaml.SequenceNode, key: Key) -> list[Any]:
        for index, item in enumerate(node.value):
            self._tree.lines[(*key, index)] = item.start_mark.line + 1
        return [self.read(item, (*key, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        own = [(name, value) for name, value in node.value if name.tag != _MERGE]
        given: dict[str, Any] = {}
        for source in self._merged(node):
            for name, value in source.items():
                given.setdefault(name, value)
        seen: dict[str, int] = {}
        for name_node, value_node in own:
            name = self._name(name_node, key)
            line = name_node.start_mark.line + 1
            if name in seen:
                self._tree.problems.append(Problem((*key, name), f"the key is used twice, first in line {seen[name]}", line))
            seen[name] = line
            self._tree.lines[(*key, name)] = line
            given[name] = self.read(value_node, (*key, name))
        return given

    def _merged(self, node: yaml.MappingNode) -> Iterator[dict[str, Any]]:
        # `<<: *anchor` and `<<: [*first, *second]`: keys of the mapping itself win, then the first.
        for name, value in node.value:
            if name.tag != _MERGE:
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(source, yaml.MappingNode):
                    raise yaml.constructor.ConstructorError(None, None, "expected a mapping after <<", source.start_mark)
                yield self._mapping(source, ("<<",))

    def _name(self, node: yaml.Node, key: Key) -> str:
        name = self.read(node, ())
        if not isinstance(name, str):
            line = node.start_mark.line + 1
            self._tree.problems.append(Problem(key, f"expected a key of text, got {node.value}; put it in quotes", line))
        return str(name)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError) as error:  # 2026-02-30
            problem = "looks like a date or a number and is none; put it in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error
