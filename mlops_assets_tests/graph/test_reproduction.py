"""A registered model trained again: PASS on any number of threads, FAIL with the reason for whatever differs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.core.reproduction import Reproduction
from mlops_assets.core.search import Trial, trials
from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph import actions, recorded_code, reproduction
from mlops_assets.graph.reproduction import Code, reproduce, write_down
from mlops_assets.stores import code
from mlops_assets.stores.objects import object_path
from mlops_assets.stores.provenance import KERNELS
from mlops_assets.stores.recorded_model import Registered, registered
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import REPRODUCED
from mlops_assets.stores.records.tracing import question
from mlops_assets.stores.ref import Ref
from mlops_assets_tests.graph import lived
from mlops_assets_tests.graph.lived import NAME, WEEK
from mlops_assets_tests.graph.world import QUIET, WEEKS, World, reason

OP = f"{NAME}_reproduce_version"


def version(world: World, which: str) -> Registered:
    return registered(question(f"{NAME}@{which}"), world.places)


def proven(world: World, which: str = "1", **more: Any) -> Reproduction:
    """What comes of training a version again, by the code here."""
    return reproduce(world.use_case, version(world, which), world.places, **{"code": Code.HERE, **more})


def clean(world: World) -> Registered:
    """Version 1 as if it had been made at a clean commit."""
    model = version(world, "1")
    return replace(model, ref=replace(model.ref, code={**model.ref.code, "commit": "a" * 40, "dirty": False}))


def object_of(world: World, ref: Ref, part: str) -> Path:
    return Path(world.places.store) / object_path(ref.parts[part].address, ref.parts[part].suffix)


def flip(file: Path) -> None:
    """One bit in the middle of a file."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)


def with_seed(use_case: UseCase, seed: int) -> UseCase:
    return replace(use_case, model=replace(use_case.model, seed=seed))


# --- PASS ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "threads"), [("1", None), ("2", 2)])
def test_a_version_is_the_same_again_bit_for_bit_on_any_number_of_threads(
    world: World, which: str, threads: int | None
) -> None:
    before = lived.files(world.places.store)
    made = proven(world, which, threads=threads, code=Code.AUTO)

    assert (made.verdict, made.reasons, made.code) == ("PASS", (), "here")
    assert made.digest_here == made.digest_recorded
    assert made.predictions_here == made.predictions_recorded
    assert all(one.same for one in made.ingredients if one.same is not None)
    assert made.sentence.startswith(f"{NAME}@{which} is reproduced, bit for bit: model digest {made.digest_here[:12]}")
    assert lived.files(world.places.store) == before


def test_the_kernels_of_the_fit_are_recorded_beside_its_version(world: World) -> None:
    ref = version(world, "1").ref

    assert any("blas" in kernel for kernel in ref.about[KERNELS])
    (line,) = [one for one in proven(world).ingredients if one.name == "cpu kernels"]
    assert line.recorded == ", ".join(ref.about[KERNELS])


# --- FAIL ----------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_in_a_feature_table_is_named_by_object_and_week(world: World) -> None:
    ref = world.store.require(f"{NAME}/feature_table", WEEKS[1])
    flip(object_of(world, ref, "features"))
    made = proven(world)

    assert (made.verdict, made.digest_here) == ("FAIL", None)
    (why,) = made.reasons
    assert why.startswith(f"{NAME}/feature_table@{WEEKS[1]} is damaged: ")
    assert ref.parts["features"].address in why
    assert f"{NAME}/feature_table@{WEEKS[1]} is damaged" in made.sentence


def test_a_feature_table_that_is_gone_is_named(world: World) -> None:
    ref = world.store.require(f"{NAME}/feature_table", WEEKS[0])
    object_of(world, ref, "features").unlink()

    (why,) = proven(world).reasons
    assert why.startswith(f"{NAME}/feature_table@{WEEKS[0]} is damaged: ") and "is missing" in why


@pytest.mark.parametrize("part", ["model", "validation"])
def test_a_flipped_bit_in_what_the_model_left_is_named_though_the_training_comes_out_the_same(
    world: World, part: str
) -> None:
    model = version(world, "1")
    flip(object_of(world, model.ref, part))
    made = proven(world)

    (why,) = made.reasons
    assert why.startswith(f"{NAME}/trained_model@{WEEKS[2]} is damaged: ") and model.ref.parts[part].address in why
    assert made.digest_here == made.digest_recorded


def test_another_seed_is_named_with_both_digests(world: World) -> None:
    made = reproduce(with_seed(world.use_case, 7), clean(world), world.places)

    assert made.verdict == "FAIL"
    assert made.reasons[0] == f"config model.seed: {world.use_case.model.seed} recorded, 7 here"
    assert f"model digest: {made.digest_recorded[:12]} recorded, {str(made.digest_here)[:12]} here" in made.reasons
    assert made.digest_here != made.digest_recorded
    assert made.notes == (f"with the declaration of the recorded commit: mlops reproduce {NAME}@1 --at-commit",)


def test_a_recorded_commit_that_cannot_be_fetched_is_no_advice(world: World) -> None:
    model = version(world, "1")
    dirty = replace(model, ref=replace(model.ref, code={**model.ref.code, "dirty": True}))

    assert reproduce(with_seed(world.use_case, 7), dirty, world.places).notes == ()


def test_another_version_of_a_library_is_named_though_the_result_is_equal(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = actions.libraries
    monkeypatch.setattr(actions, "libraries", lambda roots: {**known(roots), "scikit-learn": "1.9.0"})
    made = proven(world, code=Code.AUTO)
    recorded = version(world, "1").ref.code["libraries"]["scikit-learn"]  # type: ignore[index, call-overload]

    assert made.reasons == (f"library scikit-learn: {recorded} recorded, 1.9.0 here",)
    assert made.digest_here == made.digest_recorded


@pytest.fixture
def edited(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A function that fits the encoder has one statement more, as far as actions see."""
    read = code._reader

    def reader(inside: object) -> Any:
        plain = read(inside)  # type: ignore[arg-type]
        return lambda name: _longer(plain(name)) if name == "mlops_assets.core.encoding" else plain(name)

    monkeypatch.setattr(code, "_reader", reader)
    code._code.cache_clear()
    yield
    code._code.cache_clear()


def _longer(source: str | None) -> str:
    """The same module, in which `fit` does one thing more."""
    head, line, rest = str(source).partition("\ndef fit(")
    signature, end, body = rest.partition(":\n")
    return f"{head}{line}{signature}{end}    edited = True\n{body}"


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize(
    ("commit", "said"),
    [
        ({"commit": "unknown", "dirty": None}, "the recorded code cannot be fetched, its commit is unknown"),
        ({"dirty": True}, "with changes that were not committed"),
        ({"commit": "f" * 40, "dirty": False}, f"commit {'f' * 12} cannot be checked out of the repository"),
    ],
    ids=["unknown", "dirty", "not in git"],
)
def test_code_that_differs_and_cannot_be_fetched_is_named_by_function_with_both_digests(
    world: World, commit: dict[str, Any], said: str
) -> None:
    model = version(world, "1")
    model = replace(model, ref=replace(model.ref, code={**model.ref.code, **commit}))
    made = reproduce(world.use_case, model, world.places)

    assert made.verdict == "FAIL"
    assert made.reasons[0] == "function core.encoding.fit changed"
    assert said in made.reasons[-1]
    assert made.digest_here == made.digest_recorded  # the edit changed nothing about the result


@pytest.fixture
def aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the code of another commit is asked and answers, without another process."""
    told: dict[str, Any] = {"answer": (0, "", "")}

    def run_with(folder: Path, module: str, arguments: list[str], environ: dict[str, str]) -> tuple[int, str, str]:
        told.update(arguments=arguments, environ=environ)
        return told["answer"]

    class CheckedOut:
        def __init__(self, root: Path, sha: str) -> None:
            told["sha"] = sha

        def __enter__(self) -> Path:
            return tmp_path

        def __exit__(self, *_: object) -> None:
            told["left"] = True

    monkeypatch.setattr(recorded_code, "run_with", run_with)
    monkeypatch.setattr(recorded_code, "checked_out", CheckedOut)
    return told


@pytest.mark.usefixtures("edited")
def test_code_that_differs_is_taken_from_the_recorded_commit_which_gives_the_verdict(
    world: World, aside: dict[str, Any]
) -> None:
    aside["answer"] = (0, json.dumps(replace(proven(world), verdict="PASS", reasons=()).to_json()), "")
    made = reproduce(world.use_case, clean(world), world.places, threads=2)

    assert (made.verdict, made.code) == ("PASS", f"commit {'a' * 40}")
    assert made.notes == ("here by now: function core.encoding.fit changed",)
    assert aside["sha"] == "a" * 40 and aside["left"]
    assert aside["arguments"] == ["reproduce", f"{NAME}@1", "--here", "--json", "--threads", "2"]
    assert aside["environ"]["MLOPS_STORE"] == world.places.store


def test_the_recorded_commit_can_be_asked_for_in_any_case(world: World, aside: dict[str, Any]) -> None:
    aside["answer"] = (0, json.dumps(proven(world).to_json()), "")
    other = with_seed(world.use_case, 7)
    made = reproduce(other, clean(world), world.places, code=Code.RECORDED)

    assert (made.verdict, made.code) == ("PASS", f"commit {'a' * 40}")
    assert made.notes == (f"here by now: config model.seed: {world.use_case.model.seed} recorded, 7 here",)


@pytest.mark.usefixtures("edited")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((2, "", "Usage: ...\n│ No such command 'reproduce'. │\n╰──────╯\n"), "No such command 'reproduce'."),
        ((1, "", "refused: it is not there\n"), "(exit code 1): refused: it is not there"),
        ((-9, "", ""), "(exit code -9): it said nothing"),
        ((0, '{"verdict": "PASS"}', "it is another version of this\n"), "it is another version of this"),
    ],
)
def test_a_commit_whose_code_cannot_do_it_is_a_fail_in_words(
    world: World, aside: dict[str, Any], answer: tuple[int, str, str], said: str
) -> None:
    aside["answer"] = answer
    made = reproduce(world.use_case, clean(world), world.places)

    assert made.verdict == "FAIL"
    assert made.reasons[0] == "function core.encoding.fit changed"
    assert made.reasons[-1].startswith(f"the code of commit {'a' * 12} cannot do it") and said in made.reasons[-1]


def test_records_that_name_another_digest_than_the_store_fail(world: World) -> None:
    made = reproduce(world.use_case, replace(version(world, "1"), digest="0" * 64), world.places, code=Code.HERE)

    assert made.reasons == (f"the records name the model digest {'0' * 12}, the store has {made.digest_recorded[:12]}",)


def test_a_training_that_is_refused_here_is_a_fail_in_words(world: World) -> None:
    more = replace(world.use_case, model=replace(world.use_case.model, min_weeks=9, max_weeks=9))
    made = proven(world.declaring(more))

    assert made.digest_here is None
    assert made.reasons[0].startswith("config model.max_weeks: 53 recorded, 9 here")
    assert made.reasons[-1].startswith("training here is refused: ") and "min_weeks == 9" in made.reasons[-1]


# --- which version -------------------------------------------------------------------------------------------------


def test_a_version_is_found_by_number_alias_and_without_lineage_by_the_trackers_tags(world: World) -> None:
    with Records(world.places.records) as records:
        records.set_alias("champion", use_case=NAME, version=2, at="2099-01-01T00:00:00Z", who="a test",
                          why="to be found", once="found")  # fmt: skip
    assert version(world, "champion").name == f"{NAME}@2"
    bare = replace(world.places, records=str(world.folder / "gone.db"))

    assert registered(question(f"{NAME}@2"), bare) == version(world, "2")
    assert not (world.folder / "gone.db").exists()


def test_a_number_that_was_never_registered_is_refused_in_words(world: World) -> None:
    with pytest.raises(DataError, match=f"{NAME}@9 is not registered"):
        version(world, "9")


def test_an_alias_that_nobody_holds_is_refused_in_words(world: World) -> None:
    with Records(world.places.records) as records:
        records.set_alias("challenger", use_case=NAME, version=None, at="2099-01-01T00:00:00Z", who="a test",
                          why="nobody waits", once="nobody")  # fmt: skip
    with pytest.raises(DataError, match=f"no version of {NAME} is challenger"):
        version(world, "challenger")


def test_what_later_code_made_of_the_same_content_is_not_what_was_registered(world: World) -> None:
    model = version(world, "1")
    later = {**model.ref.code, "commit": "f" * 40}
    for at, version_ in [(f"{model.ref.asset}@{model.ref.partition}", model.ref.data_version), *model.tried.items()]:
        asset, _, partition = at.partition("@")
        ref = world.store.find(asset, partition, data_version=version_)
        assert ref is not None
        world.store.publish(
            asset, partition, world.store.load_ref(ref), inputs=ref.inputs, code=later, run="later",
            action_key="later", created_at="2099-01-01T00:00:00+00:00",
        )  # fmt: skip

    assert version(world, "1") == model
    assert proven(world).verdict == "PASS"


# --- the ledger and the job ----------------------------------------------------------------------------------------


def entries(world: World) -> list[Any]:
    with Records(world.places.records) as records:
        return [entry for entry in records.ledger.entries(NAME) if entry.kind == REPRODUCED]


def test_the_ledger_has_a_verdict_once_a_day_with_its_evidence(world: World) -> None:
    good, bad = proven(world), proven(world.declaring(with_seed(world.use_case, 7)))
    with Records(world.places.records) as records:
        for made, day in ((good, "monday"), (good, "monday"), (good, "tuesday"), (bad, "monday")):
            write_down(records, made, NAME, who="a test", when=day)
        assert records.ledger.verify() == []
    one, again, fail = entries(world)

    assert (one.subject, one.why) == (f"{NAME}@1", good.sentence)
    assert one.facts["verdict"] == again.facts["verdict"] == "PASS"
    assert (fail.facts["verdict"], fail.facts["digest_here"]) == ("FAIL", bad.digest_here)
    assert fail.facts["reasons"] == list(bad.reasons)
    assert one.facts["action_key"] == version(world, "1").ref.action_key


def run_job(world: World, **config: Any) -> dg.ExecuteInProcessResult:
    asked = {"ops": {OP: {"config": config}}} if config else {}
    job = world.defs.resolve_job_def(f"{NAME}_reproduce")
    return job.execute_in_process(instance=world.instance, raise_on_error=False, run_config={**QUIET, **asked})


def test_the_job_proves_the_newest_version_unless_told_otherwise(world: World) -> None:
    result = run_job(world)
    seen = world.instance.fetch_observations(dg.AssetKey([NAME, "trained_model"]), limit=1).records

    assert result.success
    with Records(world.places.records) as records:
        newest = max(head.version for head in records.lineage.heads())
    assert entries(world)[-1].subject == f"{NAME}@{newest}"
    shown = seen[0].asset_observation.metadata  # type: ignore[union-attr]
    assert shown["verdict"].value == "PASS"
    assert shown["model digest here"].value == shown["model digest recorded"].value


def test_the_job_fails_with_the_reason_where_the_model_is_not_the_same(world: World) -> None:
    result = run_job(world.declaring(with_seed(world.use_case, 7)), version="2", threads=2)

    assert not result.success
    assert f"{NAME}@2 is not reproduced: config model.seed" in reason(result)
    assert (entries(world)[-1].subject, entries(world)[-1].facts["verdict"]) == (f"{NAME}@2", "FAIL")
    assert entries(world)[-1].facts["partition"] == WEEK


def test_the_job_of_a_version_that_is_not_there_says_so(world: World) -> None:
    result = run_job(world, version="99")

    assert not result.success
    assert f"{NAME}@99 is not registered" in reason(result)
    assert entries(world) == []


def test_every_trial_is_run_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    make_trial = reproduction.make_trial

    def watched(use_case: UseCase, weeks: Any, trial: Trial, checkpoints: Any) -> Any:
        ran.append(trial.key)
        return make_trial(use_case, weeks, trial, checkpoints)

    monkeypatch.setattr(reproduction, "make_trial", watched)
    proven(world)

    assert ran == [trial.key for trial in trials(world.use_case.model)]
