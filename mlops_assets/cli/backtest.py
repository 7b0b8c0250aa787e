"""`mlops backtest`: a use case's monitoring and retraining policy, tried on its own history."""

import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from mlops_assets.cli.printing import as_json, out, progress
from mlops_assets.cli.use_case import declared_named, week
from mlops_assets.core.signals import Response
from mlops_assets.declare import Task, UseCase

if TYPE_CHECKING:
    from mlops_assets.replay.backtest import Backtest, Gain
    from mlops_assets.replay.walk import WeekSeen

_WIDTH = 160  # columns of text, where the terminal does not say that it has more
_WORST = 3


def backtest(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    begin: Annotated[str, typer.Option("--from", help="first week of the walk (default: the one after --first)")] = "",
    end: Annotated[str, typer.Option("--to", help="last week (default: the last in the store)")] = "",
    first: Annotated[str, typer.Option(help="last week the first model learns from (default: min_weeks weeks)")] = "",
    attainable: Annotated[
        int, typer.Option(min=0, help="hold it against a model trained every so many weeks, which is more work")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")] = False,
) -> None:
    """What would the drift reports, the sensors and the retraining policy have done, week by week?

    Reads feature tables of the store (`mlops backfill USE_CASE ... --job data` makes them), trains as the policy asks,
    and writes nothing: no model is registered, nothing is decided about the one that answers.
    """
    from mlops_assets.replay.backtest import Span, history, stored_weeks
    from mlops_assets.replay.backtest import backtest as walked
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.settings import settings

    declared = declared_named(use_case)
    begin, end, first = (week(declared, key) if key else "" for key in (begin, end, first))
    assets = AssetStore(settings(os.environ).store)
    stored = stored_weeks(declared, assets)
    frames = history(declared, assets, end or (stored or (declared.partitions.start,))[-1])
    keys = list(frames)
    first = first or keys[: declared.model.min_weeks][-1]
    span = Span(first=first, begin=begin or declared.partitions.shift(first, 1), end=keys[-1])
    with progress() as bar:
        task = bar.add_task(use_case, total=sum(span.begin <= key for key in keys))

        def told(doing: str) -> None:
            bar.update(task, description=f"{use_case} {doing}", advance=doing in frames)

        found = walked(declared, frames, span, attainable=attainable, told=told)
    if json:
        as_json(found.to_json())
    else:
        _print(declared, found)


def _print(use_case: UseCase, found: "Backtest") -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("week", no_wrap=True)
    for name in ("labelled", "predicted", "actual", found.gain.metric):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("inputs", "outcomes", "response", "decision", "model + shadow"):
        table.add_column(name)
    for seen in found.weeks:
        table.add_row(*_cells(use_case, seen), style="bold" if seen.retrain else None)
    Console(width=max(out.width, _WIDTH), highlight=False).print(table)
    out.print()
    for one in found.retrained:
        stands = f"stands from {one.since}" if one.since else "does not stand"
        out.print(f"{one.week}  trained for {one.reason}; {stands}: {one.fate}", markup=False)
    count = f"{len(found.retrained)} retraining{'' if len(found.retrained) == 1 else 's'}"
    alarms = f" ({', '.join(found.alarms)})" if found.alarms else ""
    out.print(f"{count}, {len(found.alarms)} of {len(found.weeks)} weeks with an alarm{alarms}")
    out.print(_worth(found.gain), markup=False)


def _cells(use_case: UseCase, seen: "WeekSeen") -> list[str]:
    scale, places, unit = (100, 1, " %") if use_case.label.task is Task.CLASSIFICATION else (1, 2, "")

    def told(value: float | None) -> str:
        return "" if value is None else f"{scale * value:.{places}f}{unit}"

    metric = "" if seen.metric is None else f"{seen.metric:.3f}"
    if seen.low is not None and seen.high is not None:
        metric += f" ({seen.low:.3f}..{seen.high:.3f})"
    worst = ", ".join(seen.drifted[:_WORST]) + (" .." if len(seen.drifted) > _WORST else "")
    faults = f", feed fault: {', '.join(seen.faults)}" if seen.faults else ""
    inputs = f"{seen.drift} {len(seen.drifted)}" + (f": {worst}" if worst else "") + faults
    refused = f"no: {seen.decision}" if seen.response == Response.RETRAIN.value else ""
    decision = "retrain" if seen.retrain else refused
    model = seen.model + (f" + {seen.shadow}" if seen.shadow else "")
    return [
        seen.week, f"{seen.labelled:,}", told(seen.predicted), told(seen.actual), metric, inputs, seen.concept,
        seen.response, decision, model,
    ]  # fmt: skip


def _worth(gain: "Gain") -> str:
    """What the policy was worth, in one line."""

    def told(value: float | None) -> str:
        return "unknown" if value is None else f"{value:.4f}"

    line = f"mean {gain.metric}: {told(gain.never)} never trained again, {told(gain.policy)} by the policy"
    if not gain.weeks:
        return line
    line += f", {told(gain.every)} trained every {gain.weeks} weeks"
    if gain.share is None:
        return f"{line}: nothing was to be had"
    return f"{line}: {gain.share:.0%} of the gain that was to be had"
