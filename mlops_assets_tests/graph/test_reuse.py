"""What was done is not done again, by whichever run, instance or branch; what changed is done again, and only that."""

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.declare import UseCase
from mlops_assets.graph import why
from mlops_assets.graph.actions import ANEW
from mlops_assets.graph.jobs import LIFECYCLE, STAGES
from mlops_assets.stores.fsck import fsck
from mlops_assets_tests.graph import lived
from mlops_assets_tests.graph.conftest import Edited, in_function
from mlops_assets_tests.graph.lived import MAKERS, NAME, WEEK, reused, watch
from mlops_assets_tests.graph.world import World, reason

ALL = set(MAKERS)
SHOWN = ALL - {"trial"}
MODEL = {"trial", "trained_model"}
Anew = Callable[..., set[str]]


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> Anew:
    """`anew(world, job)`: what a good run of the week made anew. Its metadata must say the same."""
    work: list[str] = []
    watch(monkeypatch.setattr, work.append)

    def run(world: World, job: str = "lifecycle", **more: object) -> set[str]:
        work.clear()
        result = world.run(job, WEEK, **more)
        told = reused(result)
        assert reason(result) == ""
        assert set(told) == set(STAGES.get(job, LIFECYCLE))
        made = {artifact.partition(".")[0] for artifact in work}
        assert {artifact for artifact, known in told.items() if not known} - set(why.ASKED) == made - {"trial"}
        return made

    return run


@pytest.mark.parametrize("job", [*STAGES, "lifecycle"])
def test_a_second_run_of_a_job_does_no_work_and_leaves_no_trace(anew: Anew, world: World, job: str) -> None:
    def left() -> tuple[object, ...]:
        return lived.files(world.places.store), lived.tracked(world), lived.versions(world), lived.ledger(world)

    before = left()
    assert anew(world, job) == set()
    for was, now in zip(before, left(), strict=True):
        assert was == now


def test_what_is_reused_says_who_made_it(world: World) -> None:
    made_by = {artifact: world.store.require(f"{NAME}/{artifact}", WEEK) for artifact in SHOWN}
    result = world.run("lifecycle", WEEK)

    for event in result.all_events:
        if event.is_step_materialization and event.asset_key and event.asset_key.path[-1] in SHOWN:
            ref = made_by[event.asset_key.path[-1]]
            shown = event.step_materialization_data.materialization.metadata
            assert shown["made by run"].value == ref.run != result.run_id
            assert shown["commit"].value == ref.code["commit"]
            assert shown["action key"].value == ref.action_key


def test_a_new_instance_of_dagster_reuses_too(anew: Anew, world: World) -> None:
    with dg.DagsterInstance.ephemeral(tempdir=str(world.folder / "another")) as instance:
        assert anew(replace(world, instance=instance)) == set()


def test_a_run_that_is_told_to_does_the_work_again_with_the_same_result(anew: Anew, world: World) -> None:
    before = world.versions()

    assert anew(world, tags={ANEW: "true"}) == ALL
    assert world.versions() == before
    assert len(lived.versions(world)) == 2


# --- another branch and back ---------------------------------------------------------------------------------------


def test_back_on_a_branch_its_results_are_the_newest_again(anew: Anew, world: World) -> None:
    use_case = world.use_case
    ours = {artifact: world.store.require(f"{NAME}/{artifact}", WEEK) for artifact in SHOWN}
    theirs = world.declaring(replace(use_case, model=replace(use_case.model, seed=use_case.model.seed + 1)))
    assert anew(theirs) == {*MODEL, "registry_entry", "feature_catalogue"}
    assert world.version("trained_model", WEEK) != ours["trained_model"].data_version

    assert anew(world) == {"registry_entry"}  # who leads and who is nominated is decided again, and told in the ledger
    for artifact, ref in ours.items():
        now = world.store.require(f"{NAME}/{artifact}", WEEK)
        assert (now.data_version, now.action_key, now.inputs, now.run, now.code) == (
            ref.data_version, ref.action_key, ref.inputs, ref.run, ref.code
        )  # fmt: skip
    assert anew(world) == set()
    assert anew(theirs) == {"registry_entry"}
    assert fsck(world.store).is_sound


# --- damage --------------------------------------------------------------------------------------------------------


def cut_short(data: bytes) -> bytes:
    return data[:-1]


def with_a_flipped_bit(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def gone(data: bytes) -> None:
    return None


@pytest.mark.parametrize(
    ("artifact", "part", "damage"),
    [
        ("raw_data", "flights", gone),
        ("validated_dataset", "gate", cut_short),
        ("feature_table", "features", with_a_flipped_bit),
        ("trained_model", "model", with_a_flipped_bit),
        ("trained_model", "evidence", gone),
        ("registry_entry", "entry", cut_short),
        ("drift_report", "verdict", with_a_flipped_bit),
    ],
)
def test_a_damaged_result_is_made_anew_and_the_store_is_whole_again(
    anew: Anew, world: World, artifact: str, part: str, damage: Callable[[bytes], bytes | None]
) -> None:
    before = world.versions()
    stored = world.store.require(f"{NAME}/{artifact}", WEEK).parts[part]
    (path,) = Path(world.places.store).glob(f"objects/*/{stored.address}*")
    damaged = damage(path.read_bytes())
    path.unlink()
    if damaged is not None:
        path.write_bytes(damaged)

    assert anew(world) == {artifact}
    assert world.versions() == before
    assert fsck(world.store).is_sound


# --- what an edit makes anew ---------------------------------------------------------------------------------------


def in_passing(text: str) -> str:
    """Comments, docstrings and formatting are others."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node):
            node.body[0].value = ast.Constant("Said otherwise.")  # type: ignore[attr-defined]
    return "# a comment\n" + ast.unparse(tree) + "\n\n\n# another\n"


def slow(*case: object) -> object:
    """One of many cases alike: CI runs it."""
    return pytest.param(*case, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("module", "function", "steps"),
    [
        ("core.encoding", "fit", MODEL),
        ("core.validation.conform", "conform", {"validated_dataset"}),
        ("core.drift.report", "drift_report", {"drift_report"}),
        ("graph.showing", "plot", set()),
        slow("core.calibration", "calibrate", {"trained_model", "performance_report"}),
        # a column's threshold is how much PSI its own reference shows from week to week
        slow("core.drift.psi", "psi", {"trained_model", "drift_report"}),
        slow("core.features.asof", "native", {"feature_table"}),
        slow("core.paired", "paired", {"registry_entry"}),
        slow("core.plots.features", "features_svg", {"feature_catalogue"}),
        slow("core.plots.drawing", "svg", {"trained_model", "drift_report", "performance_report"}),
        slow("stores.files", "parsed_table", {"raw_data"}),
        slow("use_cases.flight_delays", "is_late", ALL - {"response"}),  # it reads reports, which say the same
        slow("cli.printing", "as_json", set()),
    ],
)
def test_an_edit_makes_exactly_the_steps_anew_that_reach_it(
    anew: Anew, world: World, edited: Edited, module: str, function: str, steps: set[str]
) -> None:
    before = world.versions()
    edited(f"mlops_assets.{module}", in_function(function))
    changed = world.declaring(world.use_case)

    assert anew(changed) == steps
    assert world.versions() == before


@pytest.mark.parametrize("module", ["core.encoding", "core.validation.conform", "use_cases.flight_delays"])
def test_another_comment_docstring_or_formatting_makes_nothing_anew(
    anew: Anew, world: World, edited: Edited, module: str
) -> None:
    edited(f"mlops_assets.{module}", in_passing)

    assert anew(world.declaring(world.use_case)) == set()


def test_dagsters_code_version_is_the_steps_and_changes_with_it(world: World, edited: Edited) -> None:
    def shown(of: World) -> dict[str, str | None]:
        graph = of.defs.resolve_asset_graph()
        return {name: graph.get(dg.AssetKey([NAME, name])).code_version for name in LIFECYCLE}

    today = shown(world)
    assert today == {name: step.code_version for name, step in why.steps(world.use_case).items()}
    edited("mlops_assets.core.drift.report", in_function("drift_report"))
    tomorrow = shown(world.declaring(world.use_case))
    assert {name for name in LIFECYCLE if today[name] != tomorrow[name]} == {"drift_report"}


# --- what a change of the declaration makes anew -------------------------------------------------------------------


def with_margin(use_case: UseCase) -> UseCase:
    return replace(use_case, promotion=replace(use_case.promotion, margin=use_case.promotion.margin / 2))


def with_threads(use_case: UseCase) -> UseCase:
    return replace(use_case, model=replace(use_case.model, threads=2, checkpoint_every=3))


def with_text(use_case: UseCase) -> UseCase:
    first, *others = use_case.tables
    column = replace(first.columns[0], doc="said otherwise")
    return replace(use_case, tables=(replace(first, doc="otherwise", columns=(column, *first.columns[1:])), *others))


def with_bound(use_case: UseCase) -> UseCase:
    first, *others = use_case.tables
    columns = tuple(replace(c, le=20_000) if c.name == "distance" else c for c in first.columns)
    return replace(use_case, tables=(replace(first, columns=columns), *others))


def with_score(use_case: UseCase) -> UseCase:
    return replace(use_case, drift=replace(use_case.drift, table_score=0.3))


def with_rows(use_case: UseCase) -> UseCase:
    return replace(use_case, drift=replace(use_case.drift, min_rows=101))


def with_weeks(use_case: UseCase) -> UseCase:
    return replace(use_case, model=replace(use_case.model, min_weeks=4))


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        (with_margin, {"registry_entry", "feature_catalogue"}),  # the entry says the margin, the catalogue reads it
        (with_threads, set()),
        (with_text, {"feature_catalogue"}),
        (with_score, {"drift_report"}),
        slow(with_bound, ALL - {"response"}),
        # a profile leaves out weeks of fewer rows, a log of fewer answers is not judged
        slow(with_rows, {"trained_model", "drift_report", "performance_report"}),
        slow(with_weeks, MODEL),
    ],
)
def test_a_change_of_the_declaration_makes_exactly_the_steps_anew_that_see_it(
    anew: Anew, world: World, change: Callable[[UseCase], UseCase], steps: set[str]
) -> None:
    assert anew(world.declaring(change(world.use_case))) == steps
