"""Command lines, paths and other words a stranger chose, made fit to be read: secrets out, short, printable."""

import re
from collections.abc import Sequence

from lens_exporter.model.secret import SUSPECT_NAME, hidden, suspect_patterns

_HIDDEN = "[redacted]"
_OPTION = re.compile(rf"-{{1,2}}[\w.-]*{SUSPECT_NAME}[\w.-]*", re.IGNORECASE)
_SHORT_P = re.compile(r"mysql|mariadb|sshpass")  # -pPASSWORD, as one word
_LONGEST = 600  # of one word; the patterns take time with the square of it


def shown(text: str, limit: int = 200) -> str:
    """Make a stranger's text printable and short."""
    plain = "".join(c if c.isprintable() else "?" for c in text[: limit * 2])
    left_out = len(text) - limit
    return f"{plain[:limit]}... ({left_out} more)" if left_out > 0 else plain


def redacted(arguments: Sequence[str], limit: int = 300) -> str:
    """Write a command line on one line without passwords, tokens, keys and the like.

    It hides too much rather than too little; what does not look like a secret at all (a password as a bare word) is kept.
    """
    words: list[str] = []
    program = arguments[0].rpartition("/")[2] if arguments else ""
    hide = False
    for argument in arguments:
        if hide:
            words.append(_HIDDEN)
        elif argument.startswith("-p") and len(argument) > 2 and _SHORT_P.match(program):
            words.append(f"-p{_HIDDEN}")
        else:
            words.append(hidden(argument[:_LONGEST], lambda _kind: _HIDDEN, suspect_patterns()))
        # Also after a hidden word: the option before may have been a switch without a value (--use-auth --token X).
        hide = _OPTION.fullmatch(argument[:_LONGEST]) is not None
        if sum(map(len, words)) > limit:
            break
    left_out = len(arguments) - len(words)
    return shown(" ".join(words), limit) + (f" ... ({left_out} more words)" if left_out else "")
