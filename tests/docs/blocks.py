"""The fenced blocks of the documentation, and the reasons why some of them are not run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("helm/**/*.md")})
LANGUAGES = ("sh", "yaml", "python", "promql")  # those that say something is to be run, or read by a program
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*\Z", re.DOTALL)
_FILE = re.compile(r"# ([\w.-]+\.(?:yml|yaml|py))\n")


@dataclass(frozen=True)
class Block:
    """A block. file is the name that its first line gives; not_run is why no test runs it, "" where one must."""

    page: str
    line: int
    language: str
    text: str
    not_run: str

    @property
    def file(self) -> str:
        found = _FILE.match(self.text)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*languages: str) -> Iterator[Block]:
    """Give the blocks of these languages, in the order of their pages."""
    for page in PAGES:
        written = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(written):
            indent, language, text = found.groups()
            if language in languages:
                before = written[: found.start()]
                reason = _NOT_RUN.search(before)
                plain = re.sub(f"^{indent}", "", text, flags=re.MULTILINE)
                yield Block(str(page.relative_to(ROOT)), before.count("\n") + 1, language, plain, reason[1] if reason else "")


def to_run(*languages: str) -> list[Block]:
    """Give those that must work."""
    return [block for block in blocks(*languages) if not block.not_run]
