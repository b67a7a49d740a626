"""Which names may stand before a secret, for everything that shows names with their values."""

import re

_SECRET = re.compile(r"authorization|token|passw|secret|api[_-]?key|cookie|credential", re.IGNORECASE)


def may_hold_a_secret(name: str) -> bool:
    """Say whether a value under this name may be a secret. Names that end in _file and _env only say where one is."""
    return bool(_SECRET.search(name)) and not name.endswith(("_file", "_env"))
