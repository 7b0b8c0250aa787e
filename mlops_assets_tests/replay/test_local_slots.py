"""Versions in this process: verified as they are served, ready at once, and spoiled when they shall be."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Stage
from mlops_assets.gateway.scoring import Array, Scoring
from mlops_assets.gateway.slots import SlotError, Why
from mlops_assets.replay.local_slots import Fault, LocalSlots, Spoil
from mlops_assets.stores.serving.models import load_version
from mlops_assets.stores.settings import Settings
from mlops_assets_tests.gateway import world
from mlops_assets_tests.replay import parcels

ROW = Row(use_case="parcels", stage=Stage.SHADOW, champion=1, challenger=2, baseline_of=1)


class Held:
    """Slots whose rollout and time a test moves."""

    def __init__(self, places: Settings, spoils: Mapping[int, Spoil] = {}) -> None:
        self.row, self.seconds = ROW, 0.0
        self.slots = LocalSlots(
            parcels.use_case(), places, row=lambda: self.row, passes=self._pass, spoils=spoils
        )  # fmt: skip
        self.slots.keep((0, 1, 2), 1)

    def _pass(self, seconds: float) -> None:
        self.seconds += seconds

    def says(self, version: int, seconds: float = 1.0) -> Array:
        encoder = self.slots.encoder(version)
        assert encoder is not None
        asked = world.rows(5)
        rows = encoder.encode({name: [row[name] for row in asked] for name in asked[0]}, 5)
        return asyncio.run(self.slots.score(version, rows, seconds))


def test_a_version_says_what_it_says_where_it_is_served(found: Settings) -> None:
    held = Held(found)
    slots: Scoring = held.slots
    loaded = load_version(parcels.use_case(), 2, found)

    assert held.slots.states == {0: "ready", 1: "ready", 2: "ready"}
    assert slots.is_ready(2) and not slots.has_failed(2)
    given = np.array([loaded.scorer.encoder.encode_row(row) for row in world.rows(5)])
    assert held.says(2).tobytes() == loaded.answer(given).tobytes()


def test_a_version_that_is_not_kept_any_more_is_let_go_of(found: Settings) -> None:
    held = Held(found)
    held.slots.keep((1,), 1)

    assert held.slots.states == {1: "ready"}
    assert (held.slots.is_ready(2), held.slots.encoder(2), held.slots.has_failed(2)) == (False, None, False)


def test_a_version_that_is_damaged_is_refused_with_the_reason(found: Settings) -> None:
    for blob in Path(found.store).rglob("*.skops"):
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    held = Held(found)

    assert held.slots.states[2].startswith("refused: ")
    assert held.slots.has_failed(2) and not held.slots.is_ready(2)


def test_whoever_waits_for_a_version_that_is_not_ready_has_waited_at_once(found: Settings) -> None:
    held = Held(found)

    assert asyncio.run(held.slots.wait(2, 0.5)) and held.seconds == 0
    assert not asyncio.run(held.slots.wait(9, 0.5)) and held.seconds == 0.5


def test_answers_that_are_turned_round_are_those_of_the_other_side(found: Settings) -> None:
    assert Held(found, {2: Spoil(Fault.WRONG)}).says(2).tolist() == (1 - Held(found).says(2)).tolist()


def test_a_version_that_is_spoiled_by_no_number_says_none(found: Settings) -> None:
    assert np.isnan(Held(found, {2: Spoil(Fault.NAN)}).says(2)).all()


@pytest.mark.parametrize(("seconds", "fails"), [(0.5, True), (11.0, False)])
def test_a_slow_call_takes_the_clocks_time_and_is_late_where_nobody_waits_so_long(
    found: Settings, seconds: float, fails: bool
) -> None:
    held = Held(found, {2: Spoil(Fault.SLOW)})
    if fails:
        with pytest.raises(SlotError) as late:
            held.says(2, seconds)
        assert late.value.why is Why.LATE and held.slots.has_failed(2)
    else:
        held.says(2, seconds)
    assert held.seconds == min(seconds, 10.0)


def test_a_fault_begins_with_its_stage_and_stays_with_a_version_that_became_champion(found: Settings) -> None:
    held = Held(found, {2: Spoil(Fault.BROKEN, since=Stage.CANARY)})
    assert len(held.says(2)) == 5

    for row in (
        replace(ROW, stage=Stage.CANARY),
        replace(ROW, stage=Stage.SOAK),
        replace(ROW, champion=2, challenger=3),
    ):
        held.row = row
        with pytest.raises(SlotError) as broken:
            held.says(2)
        assert broken.value.why is Why.ERROR
    assert len(held.says(1)) == 5
