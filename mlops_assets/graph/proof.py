"""The job that proves a model: `<use case>_reproduce`, for CI and for the UI. Its run fails where the model does.

It makes no asset: what it finds stands on the run's page, on the trained model's as an observation, and in the ledger.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.core.reproduction import Reproduction
from mlops_assets.declare import DataError, UseCase
from mlops_assets.graph import showing
from mlops_assets.graph.recording import Books
from mlops_assets.graph.reproduction import Code, reproduce, write_down
from mlops_assets.graph.steps import refusals
from mlops_assets.stores.recorded_model import registered
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.tracing import question
from mlops_assets.stores.settings import Settings

JOB = "reproduce"
NEWEST = "newest"


class Asked(dg.Config):
    """Which version is to be proven, and how."""

    version: str = Field(default=NEWEST, description="newest, champion, challenger, or a version's number")
    threads: int | None = Field(default=None, ge=1, description="for the fits, instead of the declared number")
    at_commit: bool = Field(
        default=False, description="by the code and the declaration of the recorded commit, whatever is here"
    )


def newest(records: Records, use_case: UseCase) -> int:
    """The number of the version registered last. Raises DataError when there is none."""
    numbers = [head.version for head in records.lineage.heads() if head.use_case == use_case.name]
    if not numbers:
        raise DataError(f"no version of {use_case.name} is registered: train a week first.")
    return max(numbers)


def reproduce_job(use_case: UseCase, settings: Settings) -> dg.JobDefinition:
    """Trains a registered version again from its recorded bytes and compares, in one step."""

    @dg.op(
        name=f"{use_case.name}_{JOB}_version",
        out=dg.Out(dg.Nothing),
        description="Trains a registered version again from its recorded bytes; fails unless it is the same model.",
    )
    def prove(context: dg.OpExecutionContext, config: Asked, records: Books) -> None:
        def tell(what: str, done: int, of: int) -> None:
            context.log.info(f"{what} ({done} of {of} steps done)")

        with refusals():
            with records.opened() as books:
                asked = newest(books, use_case) if config.version == NEWEST else config.version
            model = registered(question(f"{use_case.name}@{asked}"), settings)
            code = Code.RECORDED if config.at_commit else Code.AUTO
            made = reproduce(use_case, model, settings, threads=config.threads, code=code, tell=tell)
            with records.opened() as books:
                write_down(books, made, use_case.name, who=f"{JOB}, run {context.run_id}", when=context.run_id)
        shown = metadata(made)
        key = dg.AssetKey([use_case.name, "trained_model"])
        context.log_event(dg.AssetObservation(asset_key=key, partition=made.partition, metadata=shown))
        context.log.info(made.sentence)
        if not made.passed:
            raise dg.Failure(description="\n".join([made.sentence, *made.reasons]), metadata=shown, allow_retries=False)

    @dg.job(
        name=f"{use_case.name}_{JOB}",
        executor_def=dg.in_process_executor,
        description=f"Proves that a registered version of {use_case.name} is made by what its records say.",
        tags={"use_case": use_case.name},
    )
    def job() -> None:
        prove()

    return job


def metadata(made: Reproduction) -> dict[str, Any]:
    """Verdict, digests and the comparison, for a page."""
    rows = [
        {"ingredient": one.name, "recorded": one.recorded, "here": one.here,
         "same": "told only" if one.same is None else "yes" if one.same else "no"}
        for one in made.ingredients
    ]  # fmt: skip
    return {
        "version": made.name,
        "verdict": made.verdict,
        "in words": made.sentence,
        "reasons": showing.records({"reason": reason} for reason in made.reasons),
        "model digest recorded": made.digest_recorded,
        "model digest here": made.digest_here or "nothing could be trained",
        "predictions recorded": made.predictions_recorded,
        "predictions here": made.predictions_here or "nothing could be trained",
        "trained by the code": made.code,
        "ingredients": showing.records(rows),
    }
