"""One drift is one training: not two when many see it at once, not half a claim when whoever makes it is killed."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.stores.records import Records
from mlops_assets.stores.records.ledger import CRASH_POINTS as OF_THE_LEDGER
from mlops_assets.stores.records.retrainings import CRASH_POINTS
from mlops_assets_tests.stores.records.sensing import NAME, WEEKS, cause, consider, judged

PROGRAM = [sys.executable, "-m", "mlops_assets_tests.stores.records.sensing"]
Ordered = Callable[..., int]


@pytest.fixture
def ordered(tmp_path: Path) -> Iterator[Ordered]:
    """Give the process an order, get its child's exit status; a wrong answer is told on stderr."""
    process = subprocess.Popen(PROGRAM, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None

    def order(**told: Any) -> int:
        process.stdin.write(json.dumps({"database": str(tmp_path / "records.db"), **told}) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield order
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


def claimed(records: Records) -> list[str]:
    """The windows that were claimed; what half a claim would be is refused."""
    entries = [entry for entry in records.ledger.entries(NAME) if entry.kind == "retrain_requested"]
    decisions = [row for row in records.retrainings.decisions(NAME, limit=10_000) if row.yes]

    assert records.ledger.verify() == []
    assert sorted(entry.facts["key"] for entry in entries) == sorted(row.key for row in decisions)
    assert {row.ticks for row in decisions} <= {1}
    return [entry.facts["window"] for entry in entries]


@pytest.mark.parametrize("rounds", [20, pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.campaign])])
def test_of_eight_processes_and_two_sensors_one_claims_whatever_their_clocks_say(tmp_path: Path, rounds: int) -> None:
    told = subprocess.run(
        [*PROGRAM, str(tmp_path / "records.db"), str(rounds), "8"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=600,
    )

    winners = json.loads(told.stdout)
    assert len(winners) == rounds and {len(sensors) for sensors in winners} == {1}
    with Records(tmp_path / "records.db") as records:
        assert records.ledger.verify() == []
        assert sorted(entry.use_case for entry in records.ledger.entries()) == sorted(
            f"round{n}" for n in range(rounds)
        )
        for number in range(rounds):
            rows = records.retrainings.decisions(f"round{number}")
            assert sum(row.ticks for row in rows) == 8 and [row.ticks for row in rows if row.yes] == [1]


@pytest.mark.parametrize("point", [*CRASH_POINTS, *OF_THE_LEDGER])
def test_a_sensor_killed_anywhere_leaves_one_claim_or_none_and_the_next_tick_makes_it_one(
    tmp_path: Path, ordered: Ordered, point: str
) -> None:
    with Records(tmp_path / "records.db") as records:
        judged(records, 1)  # a ledger with a head

    assert ordered(sensor="drift_sensor", weeks=[20], crash_at=f"{point}:1") == -9

    with Records(tmp_path / "records.db") as records:
        left = claimed(records)
        assert left == ([] if point in (*CRASH_POINTS, "record.appended") else [WEEKS[20]])
        next_tick = consider(records, 20, sensor="concept_drift_sensor")
        assert next_tick.claimed is (left == [])
        assert next_tick.claim is not None and next_tick.claim.key == cause(20).key
        assert claimed(records) == [WEEKS[20]]


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_a_sensor_killed_at_any_instant_never_asks_twice(tmp_path: Path, ordered: Ordered, kills: int) -> None:
    chance, weeks = random.Random(7), list(range(4, 53, 4))
    for _ in range(kills):
        after = chance.uniform(0, 0.2)
        ordered(sensor=chance.choice(["drift_sensor", "concept_drift_sensor"]), weeks=weeks, kill_after_s=after)
        with Records(tmp_path / "records.db") as records:
            assert len(set(claimed(records))) == len(claimed(records))
    for sensor in ("drift_sensor", "concept_drift_sensor"):
        ordered(sensor=sensor, weeks=weeks)

    with Records(tmp_path / "records.db") as records:
        assert claimed(records) == list(WEEKS[4:28:4])  # six in a year, a cooldown apart, in order
