"""A cause, what is known of it, and processes that consider it and can be killed.

Run as a program with arguments (database, rounds, processes) it lets processes race for claims and tells who made them;
without, it carries out orders (`forking.py`): to consider the causes of some weeks and judge each training.
"""

import json
import multiprocessing
import sys
from dataclasses import replace
from typing import Any

from mlops_assets.core.retraining.cause import Cause, Signal
from mlops_assets.core.retraining.facts import Facts
from mlops_assets.core.signals import Answer, Response
from mlops_assets.declare.use_case import UseCase
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import Entry
from mlops_assets.stores.records.retrainings import Considered
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.forking import Order, serve

NAME, AT = FLIGHT_DELAYS.name, "2013-07-01T10:00:00Z"
WEEKS = FLIGHT_DELAYS.partitions.keys()
RETRAIN = Answer(response=Response.RETRAIN, reason="the model is wrong more often")
QUIET = Answer(response=Response.NOTHING, reason="all is as it was")
SEEN = {"data": "act", "psi": 0.31}


def cause(week: int, signal: Signal = Signal.DATA, use_case: str = NAME) -> Cause:
    return Cause(use_case=use_case, model=f"{use_case}@1", model_digest="ab", reference="cd", window=WEEKS[week],
                 signal=signal)  # fmt: skip


def consider(
    records: Records, week: int, *, sensor: str = "drift_sensor", signal: Signal = Signal.DATA,
    answer: Answer = RETRAIN, at: str = AT, use_case: UseCase = FLIGHT_DELAYS, **known: Any,
) -> Considered:  # fmt: skip
    """What a sensor does at a tick, in a world where only earlier trainings may stand in the way."""
    told: dict[str, Any] = {"newest": WEEKS[week], "trained_to": WEEKS[0], "fresh_rows": 9_000, "act_windows": 2}
    return records.retrainings.consider(
        use_case, cause(week, signal, use_case.name), answer, Facts(**told | known),
        sensor=sensor, evidence=SEEN, at=at,
    )  # fmt: skip


def judged(records: Records, week: int, verdict: str = "PASS", version: int = 2) -> Entry:
    """The candidate of a week is judged, as `graph/recording.write_down` writes it."""
    seq = len(records.ledger.entries())
    evidence = {"judgement": {"verdict": verdict, "sentence": verdict}, "partition": WEEKS[week], "trained_model": "ef"}
    return records.ledger.append(
        at=AT, use_case=NAME, kind="verdict", subject=f"{NAME}@{version}", who="registry_entry", why=verdict,
        evidence=evidence, once=f"verdict {version} {week} {seq}",
    )  # fmt: skip


def race(database: str, rounds: int, processes: int) -> list[list[str]]:
    """Of every round, the sensors that claimed: all processes fire at once, by two sensors and clocks years apart.

    A round is a use case of its own. In every other one the second sensor has another cause in the same window.
    """
    fork = multiprocessing.get_context("fork")
    barrier, told = fork.Barrier(processes), fork.SimpleQueue()

    def fire(number: int) -> None:
        sensor = ("drift_sensor", "concept_drift_sensor")[number % 2]
        with Records(database) as records:
            for turn in range(rounds):
                signal = Signal.CONCEPT if number % 2 and turn % 2 else Signal.DATA
                use_case = replace(FLIGHT_DELAYS, name=f"round{turn}")
                barrier.wait(60)
                met = consider(
                    records, 20, sensor=sensor, signal=signal, use_case=use_case, at=f"{2001 + number}-{AT[5:]}"
                )
                told.put((turn, sensor) if met.claimed else None)

    racers = [fork.Process(target=fire, args=(number,)) for number in range(processes)]
    for racer in racers:
        racer.start()
    claimed: list[list[str]] = [[] for _ in range(rounds)]
    for _ in range(rounds * processes):
        if (one := told.get()) is not None:
            claimed[one[0]].append(one[1])
    for racer in racers:
        racer.join()
    return claimed


def work(order: Order) -> str | None:
    with Records(order["database"]) as records:
        for week in order["weeks"]:
            consider(records, week, sensor=order["sensor"])
            judged(records, week)
    return None


if __name__ == "__main__":
    if len(sys.argv) > 1:
        database, rounds, processes = sys.argv[1:]
        json.dump(race(database, int(rounds), int(processes)), sys.stdout)
    else:
        serve(work)
