"""Write the dashboards, or with --check say which of the files are not as they would be written."""

import sys
from pathlib import Path

from dashboards.generate import beam, health, host, investigations, overview, python
from dashboards.generate.frame import text

FOLDER = Path(__file__).parents[1]
BOARDS = {module.__name__.rpartition(".")[2]: module.board for module in (overview, host, python, beam, investigations, health)}


def documents() -> dict[str, str]:
    """Give every file's name and content."""
    return {f"{name}.json": text(board()) for name, board in BOARDS.items()}


def main(arguments: list[str]) -> int:
    """Give 1 when a file is not up to date and --check was asked for."""
    stale = [name for name, content in documents().items() if not _is(FOLDER / name, content)]
    if "--check" not in arguments:
        for name, content in documents().items():
            (FOLDER / name).write_text(content, "utf-8")
        return 0
    for name in stale:
        sys.stderr.write(f"dashboards/{name} is not up to date: run make dashboards\n")
    return 1 if stale else 0


def _is(path: Path, content: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == content


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
