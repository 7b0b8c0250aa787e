"""A registered model trained again from its recorded bytes, and compared with what was recorded.

Nothing is published: trials and fit run in memory, by the functions that the steps of `training.py` are made of. Code
that differs from the recorded one is taken from the recorded commit (`recorded_code.py`). What "reproduced" means is in
docs/decisions/0027.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from mlops_assets.core.actions import Action
from mlops_assets.core.checkpoints import NO_CHECKPOINTS
from mlops_assets.core.ingredients import Ingredient, differences, ingredients, told
from mlops_assets.core.reproduction import Judgement, Reproduction, Side, judge, on_blas
from mlops_assets.core.search import trials
from mlops_assets.core.versions import record_version
from mlops_assets.declare import MlopsError, UseCase
from mlops_assets.graph.clock import now
from mlops_assets.graph.recorded_code import Tell, by_the_recorded_code
from mlops_assets.graph.training import TRIAL, make, make_trial, training_step, trial_facts, trial_step
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.provenance import UNKNOWN, Provenance, cpu_kernels, provenance
from mlops_assets.stores.recorded_model import Recorded, Registered, read_back, result_of
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import REPRODUCED, Entry
from mlops_assets.stores.settings import Settings

MOST = 20  # reasons that the ledger keeps


class Code(Enum):
    """Whose code trains: `AUTO` = the recorded commit's where a definition differs from here; or always one of both."""

    AUTO = "auto"
    HERE = "here"
    RECORDED = "recorded"


def reproduce(
    use_case: UseCase,
    model: Registered,
    places: Settings,
    *,
    threads: int | None = None,
    code: Code = Code.AUTO,
    tell: Tell = lambda what, done, of: None,
) -> Reproduction:
    """Train a registered version again and compare; `threads` for the fits, instead of the declared number.

    Whatever stands against it is a FAIL with the reason in it, also a damaged input.
    """
    tell("reading what was recorded", 0, 1)
    recorded = read_back(AssetStore(places.store), model)
    if threads is not None:
        use_case = replace(use_case, model=replace(use_case.model, threads=threads))
    changed = differences(recorded.side.actions, _actions(use_case, model, model.tried))
    kinds = {change.kind for change in changed}
    notes: tuple[str, ...] = ()
    amiss: tuple[str, ...] = ()
    if code is Code.RECORDED or (code is Code.AUTO and "code" in kinds):
        aside = by_the_recorded_code(model, places, threads, tell)
        if isinstance(aside, Reproduction):
            since = [f"here by now: {told(change)}" for change in changed if change.kind in ("code", "config")]
            return replace(aside, code=f"commit {model.ref.code['commit']}", notes=(*aside.notes, *since))
        amiss = (aside,)
    elif code is Code.AUTO and "config" in kinds and model.ref.code.get("dirty") is False:
        notes = (f"with the declaration of the recorded commit: mlops reproduce {model.name} --at-commit",)
    here = _train(use_case, model, recorded, tell)
    here = replace(here, amiss=(*here.amiss, *amiss, *_misnamed(model)))
    judgement = judge(recorded.side, here, blas=on_blas(use_case.model.estimator.path))
    return _reproduction(use_case, model, recorded, here, judgement, provenance(places.root), notes)


def write_down(records: Records, made: Reproduction, use_case: str, *, who: str, when: str) -> Entry:
    """The verdict as an entry of the ledger, one for each `when` (a day, a run). Raises like `Ledger.append`."""
    evidence = {
        "verdict": made.verdict, "model_digest": made.digest_recorded, "digest_here": made.digest_here,
        "trained_model": made.trained_model, "action_key": made.action_key, "partition": made.partition,
        "code": made.code, "reasons": list(made.reasons[:MOST]), "reasons_in_all": len(made.reasons),
    }  # fmt: skip
    return records.ledger.append(
        at=now(), use_case=use_case, kind=REPRODUCED, subject=made.name, who=who, why=made.sentence,
        evidence=evidence, once=f"reproduced {made.name} {record_version(evidence)[:16]} {when}",
    )  # fmt: skip


def _actions(use_case: UseCase, model: Registered, tried: Mapping[str, str]) -> dict[str, Action]:
    """The actions of the same training here: on the recorded weeks, after trials with the results `tried`."""
    step, trial_of = training_step(use_case), trial_step(use_case)
    found = {model.at: step.action(model.ref.partition, {**model.weeks, **tried})}
    for trial in trials(use_case.model):
        partition = f"{model.ref.partition}.{trial.key}"
        found[f"{trial_of.asset}@{partition}"] = trial_of.action(partition, model.weeks, trial_facts(trial))
    return found


def _train(use_case: UseCase, model: Registered, recorded: Recorded, tell: Tell) -> Side:
    """All trials and the fit, in memory; without a result where an input is not whole or the training is refused."""
    step, trial_of, declared = training_step(use_case), trial_step(use_case), trials(use_case.model)
    tried: dict[str, str] = {}
    results, result, amiss = [], None, []
    if recorded.weeks.keys() == {at.partition("@")[2] for at in model.weeks}:
        tables = {week: table for week, (_, table) in recorded.weeks.items()}
        try:
            for place, trial in enumerate(declared):
                tell(f"trial {trial.key}", place, len(declared) + 1)
                made = make_trial(trial_of.seen, tables, trial, NO_CHECKPOINTS)
                tried[f"{trial_of.asset}@{model.ref.partition}.{trial.key}"] = made.version
                results.append(made.records[TRIAL])
            tell("fit", len(declared), len(declared) + 1)
            result = result_of(make(step.seen, recorded.weeks, results, NO_CHECKPOINTS))
        except MlopsError as refused:
            amiss.append(f"training here is refused: {refused}")
    actions = _actions(use_case, model, tried if result else model.tried)
    return Side(actions=actions, kernels=cpu_kernels(), result=result, amiss=tuple(amiss))


def _misnamed(model: Registered) -> list[str]:
    stored = model.ref.parts["model"].version
    if model.digest == stored:
        return []
    return [f"the records name the model digest {model.digest[:12]}, the store has {stored[:12]}"]


def _reproduction(
    use_case: UseCase,
    model: Registered,
    recorded: Recorded,
    here: Side,
    judgement: Judgement,
    made: Provenance,
    notes: tuple[str, ...],
) -> Reproduction:
    reasons, judged = judgement.reasons, model.ref.parts["validation"]
    digest = model.ref.parts["model"].version
    if judgement.verdict.passed:
        sentence = f"reproduced, {judgement.how}: model digest {digest[:12]}, {judged.rows or 0:,} predictions"
    else:
        more = f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""
        sentence = f"not reproduced: {reasons[0].rstrip('.')}{more}"
    compared = []
    if model.at in recorded.side.actions:
        compared = ingredients(recorded.side.actions, here.actions, model.at, tried=here.result is not None)
    return Reproduction(
        name=model.name,
        partition=model.ref.partition,
        action_key=model.ref.action_key,
        trained_model=model.ref.data_version,
        verdict=judgement.verdict.value,
        sentence=f"{model.name} is {sentence}.",
        reasons=reasons,
        notes=notes,
        code="here",
        digest_recorded=digest,
        digest_here=here.result.digest if here.result else None,
        predictions_recorded=judged.version,
        predictions_here=here.result.predictions_version if here.result else None,
        ingredients=(*compared, *_surroundings(use_case, model, recorded, here, made)),
    )


def _surroundings(
    use_case: UseCase, model: Registered, recorded: Recorded, here: Side, made: Provenance
) -> list[Ingredient]:
    """Inputs and kernels, and what is told because one may ask, though it shapes no result."""
    lacking = len(model.weeks) - len(recorded.weeks)
    read = "all read and verified" if not lacking else f"{lacking} damaged or gone"
    kernels = [UNKNOWN if side is None else ", ".join(side) for side in (recorded.side.kernels, here.kernels)]
    compared = kernels[0] == kernels[1] if on_blas(use_case.model.estimator.path) else None
    code = model.ref.code
    shaping = {name for action in recorded.side.actions.values() for name in action.libraries}
    then = code.get("libraries") or {}
    return [
        Ingredient(name="inputs", recorded=f"{len(model.weeks)} feature tables", here=read, same=not lacking),
        Ingredient(name="cpu kernels", recorded=kernels[0], here=kernels[1], same=compared),
        Ingredient(name="commit", recorded=_commit(code.get("commit", UNKNOWN), code.get("dirty")),
                   here=_commit(made.commit.sha, made.commit.dirty), same=None),
        *(Ingredient(name=name, recorded=str(then.get(name, UNKNOWN)), here=version, same=None)
          for name, version in made.libraries.items() if name not in shaping and then.get(name) != version),
    ]  # fmt: skip


def _commit(sha: object, dirty: object) -> str:
    return str(sha)[:12] + {False: "", True: ", dirty"}.get(dirty, "")  # type: ignore[call-overload]
