"""A matcher of Alertmanager's: what it says about one label."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import re2  # type: ignore[import-untyped]  # as in Go: the same syntax, and no pattern of a stranger takes longer than its text

from lens_exporter.errors import MatcherInvalid
from lens_exporter.model.labels import Labels

_OPERATORS = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}  # equal, regex


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label that is not there counts as empty; a regular expression has to match the whole value (pkg/labels/matcher.go).

    Raises:
        MatcherInvalid: the regular expression cannot be read.

    """

    name: str
    value: str
    regex: bool = False
    equal: bool = True
    _pattern: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if not self.regex:
            return
        options = re2.Options()
        options.log_errors = False
        try:
            object.__setattr__(self, "_pattern", re2.compile(self.value, options))
        except (re2.error, UnicodeEncodeError) as error:
            said = error.args[0] if error.args else error
            reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)
            raise MatcherInvalid(matcher=str(self), reason=reason) from error

    def matches(self, labels: Labels) -> bool:
        """Say whether labels are as it says."""
        value = labels.get(self.name, "")
        same = value == self.value if self._pattern is None else self._pattern.fullmatch(value) is not None
        return same is self.equal

    def __str__(self) -> str:
        return f'{self.name}{_OPERATORS[self.equal, self.regex]}"{self.value}"'


def all_match(matchers: Sequence[Matcher], labels: Labels) -> bool:
    """Say whether labels are as every matcher says."""
    return all(matcher.matches(labels) for matcher in matchers)
