"""How often an invented number passes for a seen one: the receipts check is worth what it turns away."""

import random

import pytest

from lens_exporter.baseline.evidence import seen, unproved
from lens_exporter.investigate.receipts import check
from lens_exporter.model.analysis import Finding, Health, HealthAnalysis, Outcome, Receipt, Recheck
from lens_exporter.model.tool import ToolStatus

NOW = 1_795_183_320.0
CLAIMS = 400


def ranged(series: int, chance: random.Random) -> dict[str, float]:
    """What promql_range shows of that many series."""
    numbers: dict[str, float] = {"series": series}
    for index in range(1, series + 1):
        first, last = chance.uniform(10, 2000), chance.uniform(10, 2000)
        low, high = min(first, last) * 0.8, max(first, last) * 1.2
        numbers |= {f"{index}.{name}": value for name, value in (("first", first), ("last", last), ("min", low), ("max", high))}
        numbers |= {f"{index}.mean": (low + high) / 2, f"{index}.biggest_jump": (high - low) / 3}
        numbers |= {f"{index}.{name}_at": NOW - chance.uniform(60, 3600) for name in ("first", "last", "min", "max")}
    return numbers


def ranked(chance: random.Random) -> dict[str, float]:
    """What rank_suspects shows of twelve suspects and eight steady series."""
    numbers: dict[str, float] = {"series": 240, "judged": 231, "deviating": 14}
    for index in range(1, 13):
        before = chance.uniform(10, 2000)
        numbers |= {
            f"{index}.before": before,
            f"{index}.after": before * chance.uniform(1.5, 20),
            f"{index}.score": chance.uniform(3, 60),
        }
        numbers |= {f"{index}.onset_at": NOW - chance.uniform(300, 1500), f"{index}.per_minute": before / 10}
    for index in range(1, 9):
        before = chance.uniform(10, 2000)
        numbers |= {f"steady{index}.before": before, f"steady{index}.after": before * 1.02}
    return numbers


def passing(numbers: dict[str, float], claim: str, low: int, high: int) -> float:
    chance = random.Random(7)
    flat = seen({"r1": numbers})
    claims = [claim.format(chance.randint(low, high)) for _ in range(CLAIMS)]
    return sum(not unproved(one, flat) for one in claims) / CLAIMS


@pytest.mark.parametrize(
    ("claim", "low", "high", "most"),
    [
        ("open files rose to {}", 100, 2000, 0.05),
        ("it grew by {} %", 5, 100, 0.35),
        ("it took {} minutes", 5, 120, 0.40),
    ],
)
@pytest.mark.parametrize("receipt", ["one series", "five series", "ranking"])
def test_most_invented_numbers_are_turned_away(receipt: str, claim: str, low: int, high: int, most: float) -> None:
    """Invented figures against receipts full of other ones: the share that passes by chance has a ceiling."""
    chance = random.Random(3)
    numbers = {"one series": ranged(1, chance), "five series": ranged(5, chance), "ranking": ranked(chance)}[receipt]
    assert passing(numbers, claim, low, high) <= most


def test_advice_with_an_invented_figure_is_dropped_and_commands_stay() -> None:
    """ "full in 7 minutes" needs a receipt also in what to do next; the pid of a command does not."""
    receipt = Receipt("r1", "get_process", {}, ToolStatus.DATA, {"open_files": 1480}, NOW, 0.1, recheck=Recheck.RECORDED)
    analysis = HealthAnalysis(
        Health.WARNING,
        Outcome.CAUSE_FOUND,
        "Open files leak: 1,480 are open.",
        (Finding("1,480 files are open", ("r1",)),),
        recommendations=("lsof -p 4211 | grep export", "restart it, it is full in 7 minutes", "free 3.5 GB first"),
    )
    checked = check(analysis, [receipt])
    assert checked.analysis.recommendations == ("lsof -p 4211 | grep export",)
    assert [issue.split('"')[0] for issue in checked.issues] == ["recommendation ", "recommendation "]
