"""What tests of the chart and of the packages need beyond the rest: Python modules of requirements-deploy.lock."""

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def installed(module: str) -> Any:
    """Import a module that `make test` installs and `make setup` does not: at a desk the test is skipped, in CI it fails."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}: make test installs requirements-deploy.lock")
