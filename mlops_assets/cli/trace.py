"""`mlops trace`: from a prediction or a model to the data, and from data to the models that saw it."""

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_assets.cli.printing import as_json, out
from mlops_assets.declare.errors import DataError

if TYPE_CHECKING:
    from mlops_assets.stores.records.model_version import ModelVersion
    from mlops_assets.stores.records.tracing import Served, Traced

_SHORT = 12  # characters of a hash; `mlops trace` takes 8 and more


def trace(
    what: Annotated[
        str,
        typer.Argument(
            help="a prediction id, flight_delays@3, flight_delays@champion, a data version, a file (its recorded path, "
            "its sha256, or one on this machine), a commit, a training set, a run"
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a page")] = False,
) -> None:
    """Which data was this model trained on, which models saw this data: one look-up.

    One model is told with its run, commit, training set, weeks and files; several as a list with their live shares.
    """
    from mlops_assets.stores.records import Records, tracing
    from mlops_assets.stores.serving.served import served
    from mlops_assets.stores.settings import settings

    places = settings(os.environ)
    answers = partial(served, places.serving)
    try:
        tracing.question(what)
    except DataError as malformed:
        if not answers(what):
            raise typer.BadParameter(str(malformed)) from malformed
    sha256 = _hash_of_file(what)
    with Records(places.records, create=False) as records:
        try:
            found = tracing.trace(records.database, sha256 or what, answers)
        except DataError as unknown:
            if sha256 is None:
                raise
            raise DataError(f"no model saw {what} with its present bytes: {unknown}") from unknown
    if json:
        as_json({"asked": what, "sha256": sha256, "found": [one.to_json() for one in found]})
    elif len(found) == 1 and found[0].model is not None:
        _page(found[0], found[0].model)
    else:
        _list(found)


def _hash_of_file(what: str) -> str | None:
    """sha256 of a file of this machine; None when there is no such file."""
    try:
        with Path(what).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _page(found: "Traced", model: "ModelVersion") -> None:
    from mlops_assets.stores.records.tracing import Served

    if found.prediction is not None:
        answer = found.prediction
        _line("prediction", f"{answer.id}, as of {answer.as_of}, answered {answer.answered_at} by the {answer.arm}")
        if isinstance(answer, Served):
            _line("said", _said(answer))
    elif found.key not in (model.name, f"{model.use_case}@{model.stage}"):
        _line(found.kind.replace("_", " "), found.key)
    for title, text in _facts(model).items():
        _line(title, text)
    out.print()
    _grid(
        ("week", "role", "feature table", "validated dataset", "raw data"),
        [
            (w["partition"], w["role"], *(w[n][:_SHORT] for n in ("feature_table", "validated_dataset", "raw_data")))
            for w in model.weeks
        ],
    )
    out.print()
    _grid(
        ("week", "table", "file", "sha256"),
        [(f["partition"], f["table"], f["path"], f["sha256"][:_SHORT]) for f in model.files],
    )


def _said(answer: "Served") -> str:
    said = f"{answer.status}, no answer" if answer.score is None else f"{answer.score:.6g} ({answer.status})"
    said += f", in {answer.stage} with {answer.share:.0%} for the challenger"
    said += "" if answer.label is None else f"; the label is {answer.label:g}"
    return said if answer.version else f"{said}; by the baseline that was trained beside the model"


def _facts(model: "ModelVersion") -> dict[str, str]:
    weeks = [week["partition"] for week in model.weeks if week["feature_table"]]
    dirty = {"true": ", with changes that were not committed", "false": ""}.get(model.dirty, ", changes unknown")
    facts = {
        "model": f"{model.name}, {_stage(model)}, registered {model.registered_at[:19]}Z",
        "verdict": model.sentence,
        "training set": f"{model.training_set}, {len(weeks)} weeks {weeks[0]} .. {weeks[-1]}" if weeks else "no weeks",
        "its rows": model.training_set_data_version,
        "its inputs": model.data_version,
        "model digest": model.model_digest,
        "commit": f"{model.commit}{dirty}",
        "seed": str(model.seed),
        "dagster run": f"{model.dagster_run} {model.dagster_url}".strip(),
        "mlflow run": f"{model.mlflow_run} {model.mlflow_url}".strip(),
        "metrics": ", ".join(f"{name} {value:.6g}" for name, value in model.metrics.items()),
        "libraries": ", ".join(f"{name} {number}" for name, number in model.libraries.items()),
    }
    read = [f"{r['asset']}@{r['partition']} {r['data_version'][:_SHORT]}" for r in model.other_inputs]
    return facts | ({"also read": ", ".join(read)} if read else {})


def _list(found: list["Traced"]) -> None:
    live = [one.head.name for one in found if one.head.share]
    said = f"{', '.join(live)} of them live" if live else "none of them live"
    _line(found[0].kind.replace("_", " "), found[0].key)
    _line("seen by", f"{len(found)} models, {said}")
    out.print()
    _grid(
        ("model", "week", "stage", "live share", "verdict", "registered"),
        [
            (m.name, m.partition, m.stage, f"{m.share:.0%}", m.verdict, f"{m.registered_at[:19]}Z")
            for m in (one.head for one in found)
        ],
    )


def _stage(model: "ModelVersion") -> str:
    return f"{model.stage} with {model.share:.0%} of live traffic" if model.share else model.stage


def _line(title: str, text: str) -> None:
    out.print(f"{title:<12}  {text}", markup=False)


def _grid(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their widest cell: nothing is cut off, however narrow the page."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for number, row in enumerate([titles, *rows]):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        out.print(line, markup=False, style="" if number else "bold")
