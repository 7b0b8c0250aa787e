"""The comparators: which model answers which request, on which rows, and what a second replay need not do again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.core.account import Against
from mlops_assets.core.fitting import fit
from mlops_assets.core.frames import to_table
from mlops_assets.core.gain import NEVER
from mlops_assets.core.metrics import log_loss
from mlops_assets.declare import DataError
from mlops_assets.declare.modelling import Search
from mlops_assets.replay.against import against
from mlops_assets.replay.backtest import Span
from mlops_assets.replay.timeline import request_ids
from mlops_assets_tests.replay import depots

WEEKS, FIRST = depots.WEEKS, depots.FIRST
SPAN = Span(first=FIRST, begin=depots.OPENED, end=WEEKS[9])
SEED = 5


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    return {week: depots.week(week, 600) for week in WEEKS}


def ids(frame: pd.DataFrame) -> list[str]:
    return request_ids(depots.use_case(), to_table(frame[["parcel"]]), SEED)


def compared(frames: dict[str, pd.DataFrame], every: int, **changed: object) -> Against:
    """Held against every request of the span, unless `counted` are others; `told` hears of trainings."""
    counted = {week: ids(frame) for week, frame in frames.items() if SPAN.begin <= week <= SPAN.end}
    given = {"counted": counted, "seed": SEED, "use_case": depots.use_case()} | changed
    return against(given.pop("use_case"), frames, SPAN, every=every, **given)  # type: ignore[arg-type]


def loss(frame: pd.DataFrame, prediction: np.ndarray) -> float:
    known = frame["late"].notna().to_numpy()
    return log_loss(frame["late"][known].astype(float), prediction[known])


def test_never_trained_again_is_the_first_model_of_a_training_on_every_week(frames: dict[str, pd.DataFrame]) -> None:
    first = fit(depots.use_case(), {week: frames[week] for week in WEEKS[:4]})

    found = compared(frames, 0)

    assert (found.name, found.trainings) == (NEVER, 1)
    assert list(found.weeks) == list(WEEKS[4:10])
    assert list(found.weeks[WEEKS[5]]) == ["log_loss", "brier", "auc"]
    for week in found.weeks:
        assert found.weeks[week]["log_loss"] == pytest.approx(loss(frames[week], first.scores(frames[week])))


def test_a_model_answers_from_the_instant_at_which_its_labels_had_matured(frames: dict[str, pd.DataFrame]) -> None:
    week, use_case = WEEKS[6], depots.use_case()
    before, since = (fit(use_case, {key: frames[key] for key in WEEKS[:place]}) for place in (5, 6))
    matured = frames[week]["asked"] >= pd.Timestamp(week, tz="UTC") + pd.Timedelta(days=2)
    said = np.where(matured, since.scores(frames[week]), before.scores(frames[week]))

    found = compared(frames, 1)

    assert found.name == "trained every week"
    assert found.trainings == 6
    assert matured.any() and not matured.all()
    assert found.weeks[week]["log_loss"] == pytest.approx(loss(frames[week], said))
    assert found.weeks[WEEKS[4]] == compared(frames, 0).weeks[WEEKS[4]]  # the second is not there yet, nor is a third


def test_only_the_requests_that_count_do_in_the_week_they_count_for(frames: dict[str, pd.DataFrame]) -> None:
    week, next_one = WEEKS[5], WEEKS[6]
    frame = frames[week].iloc[:500]
    first = fit(depots.use_case(), {key: frames[key] for key in WEEKS[:4]})

    # one of the next week's file was asked at the end of this one, as the log has it
    found = compared(frames, 0, counted={week: [*ids(frame), *ids(frames[next_one].iloc[:1])], next_one: []})

    both = pd.concat([frame, frames[next_one].iloc[:1]])
    assert found.weeks[week]["log_loss"] == pytest.approx(loss(both, first.scores(both)))
    assert found.weeks[next_one] == {"log_loss": None, "brier": None, "auc": None}
    assert found.metrics == found.weeks[week]


def test_what_comes_later_changes_nothing(frames: dict[str, pd.DataFrame]) -> None:
    cut = {week: frame for week, frame in frames.items() if week <= SPAN.end}

    assert compared(cut, 2) == compared(frames, 2)


def test_a_second_time_nothing_is_trained_and_the_same_comes_out(
    frames: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    heard: list[str] = []
    searching = depots.use_case()
    searching = replace(
        searching, model=replace(searching.model, search=Search(space={"max_leaf_nodes": (5, 7)}, trials=2))
    )
    first = compared(frames, 3, use_case=searching, cache=tmp_path, told=heard.append)
    done = list(heard)
    again = compared(frames, 3, use_case=searching, cache=tmp_path, told=heard.append)

    assert done == [f"search of {FIRST}", f"training of {FIRST}", f"training of {WEEKS[6]}"]
    assert heard == done
    assert again == first == compared(frames, 3, use_case=searching)


def test_what_was_damaged_is_trained_anew(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    heard: list[str] = []
    first = compared(frames, 0, cache=tmp_path)
    for path in (tmp_path / "objects").rglob("*.skops"):
        path.chmod(0o600)
        path.write_bytes(b"half a mod")

    again = compared(frames, 0, cache=tmp_path, told=heard.append)

    assert heard == [f"training of {FIRST}"]
    assert again == first
    compared(frames, 0, cache=tmp_path, told=heard.append)
    assert len(heard) == 1  # it is whole again


def test_what_is_kept_is_of_this_data_and_this_declaration(frames: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    heard: list[str] = []
    compared(frames, 0, cache=tmp_path)
    other = depots.use_case()
    other = replace(other, model=replace(other.model, seed=8))
    compared(frames, 0, cache=tmp_path, use_case=other, told=heard.append)
    assert heard == [f"training of {FIRST}"]

    turned = {**frames, FIRST: frames[FIRST].assign(late=~frames[FIRST]["late"])}
    compared(turned, 0, cache=tmp_path, told=heard.append)
    assert len(heard) == 2

    watched = replace(depots.use_case(), retraining=replace(other.retraining, windows=9))
    compared(frames, 0, cache=tmp_path, use_case=watched, told=heard.append)
    assert len(heard) == 2  # no model depends on when one is trained


@pytest.mark.parametrize(
    ("span", "every"),
    [
        (replace(SPAN, first="2023-12-25"), 1),
        (replace(SPAN, begin=FIRST), 1),
        (replace(SPAN, end="2024-05-06"), 1),
        (SPAN, -1),
    ],
)
def test_a_span_without_features_is_refused(span: Span, every: int, frames: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(DataError, match="name weeks that are there"):
        against(depots.use_case(), frames, span, every=every, counted={}, seed=SEED)
