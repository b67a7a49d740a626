"""What a secret is: the names that stand before one, and what one looks like. The one table, for everything that shows text.

Patterns of the table are precise, and each is linear in the length of the text: it begins with a literal (or stands at the border
of a word) and all its repetitions are bounded or possessive, so that no text, however hostile, makes it slow. Group 1, where there
is one, is context that stays.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class SecretPattern:
    kind: str  # says in a placeholder what was there
    pattern: re.Pattern[str]


# A name that says "what follows is secret", as the end of a longer name: DB_PASSWORD, aws_secret_access_key.
REVEALING_NAME = (
    r"pass(?:word|wd|phrase|code)|(?-i:\bpwd)|secret(?:[_-]?(?:access[_-]?)?key)?|client[_-]?secret|token|"
    r"api[_-]?key|(?:access|account|private|shared[_-]?access|signing|encryption|license)[_-]?key|credentials?"
)
# Where too much is hidden rather than too little (the command lines of strangers), also a part of a name, and more of them.
SUSPECT_NAME = rf"(?:{REVEALING_NAME}|pass|pwd|auth|bearer|cookie|dsn)"
_NAME = re.compile(rf"(?i){REVEALING_NAME}|authorization|cookie")
_NAME_ENDS = re.compile(rf"(?i)(?:.{{0,64}})(?:{REVEALING_NAME}|authorization|cookie)")
_NAME_CHARACTERS = 200

# A value: in escaped quotes (JSON inside JSON), in quotes, or bare. Bare ones end where an assignment of a list ends.
_VALUE = (
    r"(?:(?<=\\\")[^\"\\\n]{1,512}|(?<=\\')[^'\\\n]{1,512}|(?<=\")(?:[^\"\\\n]|\\.){1,512}|(?<=')(?:[^'\\\n]|\\.){1,512}|"
    r"(?<![\"'])(?:[^\s,;&\"'(){}<>\\|\[\]]|,(?![\s\"']|\w{1,32}=)){1,512})"
)

_TABLE: tuple[tuple[str, str], ...] = (
    (
        # The whole block, also one that was cut off before its END line.
        "private_key",
        (
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:\s|\\[nrt]|[A-Za-z0-9+/=]{20,}+|[A-Za-z0-9+/=]{1,19}+(?=\r?\n|\\[nr])|(?:Proc-Type|DEK-Info|Version|Comment):[^\n\\]{0,100})*+"
            r"(?:[A-Za-z0-9+/=]{1,20}+)?(?:(?:\s|\\[nrt]){0,8}-----END [A-Z0-9 ]{0,40}-----)?"
        ),
    ),
    ("authorization", r"(?i)((?:proxy-)?authorization[\\\"']{0,4}\s{0,4}[:=]\s{0,4}[\\\"']{0,4})[^\r\n\"'\\]{1,4096}"),
    ("cookie", r"(?i)(\b(?:set-)?cookie[\\\"']{0,4}\s{0,4}:\s{0,4}[\\\"']{0,4})[^\r\n\"'\\]{1,4096}"),
    ("cookie", r"(-setcookie[\\\"',]{0,4}\s{0,4}[\\\"']{0,4})[^\s\"'\\,]{1,256}"),
    ("bearer", r"(?i)(\bbearer\s{1,8})(?=[a-z._~+/=-]{0,64}\d)[a-z0-9._~+/=-]{12,4096}"),
    ("basic", r"((?i:\bbasic)\s{1,8})(?=[A-Za-z+/]{0,64}(?:[0-9=]|[a-z][A-Z]))[A-Za-z0-9+/]{12,1024}={0,2}"),
    ("jwt", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{4,8192}\.[A-Za-z0-9_-]{0,4096}"),
    ("aws_key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("api_key", r"(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{16,256}"),
    ("api_key", r"(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{10,256}"),
    ("api_key", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}"),
    ("github_token", r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})"),
    ("gitlab_token", r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,255}"),
    ("slack_token", r"(?<![A-Za-z0-9])(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,255}"),
    ("slack_webhook", r"(hooks\.slack\.com/services/)[A-Za-z0-9/_-]{8,255}"),
    ("grafana_token", r"(?<![A-Za-z0-9])gl(?:sa|c)_[A-Za-z0-9_]{16,255}"),
    ("userinfo", r"(://)[^\s/?#\"'<>\[\]\\]{1,256}(?=@)"),
    ("userinfo", r"((?<![\w-])(?:-u|--user)[\s=]{1,4}[\"']?[^\s:\"']{1,128}:)[^\s\"'\[\]]{1,256}"),
    ("password", rf"(?i)((?:{REVEALING_NAME})[\\\"'\]]{{0,4}}\s{{0,8}}(?:=>|:=|=~|[:=])\s{{0,8}}\\{{0,3}}[\"']?){_VALUE}"),
    (
        "password",
        rf"(?i)((?<![\w-])--(?:[a-z0-9]{{1,20}}[_-]){{0,4}}(?:{REVEALING_NAME})\s{{1,8}}[\"']?)[^\s\"'\[\]-][^\s\"'\[\]]{{0,511}}",
    ),
    ("signature", r"(?i)([?&](?:sig|x-amz-signature|x-amz-security-token)=)[^\s&\"'\[\]]{8,2048}"),
)


# More, for the same strangers: looser forms of what the table has.
_SUSPECT: tuple[tuple[str, str], ...] = (
    # name=value, name: value, "name": "value" inside one word (sh -c "...", JSON)
    (
        "password",
        rf"""(?i)([\w.-]*{SUSPECT_NAME}[\w.-]*["']?\s*[=:]\s*)(?:(?:bearer|basic)\s+)?(?:"[^"]*"|'[^']*'|[^\s,;&"']+)""",
    ),
    # --name value inside one word (a process that rewrote its title)
    ("password", rf"(?i)(-{{1,2}}[\w.-]*{SUSPECT_NAME}[\w.-]*\s+)\S+"),
    ("bearer", r"(?i)(\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}"),
    ("userinfo", r"(\b[a-zA-Z][\w+.-]*://)[^\s/@]+(?=@)"),
    ("api_key", r"\b(?:sk-|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AKIA|ASIA|eyJ)[\w.-]{8,}"),
    # A long word of letters and digits that is no path: a key, whatever its name.
    ("key", r"(?<![\w/.-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{32,}(?![\w/.-])"),
)


def may_hold_a_secret(name: str) -> bool:
    """Say whether a value under this name may be a secret. Names that end in _file and _env only say where one is."""
    return bool(_NAME.search(name)) and not name.endswith(("_file", "_env"))


def names_a_secret(name: str) -> bool:
    """Say whether a name ends as the names of secrets do: db_password does, max_tokens and token_count do not."""
    return _NAME_ENDS.fullmatch(name[-_NAME_CHARACTERS:]) is not None


# Compiled when the first text is looked at, so that a program that only measures itself does not wait for them.
@cache
def patterns() -> tuple[SecretPattern, ...]:
    """Give the table, in the order in which it is applied."""
    return tuple(SecretPattern(kind, re.compile(pattern)) for kind, pattern in _TABLE)


@cache
def suspect_patterns() -> tuple[SecretPattern, ...]:
    """Give the looser forms and then the table. They take time with the square of the text's length: cut it before."""
    return tuple(SecretPattern(kind, re.compile(pattern)) for kind, pattern in _SUSPECT) + patterns()


def replaced(secret: SecretPattern, text: str, placeholder: str) -> str:
    """Put the placeholder where the pattern finds a secret; its context stays."""
    if secret.pattern.groups:
        return secret.pattern.sub(lambda match: f"{match.group(1)}{placeholder}", text)
    return secret.pattern.sub(placeholder, text)


def hidden(text: str, placeholder: Callable[[str], str], among: tuple[SecretPattern, ...] | None = None) -> str:
    """Copy text with a placeholder for each secret in it, by its kind."""
    for secret in patterns() if among is None else among:
        text = replaced(secret, text, placeholder(secret.kind))
    return text
