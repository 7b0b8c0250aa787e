"""Checkpoints on disk: kept whole, taken up, and refused with a message when they are not of this very fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from mlops_assets.core.checkpoints import fit_in_steps
from mlops_assets.core.model_digest import model_digest
from mlops_assets.declare import DataError, DeclarationError
from mlops_assets.stores.checkpoints import StoredCheckpoints
from mlops_assets.stores.places import place
from mlops_assets_tests.core.tiny import TREES

KEY, OTHER = "ab" * 32, "cd" * 32
MODEL = HistGradientBoostingClassifier(max_iter=20, early_stopping=False, max_features=0.5, random_state=1)


@pytest.fixture(autouse=True)
def one_thread():
    """Small rows on several threads mostly wait for each other."""
    with threadpool_limits(1):
        yield


def rows(features: int = 4) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    array = random.normal(size=(300, features))
    return array, (array[:, 1] > 0).astype(int)


class Killed(Exception):
    """Stands for the end of the process."""


def fit(
    kept: StoredCheckpoints, model: Any = MODEL, features: int = 4, die_after: int | None = None
) -> tuple[str, list[int]]:
    """The digest of the model, and after how many iterations each of its steps ended."""
    steps: list[int] = []

    def step(estimator: Any) -> None:
        if steps and steps[-1] == die_after:
            raise Killed
        estimator.fit(*rows(features))
        steps.append(estimator.n_iter_)

    made = fit_in_steps(clone(model), step, features=features, every=5, checkpoints=kept)
    return model_digest(made), steps


def at(url: str | Path, key: str = KEY, **changes: Any) -> tuple[StoredCheckpoints, list[str]]:
    told: list[str] = []
    return StoredCheckpoints(place(url), key, **({"trusted": TREES.trusted, "tell": told.append} | changes)), told


def interrupted(url: str | Path, done: int = 10) -> None:
    with pytest.raises(Killed):
        fit(at(url)[0], die_after=done)


def file(root: Path, key: str = KEY) -> Path:
    return root / "checkpoints" / key / "fit.checkpoint"


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_an_interrupted_fit_goes_on_where_it_was_and_learns_the_same(where: str, tmp_path: Path) -> None:
    url = str(tmp_path) if where == "disk" else f"memory://{tmp_path.name}"
    plain, _ = fit(at(tmp_path / "other")[0])
    interrupted(url)
    kept, told = at(url)

    assert fit(kept) == (plain, [15, 20])
    assert told == [f"The fit goes on after iteration 10, from checkpoint checkpoints/{KEY}/fit.checkpoint."]
    kept.clear()
    assert kept.load(MODEL, 4) is None
    assert len(told) == 1


def test_a_fit_that_has_no_checkpoint_yet_says_nothing(tmp_path: Path) -> None:
    kept, told = at(tmp_path)

    assert fit(kept)[1] == [5, 10, 15, 20]
    assert told == []


def test_what_is_cleared_is_gone_with_all_that_killed_writers_left(tmp_path: Path) -> None:
    interrupted(tmp_path)
    (file(tmp_path).parent / ".fit.checkpoint.1.ab.tmp").write_bytes(b"half")
    kept, told = at(tmp_path)
    kept.clear()
    kept.clear()  # nothing to do is no error

    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert fit(kept)[1] == [5, 10, 15, 20]
    assert told == []


def test_two_fits_keep_two_checkpoints(tmp_path: Path) -> None:
    interrupted(tmp_path)
    other, told = at(tmp_path, OTHER)

    assert fit(other)[1] == [5, 10, 15, 20]
    other.clear()
    assert file(tmp_path).exists() and told == []


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut off in the head": lambda data: data[:50],
    "cut off after the head": lambda data: data[: data.index(b"\n") + 1],
    "cut off in the middle": lambda data: data[: len(data) // 2],
    "cut off at the end": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "a flipped bit in the head": lambda data: flipped(data, 20),
    "a flipped bit of the model": lambda data: flipped(data, len(data) // 2),
    "a flipped bit at the end": lambda data: flipped(data, len(data) - 1),
    "no checkpoint": lambda data: b"a text\nof two lines\n",
    "a page of zeros": lambda data: data[:4096] + bytes(4096) + data[8192:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused_and_the_fit_starts_over(damage: str, tmp_path: Path) -> None:
    plain, _ = fit(at(tmp_path / "other")[0])
    interrupted(tmp_path)
    file(tmp_path).write_bytes(DAMAGE[damage](file(tmp_path).read_bytes()))
    kept, told = at(tmp_path)

    assert fit(kept) == (plain, [5, 10, 15, 20])
    assert len(told) == 1 and "The fit starts over, its checkpoint is refused: checkpoints/" in told[0]
    assert "is damaged" in told[0]


def test_a_checkpoint_of_another_action_is_stale_wherever_it_lies(tmp_path: Path) -> None:
    interrupted(tmp_path)
    file(tmp_path, OTHER).parent.mkdir()
    file(tmp_path, OTHER).write_bytes(file(tmp_path).read_bytes())
    kept, told = at(tmp_path, OTHER)

    assert fit(kept)[1] == [5, 10, 15, 20]
    assert "is stale, of action key 'abab" in told[0]


@pytest.mark.parametrize(
    ("model", "features", "says"),
    [
        (MODEL, 5, "the model takes 4 features"),
        (clone(MODEL).set_params(max_iter=9), 4, "it holds 10 iterations, the fit asks for 9"),
        (clone(MODEL).set_params(learning_rate=0.3), 4, "it was made with other parameters (learning_rate)"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(model: Any, features: int, says: str, tmp_path: Path) -> None:
    plain, steps = fit(at(tmp_path / "other")[0], model, features)
    interrupted(tmp_path)
    kept, told = at(tmp_path)

    assert fit(kept, model, features) == (plain, steps)
    assert len(told) == 1 and says in told[0]


def test_a_checkpoint_that_holds_an_untrusted_type_is_refused(tmp_path: Path) -> None:
    interrupted(tmp_path)
    kept, told = at(tmp_path, trusted=())

    assert kept.load(MODEL, 4) is None
    assert "TreePredictor" in told[0]


def test_an_estimator_that_could_not_be_loaded_again_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="holds types outside its list"):
        fit(at(tmp_path, trusted=())[0])


def test_a_place_that_cannot_be_written_costs_the_checkpoint_not_the_fit(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    kept, told = at(tmp_path)

    assert fit(kept)[1] == [5, 10, 15, 20]
    assert told[0].startswith("The fit starts over, its checkpoint is refused")
    assert [line.split(":")[0] for line in told[1:]] == [
        f"The fit goes on, its checkpoint after iteration {done} is not kept" for done in (5, 10, 15)
    ]


@pytest.mark.parametrize("key", ["", "../up", "a/b", "x" * 200])
def test_a_key_that_is_no_name_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="action key"):
        at(tmp_path, key)


def test_the_file_is_no_pickle(tmp_path: Path) -> None:
    interrupted(tmp_path)
    head, _, data = file(tmp_path).read_bytes().partition(b"\n")

    assert head.startswith(b'{"blake3":') and data.startswith(b"PK\3\4")
