"""What can be told of PromQL without a server: whether its brackets and quotes close. The server judges all else."""

import re
from typing import Annotated

from pydantic import AfterValidator

_CLOSES = {"(": ")", "[": "]", "{": "}"}
_TOKEN = re.compile(
    r"""
    (?P<skip> \#[^\n]* | \\. | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*` )  # a comment, an escape, a text
  | (?P<open> [(\[{] )
  | (?P<close> [)\]}] )
  | (?P<quote> ["'`] )
    """,
    re.VERBOSE | re.DOTALL,
)


def balanced(query: str) -> str:
    """Give the query back.

    Raises:
        ValueError: a bracket or a quote is left open, or closes nothing; the message says which and where.

    """
    opened: list[re.Match[str]] = []
    for token in _TOKEN.finditer(query):
        match token.lastgroup:
            case "open":
                opened.append(token)
            case "close" if opened and _CLOSES[opened[-1].group()] == token.group():
                opened.pop()
            case "close":
                raise ValueError(f"the {_placed(token)} closes nothing" + (f"; {_placed(opened[-1])} is open" if opened else ""))
            case "quote":
                raise ValueError(f"the {_placed(token)} is not closed")
    if opened:
        raise ValueError(f"the {_placed(opened[-1])} is not closed")
    return query


def _placed(token: re.Match[str]) -> str:
    return f"{token.group()} at character {token.start() + 1}"


Query = Annotated[str, AfterValidator(balanced)]
