"""MLflow's scoring protocol (https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally): POST /invocations.

Here belong its forms of rows and its form of an answer. A row without column names holds the values of the model's
features in their order, as they are, not encoded. NaN stands for null.
"""

import csv
import json
from importlib.metadata import version
from io import StringIO
from math import isfinite
from typing import Any

import msgspec
from blake3 import blake3

from mlops_assets.declare import Kind
from mlops_assets.gateway.asked import Answer
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.refusals import Refused, malformed
from mlops_assets.gateway.replies import JSON, Incoming, Reply, decoded
from mlops_assets.gateway.requests import Table, table_of_columns, table_of_records, table_of_rows

CSV = "text/csv"
PROTOCOL = version("mlflow")
Value = str | int | float | bool | None
Rows = list[dict[str, Value] | list[Value]]
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Split(msgspec.Struct, forbid_unknown_fields=True):
    """A table by columns' names and rows, as pandas writes `orient="split"`."""

    columns: list[str]
    data: list[list[Value]]
    index: list[Any] = []


class Invocation(msgspec.Struct, forbid_unknown_fields=True):
    """Rows in exactly one of four forms."""

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, Value]] | None = None
    instances: Rows | None = None
    inputs: dict[str, list[Value]] | Rows | None = None
    params: dict[str, Any] | None = None


class Predictions(msgspec.Struct):
    """One number for each row, in their order: the probability of True, or the number that was asked for."""

    predictions: list[float]


_DECODER = msgspec.json.Decoder(Invocation)


async def invoke(gateway: Gateway, incoming: Incoming, id_: str) -> Reply:
    """The predictions of the request's rows."""
    table = _table(gateway, incoming)
    question = await gateway.asking.question(table)
    answer = await gateway.batcher.answer(id_, question, content_of(incoming.body))
    return Reply(msgspec.json.encode(Predictions(answer.scores)), headers=told(gateway, id_, answer))


def content_of(body: bytes) -> str:
    """What tells a request that is sent again from another of the same id."""
    return blake3(body).hexdigest(length=8)


def told(gateway: Gateway, id_: str, answer: Answer) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of an answer: its id, which versions gave it, in which arms."""
    versions = [f"{gateway.use_case.name}@{version}" for version in answer.versions]
    return (
        (b"x-request-id", id_.encode()),
        (b"x-model-version", ", ".join(versions).encode()),
        (b"x-arm", ", ".join(answer.arms).encode()),
    )


def _table(gateway: Gateway, incoming: Incoming) -> Table:
    kind = incoming.content_type
    if kind == CSV:
        return _csv(gateway, incoming.body)
    if kind != JSON:
        raise Refused(415, "content_type", f"content type {kind[:60]!r}, must be {JSON} or {CSV}.")
    asked: Invocation = decoded(_without_nan(incoming.body), _DECODER)
    given = [name for name in FORMS if getattr(asked, name) is not None]
    if len(given) != 1:
        raise malformed("$", given, f"must be exactly one of {', '.join(FORMS)}", "send the rows in one form")
    if asked.params:
        raise malformed("$.params", sorted(asked.params), "must be left out", "the model takes no parameters")
    if asked.dataframe_split is not None:
        split = asked.dataframe_split
        return table_of_rows(split.columns, split.data, "$.dataframe_split.data")
    if asked.dataframe_records is not None:
        return table_of_records(asked.dataframe_records, "$.dataframe_records")
    if isinstance(asked.inputs, dict):
        return table_of_columns(asked.inputs, "$.inputs")
    where = f"$.{given[0]}"
    return _rows(gateway, asked.instances if asked.inputs is None else asked.inputs, where)


def _without_nan(body: bytes) -> bytes:
    """The body with null for NaN: pandas has no other word for a missing number, and MLflow's client writes it so."""
    if b"NaN" not in body:
        return body
    try:
        return msgspec.json.encode(json.loads(body, parse_constant=_null))
    except (ValueError, RecursionError, OverflowError):
        return body  # it is refused as it is


def _null(constant: str) -> None:
    if constant != "NaN":
        raise ValueError(f"{constant} is no JSON")


def _rows(gateway: Gateway, rows: Rows | None, where: str) -> Table:
    records = [row for row in rows or () if isinstance(row, dict)]
    lists = [row for row in rows or () if isinstance(row, list)]
    if records and lists:
        raise malformed(where, "objects and lists", "must be all of one", "name the columns of every row, or of none")
    return table_of_records(records, where) if records else table_of_rows(gateway.asking.features, lists, where)


def _csv(gateway: Gateway, body: bytes) -> Table:
    """A table with a header line; an empty cell is null."""
    try:
        lines = list(csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as wrong:
        raise malformed("body", "", f"must be CSV in UTF-8 ({wrong})", "correct it") from wrong
    names, *rows = [line for line in lines if line] or [[]]
    table = table_of_rows(names, rows, "rows")
    kinds = gateway.asking.kinds
    columns = {
        name: [_cell(name, kinds[name], cell, row) for row, cell in enumerate(cells)]
        for name, cells in table.columns.items()
        if name in kinds
    }
    return Table(columns=columns, rows=table.rows)


def _cell(name: str, kind: Kind, cell: str, row: int) -> Value:
    if cell == "":
        return None
    try:
        if kind is Kind.BOOL:
            return {"true": True, "false": False}[cell.lower()]
        if kind in (Kind.INT, Kind.CLOCK, Kind.FLOAT):
            if not cell.isascii() or "_" in cell:
                raise ValueError
            number = float(cell)
            if not isfinite(number):
                raise ValueError
            return int(cell) if cell.lstrip("+-").isdigit() and abs(number) < 2**63 else number
    except (KeyError, ValueError):
        raise malformed(f"{name}[{row}]", cell, f"must be {kind.value}, or empty", "correct it") from None
    return cell
