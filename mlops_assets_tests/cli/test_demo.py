"""The proofs that end the demo: what they find on a small world, and what one that fails does."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.cli import demo, stages
from mlops_assets.cli.proofs import Proof, Subject, proofs
from mlops_assets.cli.running import RunOutcome
from mlops_assets.core.rollout.words import Stage
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.graph.lived import files
from mlops_assets_tests.graph.world import WEEKS, World, small_world
from mlops_assets_tests.replay.played import quick

RUN = RunOutcome(job="data", partition="2012-12-31", run_id="r", success=True, made=(), error="")
PROOF = Proof(claim="it is so", passed=True, told=("it was seen",), command="look", seconds=0.1)


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_a_proof_that_fails_fails_the_demo(
    mlops: Mlops, monkeypatch: pytest.MonkeyPatch, passed: bool, code: int
) -> None:
    monkeypatch.setattr(stages, "run_plan", lambda *given, **more: [RUN])
    monkeypatch.setattr(demo, "_proofs", lambda *given, **more: iter([PROOF, replace(PROOF, passed=passed)]))

    answer = mlops("demo", "--json")

    assert answer.code == code
    assert [run["job"] for run in answer.json["runs"]] == ["data"]
    assert [proof["passed"] for proof in answer.json["proofs"]] == [True, passed]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Four weeks, a model on the first three."""
    with small_world(tmp_path_factory.mktemp("demo")) as made:
        world = made.declaring(quick(made.use_case))
        for job, week in [*(("data", week) for week in WEEKS[:4]), ("train", WEEKS[2])]:
            assert world.run(job, week).success
        yield world


@pytest.fixture
def subject(trained: World) -> Subject:
    use_case = trained.use_case
    name = f"{use_case.name}@1"
    return Subject(use_case=use_case, name=name, trained=WEEKS[2], after=WEEKS[3:5], places=trained.places)


@pytest.mark.slow
def test_the_four_proofs_hold_and_leave_what_they_prove_alone(subject: Subject, tmp_path: Path) -> None:
    before = files(subject.places.store)
    for _ in range(2):  # the world in which things are broken is made anew
        held = list(proofs(subject, tmp_path / "proofs"))

        assert [proof.passed for proof in held] == [True] * 4, held
    assert files(subject.places.store) == before
    with Rollouts(subject.places.serving, subject.use_case.name) as rollouts:
        assert rollouts.row().stage is Stage.PREPARING


@pytest.mark.slow
def test_a_landed_file_that_is_another_by_now_is_named(trained: World, subject: Subject, tmp_path: Path) -> None:
    shutil.copy(trained.landed("flights", WEEKS[1]), tmp_path / "kept")
    shutil.copy(trained.landed("flights", WEEKS[0]), trained.landed("flights", WEEKS[1]))
    traced = next(proofs(subject, tmp_path / "proofs"))
    shutil.copy(tmp_path / "kept", trained.landed("flights", WEEKS[1]))

    assert not traced.passed
    assert traced.told[1] == f"made from 8 landed files: flights/{WEEKS[1]}.parquet is another by now"


@pytest.mark.slow
def test_a_model_that_never_gets_out_of_the_shadow_proves_nothing(subject: Subject, tmp_path: Path) -> None:
    plan = replace(subject.use_case.rollout, shadow_least=1_000_000)
    patient = replace(subject, use_case=replace(subject.use_case, rollout=plan))

    *_, last = proofs(patient, tmp_path / "proofs")

    assert not last.passed
    assert last.told[0].endswith("no proof that lets it go on")


@pytest.mark.slow
def test_a_folder_that_holds_something_else_is_not_emptied(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "proofs").mkdir()
    (tmp_path / "proofs" / "mine").write_text("mine")

    held = list(proofs(subject, tmp_path / "proofs"))

    assert [proof.passed for proof in held] == [True, True, False, False]
    assert (tmp_path / "proofs" / "mine").read_text() == "mine"
