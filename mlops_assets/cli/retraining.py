"""`mlops retraining`: why a model was trained again by itself or was not, and the operator's way to let it again."""

import os
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table as Grid
from rich.text import Text

from mlops_assets.cli.operating import Json, Name, who
from mlops_assets.cli.printing import as_json, out
from mlops_assets.cli.use_case import declared_named
from mlops_assets.stores.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_assets.core.retraining.facts import Training
    from mlops_assets.core.retraining.guards import Guard
    from mlops_assets.stores.records.decisions import Recorded
    from mlops_assets.stores.records.retrainings import Retrainings

app = typer.Typer(no_args_is_help=True, help="Why a model was trained again by itself, or was not; and the breaker.")
_OF_LATE = 500  # decisions among which each sensor's newest is looked for


@app.command()
def status(use_case: Name, json: Json = False) -> None:
    """What stands in the way of a training, each sensor's newest decision with its guards, and the trainings so far."""
    from mlops_assets.core.retraining.guards import standing

    policy = declared_named(use_case).retraining
    with _retrainings() as retrainings:
        trainings = retrainings.trainings(use_case)
        decided = retrainings.decisions(use_case, _OF_LATE)
    newest = max((*(d.window for d in decided), *(t.partition for t in trainings)), default="")
    stands = standing(policy, newest, trainings) if newest else ()
    of_sensors = list({d.sensor: d for d in reversed(decided)}.values())
    if json:
        as_json(
            {
                "use_case": use_case,
                "newest": newest,
                "standing": [asdict(guard) for guard in stands],
                "decisions": [asdict(decision) for decision in of_sensors],
                "trainings": [_training(training) for training in trainings],
            }
        )
        return
    if not newest:
        out.print(f"{use_case}: no sensor has considered a training yet, and none was judged.", markup=False)
        return
    out.print(f"{use_case}, as of the window {newest}:", markup=False)
    _print_guards(stands)
    for decision in sorted(of_sensors, key=lambda d: d.sensor):
        out.print()
        out.print(f"{decision.sensor} said {_said(decision)}, {_when(decision)}", markup=False)
        _print_guards(decision.guards)
    out.print()
    rows = [
        (t["partition"], t["by"], t["outcome"] + (", forgiven" if t["forgiven"] else ""))
        for t in map(_training, trainings)
    ]
    out.print(
        _grid(("training of", "asked for by", "became"), rows) if rows else "No training was asked for or judged."
    )


@app.command()
def decisions(
    use_case: Name,
    limit: Annotated[int, typer.Option(min=1, help="so many, the newest")] = 20,
    json: Json = False,
) -> None:
    """Every decision of the sensors, the no too; one that was made at tick after tick is one line that counts them."""
    declared_named(use_case)
    with _retrainings() as retrainings:
        decided = retrainings.decisions(use_case, limit)
    if json:
        as_json([asdict(decision) for decision in decided])
    elif not decided:
        out.print(f"{use_case}: no sensor has considered a training yet.", markup=False)
    else:
        for d in decided:
            seen = f"{d.ticks:,} ticks" if d.ticks > 1 else "1 tick"
            head = f"{d.last_at[:19]}Z  {d.window}  {'yes' if d.yes else 'no'}  {d.sensor}, {seen}"
            out.print(f"{head}\n  {d.reason}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def close(
    use_case: Name, why: Annotated[str, typer.Option(help="what people will read later")], json: Json = False
) -> None:
    """Close the circuit breaker: the failures so far count no more, and the cooldown is the declared one again."""
    declared_named(use_case)
    with _retrainings() as retrainings:
        entry = retrainings.close(use_case, who=who(), why=why, at=datetime.now(UTC).isoformat())
    failures = entry.facts["failures"]
    if json:
        as_json({"use_case": use_case, "entry": entry.seq, "failures": failures})
    else:
        out.print(f"{use_case}: the breaker is closed, {failures} failures in a row count no more "
                  f"(entry {entry.seq} of the ledger).", markup=False)  # fmt: skip


@contextmanager
def _retrainings() -> "Iterator[Retrainings]":
    from mlops_assets.stores.records import Records

    with Records(settings(os.environ).records, create=False) as records:
        yield records.retrainings


def _training(training: "Training") -> dict[str, Any]:
    by = training.signal.value if training.signal else "somebody"
    return {"partition": training.partition, "key": training.key, "by": by, "outcome": training.outcome.value,
            "forgiven": training.forgiven}  # fmt: skip


def _said(decision: "Recorded") -> str:
    return (
        f"{'yes' if decision.yes else 'no'} about {decision.model} in {decision.window}: {decision.reason.rstrip('.')}"
    )


def _when(decision: "Recorded") -> str:
    if decision.ticks == 1:
        return f"at {decision.last_at[:19]}Z"
    return f"{decision.ticks:,} times from {decision.first_at[:19]}Z to {decision.last_at[:19]}Z"


def _print_guards(guards: "Sequence[Guard]") -> None:
    grid = Grid(box=None, pad_edge=False, show_header=False)
    for guard in guards:
        mark = Text("✓", style="green") if guard.holds else Text("✗", style="bold red")
        grid.add_row(mark, Text(guard.name), Text(guard.sentence, style="dim" if guard.holds else ""))
    out.print(grid)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    grid = Grid(*heads, box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))  # not markup: a record's word is nobody's style
    return grid
