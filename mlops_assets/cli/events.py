"""`mlops events`: single events into the feature store, through the gate that files go through."""

import json as formats
import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mlops_assets.cli.printing import as_json, out, progress
from mlops_assets.cli.use_case import use_case_named
from mlops_assets.declare import DataError

BATCH = 500
AGAIN = "mend it and run again, what was taken already is known then."


def events(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    table: Annotated[str, typer.Argument(help="the table they tell of, e.g. weather")],
    file: Annotated[Path, typer.Argument(help="one JSON object a line: column -> value; - reads standard input")],
    arrived: Annotated[str, typer.Option(help="when they arrive, with a zone (default: now)")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Accept single events. A line that breaks a rule is quarantined with its reason (exit code 1 when any was)."""
    from mlops_assets.cli.lookup import instant
    from mlops_assets.core.online.ordered import instant_us
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.feature_store import feature_store
    from mlops_assets.stores.settings import settings

    declared, places = use_case_named(use_case), settings(os.environ)
    now = datetime.now(UTC)
    if arrived and instant(arrived) > now:
        raise typer.BadParameter(f"--arrived {arrived} lies in the future: nothing arrives before it does.")
    at = instant_us(instant(arrived) if arrived else now)
    assets = AssetStore(places.store)
    counts: Counter[str] = Counter()
    refused: list[dict[str, Any]] = []
    opened = feature_store(declared, online=places.online, journals=places.journal, assets=assets)
    with opened as (way, _), progress() as bar:
        task = bar.add_task(f"{table} events", total=None)
        for batch in _batches(file):
            for (line, _event), outcome in zip(batch, way.accept(table, [e for _, e in batch], at), strict=True):
                counts[outcome.status] += 1
                if outcome.reason:
                    refused.append({"line": line, "reason": outcome.reason})
            bar.advance(task, len(batch))
    if json:
        as_json({**{s: counts[s] for s in ("accepted", "duplicate", "quarantined")}, "refused": refused})
    else:
        for row in refused:
            out.print(f"line {row['line']}: {row['reason']}", markup=False)
        said = f"{counts['accepted']:,} accepted, {counts['duplicate']:,} known already, {len(refused):,} quarantined."
        out.print(said)
    if refused:
        raise typer.Exit(1)


def _batches(file: Path) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    """Lines as events with their numbers, BATCH at a time. Raises DataError at a line that is no JSON object."""
    try:
        lines = sys.stdin if str(file) == "-" else file.open(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{str(file)!r} cannot be read ({error.strerror}): name a file of JSON lines.") from error
    batch: list[tuple[int, dict[str, Any]]] = []
    with lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    batch.append((number, _event(str(file), number, line)))
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        except UnicodeDecodeError as error:
            raise DataError(f"{str(file)!r} is not UTF-8 ({error}): {AGAIN}") from error
    if batch:
        yield batch


def _event(file: str, number: int, line: str) -> dict[str, Any]:
    try:
        event = formats.loads(line)
    except (ValueError, RecursionError) as error:
        event, why = None, f": {error}"
    else:
        why = ""
    if not isinstance(event, dict):
        raise DataError(f"{file} line {number} is no JSON object{why}: {AGAIN}")
    return event
