"""`mlops why`: reused or made anew, and because of what, before and after a run."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import mlops_assets.definitions
from mlops_assets.core.actions import Change, sentence
from mlops_assets.declare import DataError
from mlops_assets.graph.jobs import LIFECYCLE
from mlops_assets.graph.why import ALWAYS, ANEW, ASKED, REUSED, UNKNOWN, Explanation, explain
from mlops_assets.stores import code
from mlops_assets_tests.cli.conftest import Answer, in_process
from mlops_assets_tests.graph.conftest import Edited, in_function
from mlops_assets_tests.graph.lived import NAME, WEEK
from mlops_assets_tests.graph.world import WEEKS, World, reason


def why(world: World, artifact: str, week: str = WEEK) -> Explanation:
    return explain(world.use_case, artifact, week, world.places)


def said(changes: tuple[Change, ...] | None) -> list[str]:
    return [sentence(change) for change in changes or ()]


def cut_short(world: World, week: str) -> None:
    """Another file lands in the place of the week's flights."""
    file = world.landed("flights", week)
    pq.write_table(pq.read_table(file).slice(1), file)


@pytest.mark.parametrize("artifact", LIFECYCLE)
def test_what_has_not_changed_is_reused(world: World, artifact: str) -> None:
    found = why(world, artifact)

    assert found.verdict == (ALWAYS if artifact in ASKED else REUSED)
    assert found.changes == ()
    assert len(found.publications) == 1
    if found.verdict == REUSED:
        assert found.against == f"{NAME}/{artifact}@{WEEK}#1"


def test_a_changed_function_is_named_before_the_run_and_after(world: World, edited: Edited) -> None:
    edited("mlops_assets.core.drift.report", in_function("drift_report"))
    changed = world.declaring(world.use_case)
    before = why(changed, "drift_report")
    assert reason(changed.run("monitor", WEEK)) == ""
    after = why(changed, "drift_report")

    assert (before.verdict, before.against) == (ANEW, f"{NAME}/drift_report@{WEEK}#1")
    assert said(before.changes) == ["function core.drift.report.drift_report changed"]
    assert (after.verdict, after.changes) == (REUSED, ())
    assert [said(one.changes) for one in after.publications] == [[], said(before.changes)]
    assert why(changed, "trained_model").verdict == REUSED


def test_a_changed_value_of_the_declaration_is_named_with_both_values(world: World) -> None:
    model = world.use_case.model
    changed = world.declaring(replace(world.use_case, model=replace(model, seed=model.seed + 1)))
    found = why(changed, "trained_model")

    assert found.verdict == ANEW
    assert said(found.changes)[0] == f"config model.seed: {model.seed} -> {model.seed + 1}"
    # the trials have that seed too, and are not made yet
    assert all("/trial@" in line for line in said(found.changes)[1:])
    assert why(changed, "feature_table").verdict == REUSED


def test_a_changed_file_is_named_and_then_each_input_that_it_changed(world: World) -> None:
    cut_short(world, WEEKS[2])
    assert [(c.kind, c.name) for c in why(world, "raw_data", WEEKS[2]).changes] == [
        ("input", f"file flights/{WEEKS[2]}.parquet")
    ]
    assert why(world, "feature_table").verdict == REUSED
    assert reason(world.run("data", WEEKS[2])) == ""

    found = why(world, "feature_table")
    assert found.verdict == ANEW
    assert [(c.kind, c.name, c.what) for c in found.changes] == [
        ("input", f"{NAME}/validated_dataset@{WEEKS[2]}", "changed")
    ]
    (_, again) = why(world, "raw_data", WEEKS[2]).publications
    assert [c.name for c in again.changes or ()] == [f"file flights/{WEEKS[2]}.parquet"]


def test_a_changed_library_is_named_with_both_versions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = code._installed
    monkeypatch.setattr(code, "_installed", lambda name: "0.1" if name == "scikit-learn" else installed(name))
    found = why(world, "trained_model")

    assert found.verdict == ANEW
    assert said(found.changes)[0] == f"library scikit-learn: {installed('scikit-learn')} -> 0.1"
    # its trials are made with that library, too
    assert all("/trial@" in line for line in said(found.changes)[1:])


def test_a_result_that_was_never_made_says_so_and_one_that_cannot_be_says_why(world: World) -> None:
    never, cannot = why(world, "raw_data", WEEKS[4]), why(world, "trained_model", WEEKS[4])

    assert (never.verdict, never.reason, never.publications) == (ANEW, "it was never made", ())
    assert cannot.verdict == UNKNOWN
    assert f"a run would fail: {NAME}/feature_table is not materialized for {WEEKS[4]}" in cannot.reason


def test_a_training_with_too_few_weeks_would_fail_as_a_run_does(world: World) -> None:
    found = why(world, "trained_model", WEEKS[1])

    assert (found.verdict, found.publications) == (UNKNOWN, ())
    assert found.reason.startswith(f"a run would fail: {NAME}: a model needs min_weeks == 3 weeks, met 2")
    assert reason(world.run("train", WEEKS[1])).endswith(found.reason.removeprefix("a run would fail: "))


def test_a_damaged_result_says_so(world: World) -> None:
    part = world.store.require(f"{NAME}/drift_report", WEEK).parts["verdict"]
    (path,) = Path(world.places.store).glob(f"objects/*/{part.address}*")
    path.unlink()
    found = why(world, "drift_report")

    assert (found.verdict, found.changes) == (ANEW, ())
    assert found.reason == f"the stored result of {NAME}/drift_report@{WEEK}#1 is damaged or gone"


def test_an_artifact_that_is_none_is_refused_with_those_that_are(world: World) -> None:
    with pytest.raises(DataError, match=r"thin_delays has no asset 'model', must be one of .*'trained_model'"):
        why(world, "model")


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def mlops(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The command line works on the world."""
    monkeypatch.setenv("MLOPS_DATA", str(world.folder))
    monkeypatch.setattr(mlops_assets.definitions, "USE_CASES", [world.use_case])
    return world


def told(*given: str) -> Answer:
    return in_process("why", *given)


def test_the_command_says_it_in_lines(mlops: World) -> None:
    cut_short(mlops, WEEK)
    assert reason(mlops.run("data", WEEK)) == ""
    answer = told(f"{NAME}/trained_model", WEEK)

    assert (answer.code, answer.err) == (0, "")
    assert f"{NAME}/trained_model@{WEEK}#1" in answer.out
    assert f"now: made anew: against {NAME}/trained_model@{WEEK}#1" in answer.out
    assert f"input {NAME}/feature_table@{WEEK}: " in answer.out


def test_the_command_says_it_to_programs(mlops: World) -> None:
    cut_short(mlops, WEEK)
    assert reason(mlops.run("data", WEEK)) == ""
    found = json.loads(told(f"{NAME}/validated_dataset", WEEK, "--json").out)

    assert (found["asset"], found["partition"], found["now"]["verdict"]) == (f"{NAME}/validated_dataset", WEEK, REUSED)
    (first, second) = found["publications"]
    assert first["changes"] is None
    (change,) = second["changes"]
    assert (change["kind"], change["name"]) == ("input", f"{NAME}/raw_data@{WEEK}")
    assert change["in words"].startswith(f"input {NAME}/raw_data@{WEEK}: ")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("nobody/trained_model", WEEK), "use case 'nobody' is not declared"),
        (("trained_model", WEEK), "must be 'use_case/artifact'"),
        ((f"{NAME}/model", WEEK), "has no asset 'model'"),
        ((f"{NAME}/trained_model", "2013-01-22"), "2013-01-22"),
        ((f"{NAME}/trained_model", "last week"), "last week"),
    ],
)
def test_a_wrong_name_is_a_usage_error(mlops: World, given: tuple[str, ...], words: str) -> None:
    answer = told(*given)

    assert (answer.code, answer.out) == (2, "")
    assert words in answer.said
