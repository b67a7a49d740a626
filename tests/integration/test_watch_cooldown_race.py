"""Two processes that see the same anomalies at the same moment, over one database."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lens_exporter.foundation.database import Database, metadata
from lens_exporter.watch.cooldown import cooldowns_table
from tests.servers.postgres import postgres

pytestmark = pytest.mark.integration

TARGETS = 60
NOON = 1_795_176_000.0
REPLICA = """
import sys
from lens_exporter.foundation.database import Database
from lens_exporter.model.decision import Anomaly, Rule, Severity
from lens_exporter.watch.cooldown import Admitted, Cooldown

url, at, targets, severity = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Severity(sys.argv[4])
cooldown = Cooldown(Database(url), "python")
print("ready", flush=True)
sys.stdin.readline()
for number in range(targets):
    target = {"instance": str(number)}
    anomaly = Anomaly("memory_high", severity, "", "", "", target, Rule.JUMP, at, ())
    if isinstance(cooldown.admit(anomaly, at), Admitted):
        print(number, flush=True)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/lens.db"
    else:
        with postgres() as address:
            yield address


def race(url: str, at: float, severity: str = "warning") -> list[int]:
    """Let two processes ask for every target at once; give the targets admitted by either."""
    replicas = [
        subprocess.Popen(
            [sys.executable, "-c", REPLICA, url, str(at), str(TARGETS), severity],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for replica in replicas:
        assert replica.stdout is not None
        assert replica.stdout.readline() == "ready\n"
    for replica in replicas:
        assert replica.stdin is not None
        replica.stdin.write("\n")
        replica.stdin.flush()
    answers = [replica.communicate(timeout=60)[0] for replica in replicas]
    assert [replica.returncode for replica in replicas] == [0, 0]
    return [int(line) for answer in answers for line in answer.split()]


def test_of_two_racing_replicas_one_is_admitted(url: str) -> None:
    """Every target is admitted exactly once: when it is new, within its cooldown not at all, and once again after it."""
    database = Database(url)
    metadata.create_all(database.engine, tables=[cooldowns_table])
    try:
        assert sorted(race(url, NOON)) == list(range(TARGETS))
        assert race(url, NOON + 299) == []
        assert sorted(race(url, NOON + 300)) == list(range(TARGETS))
        assert sorted(race(url, NOON + 360, "critical")) == list(range(TARGETS)), "a warning holds no critical back"
        assert race(url, NOON + 659) == [], "a critical begins the cooldown of a warning"
        assert sorted(race(url, NOON + 660)) == list(range(TARGETS))
    finally:
        database.close()
