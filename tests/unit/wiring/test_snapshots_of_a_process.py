"""Where snapshots lie, and which of them the next process may go on with."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lens_exporter.config.settings import Prometheus
from lens_exporter.foundation.database import Database
from lens_exporter.wiring import snapshots
from lens_exporter.wiring.watching import _learns, learns_alike
from tests.unit.wiring.test_taking_over import OTHERS, WATCHER, config

SCRIPT = """
import sys
sys.path.insert(0, ".")
from lens_exporter.wiring.snapshots import fingerprint
from lens_exporter.wiring.watching import _learns, learns_alike
from tests.unit.wiring.test_taking_over import WATCHER, config
print(fingerprint(_learns("api", config({**WATCHER, "target_labels": ["instance", "pod"], "options": {"b": 1, "a": [2, 1]}}))))
"""


def fingerprint(settings: dict[str, Any]) -> str:
    return snapshots.fingerprint(_learns("api", config(settings)))


@pytest.mark.parametrize(("setting", "value", "alike"), OTHERS)
def test_a_setting_that_learning_depends_on_changes_the_fingerprint(setting: str, value: Any, alike: bool) -> None:
    """A restart keeps what a reload would have kept."""
    assert (fingerprint(WATCHER) == fingerprint({**WATCHER, setting: value})) is alike


# One other value for each setting of a server.
SERVERS: list[tuple[str, Any]] = [
    ("url", "http://other:9090"),
    ("tenant", "team-b"),
    ("max_samples", 7),
    ("max_series", 7),
    ("max_range", "7d"),
    ("concurrency", 2),
    ("timeout", "7s"),
    ("headers", {"X-Scope-OrgID": "team-b"}),
    ("basic_auth", {"username": "b", "password_file": "/b"}),
    ("bearer_token_file", "/b"),
    ("bearer_token_env", "B"),
    ("tls", {"insecure_skip_verify": True}),
]


@pytest.mark.parametrize(("setting", "value"), SERVERS)
def test_any_setting_of_its_server_changes_the_fingerprint(setting: str, value: Any) -> None:
    """The same address may be another tenant's, or answer with less."""
    before, after = (config(WATCHER, prometheus={"url": "http://here:9090", **more}) for more in ({}, {setting: value}))
    assert not learns_alike("api", before, after)
    assert len({snapshots.fingerprint(_learns("api", one)) for one in (before, after)}) == 2


def test_every_setting_of_a_server_is_among_them() -> None:
    """One that is added has to be looked at here."""
    assert {setting for setting, _ in SERVERS} == Prometheus.model_fields.keys()


def test_mappings_are_the_same_in_any_order() -> None:
    """As at a reload."""
    orders = ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
    assert len({fingerprint({**WATCHER, "options": one}) for one in orders}) == 1


def test_two_processes_agree_about_it() -> None:
    """Hashes of texts differ from process to process; nothing that is put into it may depend on them."""
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def test_other_code_has_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade names may stand for other things: what the old version left is learnt anew."""

    def another_numpy() -> None:
        monkeypatch.setattr(snapshots.np, "__version__", "9.9.9")

    found = [fingerprint(WATCHER)]
    (tmp_path / "engine.py").write_text("a = 1")
    monkeypatch.setattr(snapshots.baseline, "__path__", [str(tmp_path)])
    for change in (lambda: None, lambda: (tmp_path / "engine.py").write_text("a = 2"), another_numpy):
        change()
        snapshots._code.cache_clear()
        found.append(fingerprint(WATCHER))
    monkeypatch.undo()
    snapshots._code.cache_clear()
    assert len(set(found)) == 4
    assert fingerprint(WATCHER) == found[0]


@pytest.mark.parametrize(
    ("settings", "url", "folder"),
    [
        ({}, "sqlite:////var/lib/lens/lens.db", "/var/lib/lens/lens.db.snapshots"),
        ({}, "sqlite:///data/lens", "data/lens.snapshots"),
        ({}, "sqlite://", None),
        ({}, "postgresql://lens@db/lens", None),
        ({"snapshots_path": "/kept"}, "postgresql://lens@db/lens", "/kept"),
        ({"snapshots_path": "/kept"}, "sqlite:///data/lens.db", "/kept"),
        ({"snapshots": False, "snapshots_path": "/kept"}, "sqlite:///data/lens.db", None),
    ],
)
def test_they_lie_beside_the_file_of_the_database(settings: dict[str, Any], url: str, folder: str | None) -> None:
    """With a database elsewhere only where the configuration says."""
    assert snapshots.folder(config(WATCHER, **settings), Database(url)) == (folder and Path(folder))
