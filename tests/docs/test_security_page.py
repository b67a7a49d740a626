"""SECURITY.md names tests: they are there."""

import ast
import re

from tests.docs.blocks import ROOT


def test_every_test_that_the_threat_model_names_exists():
    """Whoever renames a test changes the page; at least thirty are named."""
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    missing = []
    for path, name in named:
        file = ROOT / path
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module([], [])
        if name not in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{path}::{name}")
    assert missing == []
    assert len(set(named)) >= 30
