"""Command lines, paths and other words a stranger chose, made fit to be read: secrets out, short, printable."""

import re
from collections.abc import Sequence

_HIDDEN = "[redacted]"
_SECRET = "(?:pass|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|auth|bearer|cookie|dsn)"  # noqa: S105 - a pattern
_OPTION = re.compile(rf"-{{1,2}}[\w.-]*{_SECRET}[\w.-]*", re.IGNORECASE)
# What group 1 matches is kept, the rest is hidden.
_HIDING = (
    # name=value, name: value, "name": "value" inside one word (sh -c "...", JSON)
    re.compile(
        rf"""([\w.-]*{_SECRET}[\w.-]*["']?\s*[=:]\s*)(?:(?:bearer|basic)\s+)?(?:"[^"]*"|'[^']*'|[^\s,;&"']+)""", re.IGNORECASE
    ),
    # --name value inside one word (a process that rewrote its title)
    re.compile(rf"(-{{1,2}}[\w.-]*{_SECRET}[\w.-]*\s+)\S+", re.IGNORECASE),
    re.compile(r"(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"(\b[a-zA-Z][\w+.-]*://)[^\s/@]+(?=@)"),  # user and password of an address
    re.compile(r"()\b(?:sk-|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AKIA|ASIA|eyJ)[\w.-]{8,}"),
    # A long word of letters and digits that is no path: a key, whatever its name.
    re.compile(r"()(?<![\w/.-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{32,}(?![\w/.-])"),
)
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
            words.append(_without_secrets(argument[:_LONGEST]))
        # Also after a hidden word: the option before may have been a switch without a value (--use-auth --token X).
        hide = _OPTION.fullmatch(argument[:_LONGEST]) is not None
        if sum(map(len, words)) > limit:
            break
    left_out = len(arguments) - len(words)
    return shown(" ".join(words), limit) + (f" ... ({left_out} more words)" if left_out else "")


def _without_secrets(text: str) -> str:
    for pattern in _HIDING:
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    return text
