"""The shadow of a backtest: the rollout's judge of quality, asked when the labels of its weeks have matured."""

import pandas as pd
import pytest

from mlops_assets.core.verdicts import Verdict
from mlops_assets.replay.candidates import Candidate, Trainer
from mlops_assets.replay.shadow import Shadow
from mlops_assets_tests.replay import depots

AFTER = depots.WEEKS[depots.WEEKS.index(depots.PLANTED) + 1 :]


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return depots.frames()


@pytest.fixture(scope="module")
def models(frames: dict[str, pd.DataFrame]) -> tuple[Candidate, Candidate]:
    trainer = Trainer(depots.use_case(), frames, lambda doing: None)
    return trainer.candidate(depots.FIRST), trainer.candidate(depots.PLANTED)


def seen(frames: dict[str, pd.DataFrame], candidate: Candidate, champion: Candidate, weeks: int) -> Shadow:
    shadow = Shadow(depots.use_case(), candidate, champion)
    for week in AFTER[:weeks]:
        shadow.see(week, frames[week])
    return shadow


def test_the_better_model_passes_and_the_worse_one_fails(
    frames: dict[str, pd.DataFrame], models: tuple[Candidate, Candidate]
) -> None:
    old, new = models

    up, down = (seen(frames, *pair, weeks=2).judged(frames[AFTER[2]]) for pair in ((new, old), (old, new)))

    assert up is not None
    assert down is not None
    assert (up.verdict, down.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert up.count > 0


def test_before_its_weeks_are_over_it_is_not_judged(
    frames: dict[str, pd.DataFrame], models: tuple[Candidate, Candidate]
) -> None:
    old, new = models

    assert seen(frames, new, old, weeks=1).judged(frames[AFTER[1]]) is None


def test_only_what_was_asked_before_the_labels_matured_is_looked_at(
    frames: dict[str, pd.DataFrame], models: tuple[Candidate, Candidate]
) -> None:
    old, new = models
    coming = frames[AFTER[2]]
    matured = pd.Timestamp(AFTER[2], tz="UTC") + pd.Timedelta(days=2)

    shadow = seen(frames, new, old, weeks=2)

    assert shadow.judged(coming) == shadow.judged(coming[coming["asked"] < matured])
    assert shadow.judged(coming) != shadow.judged(coming.iloc[:0])


def test_each_window_is_trained_once(frames: dict[str, pd.DataFrame]) -> None:
    told: list[str] = []
    trainer = Trainer(depots.use_case(), frames, told.append)

    assert trainer.model(depots.FIRST) is trainer.model(depots.FIRST)
    assert told == [f"training of {depots.FIRST}"]
    assert list(trainer.window(depots.FIRST)) == list(depots.WEEKS[:4])
