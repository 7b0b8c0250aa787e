"""The lineage table: a row for each registered model version, an index of everything it was made from, predictions.

Here belongs writing them, and reading whole rows back. Questions are answered in `tracing.py`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.records.database import Database
from mlops_assets.stores.records.entry import ALIAS, ROLLOUT, Entry
from mlops_assets.stores.records.model_version import (
    ARCHIVED,
    CHALLENGER,
    CHAMPION,
    DOCUMENTS,
    ON_ITS_WAY,
    REGISTERED,
    ModelVersion,
)
from mlops_assets.stores.records.seal import SEALS, check, is_whole, sealed
from mlops_assets.stores.records.tables import LINEAGE_KEY, MODEL_VERSION, PREDICTION

# what becomes of the version that leaves a stage which one version holds
_AFTER = {CHAMPION: ARCHIVED, **dict.fromkeys((CHALLENGER, *ON_ITS_WAY), REGISTERED)}
_LIVE = {CHAMPION: 1.0}  # the share of live traffic that a stage has
_MODEL = (MODEL_VERSION.c.use_case, MODEL_VERSION.c.version)
UNDECIDED = (REGISTERED, 0.0)  # stage and share of a version about which no alias was decided


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One answer: which model version gave it, in which arm, as of when it was asked, when it was answered."""

    id: str
    use_case: str
    version: int
    arm: str
    as_of: str
    answered_at: str


class Head(NamedTuple):
    """A model version in short: what a list of them tells."""

    use_case: str
    version: int
    partition: str
    stage: str
    share: float
    verdict: str
    registered_at: str
    model_digest: str

    @property
    def name(self) -> str:
        """`use_case@version`."""
        return f"{self.use_case}@{self.version}"


class Lineage:
    """The lineage of a database of records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, use_case: str, version: int) -> ModelVersion | None:
        """The row of a version; None when there is none. Raises DamagedError when it is not what was written."""
        with self._database.reading() as connection:
            return _get(connection, use_case, version)

    def heads(self) -> list[Head]:
        """Every version that has a row, by use case and number, as it is now: `damaged` says which were changed."""
        asked = select(*(MODEL_VERSION.c[name] for name in Head._fields))
        with self._database.reading() as connection:
            found = connection.execute(asked.order_by(MODEL_VERSION.c.use_case, MODEL_VERSION.c.version))
            return [Head(*row) for row in found]

    def damaged(self) -> dict[tuple[str, int], str]:
        """Use case and version -> what is wrong with its row or with what it is found by."""
        found: dict[tuple[str, int], str] = {}
        with self._database.reading() as connection:
            rows = connection.execute(select(*_MODEL).order_by(*_MODEL)).tuples().all()
            bare = dict.fromkeys(rows)  # those that are found by nothing
            k = LINEAGE_KEY.c
            keys = connection.execute(select(k.use_case, k.version, k.key, k.kind).order_by(k.use_case, k.version))
            for model, group in groupby(keys.tuples(), lambda key: (key[0], key[1])):
                bare.pop(model, None)
                found[model] = _wrong(connection, model, {key: kind for _, _, key, kind in group})
            found |= {model: _wrong(connection, model, {}) for model in bare}
        return {model: wrong for model, wrong in found.items() if wrong}

    def add_predictions(self, predictions: Iterable[Prediction]) -> None:
        """Write predictions down, all or none. Raises DataError for an id that is there already."""
        rows = [asdict(one) for one in predictions]
        if rows:
            with self._database.writing() as connection:
                connection.execute(insert(PREDICTION), rows)


def add(connection: Connection, row: ModelVersion) -> bool:
    """Write a row and its keys; False when it is there.

    Raises DataError when its number is another model's, DamagedError when the row there is not what was written.
    """
    before = _get(connection, row.use_case, row.version)
    if before is not None and not before.is_the_same_model_as(row):
        raise DataError(
            f"lineage: {row.name} is the model with digest {before.model_digest[:12]}, met {row.model_digest[:12]}: "
            "a number names one model; was the tracker's database replaced? Restore it."
        )
    if before is None:
        write(connection, row)
    return before is None


def write(connection: Connection, row: ModelVersion) -> None:
    """Write a row and its keys, in the place of whatever there is of that version."""
    for table in (MODEL_VERSION, LINEAGE_KEY):
        connection.execute(delete(table).where((table.c.use_case == row.use_case) & (table.c.version == row.version)))
    connection.execute(insert(MODEL_VERSION).values(sealed(row.columns())))
    found = {"use_case": row.use_case, "version": row.version}
    connection.execute(insert(LINEAGE_KEY), [found | {"key": k, "kind": v} for k, v in row.keys().items()])


def stages(entries: Iterable[Entry]) -> dict[int, tuple[str, float]]:
    """Version -> its stage and live share after the entries of one use case; others are `UNDECIDED`.

    An alias gives its version a stage; while a rollout runs, the entries about it say which stage and what share.
    """
    found: dict[int, tuple[str, float]] = {}
    for entry in entries:
        if entry.kind == ALIAS:
            alias, version = entry.points
            _leave(found, (alias,))
            if version is not None:
                found[version] = (alias, _LIVE.get(alias, 0.0))
        elif entry.kind in ROLLOUT:
            champion, challenger, stage, share = entry.answers
            _leave(found, (CHAMPION, *ON_ITS_WAY))
            if champion:
                found[champion] = (CHAMPION, 1.0 - share)
            if challenger is not None:
                found[challenger] = (stage, share)
    return found


def _leave(found: dict[int, tuple[str, float]], stages: Collection[str]) -> None:
    """Whoever is in one of these stages leaves it."""
    for version, (stage, _) in found.items():
        if stage in stages:
            found[version] = (_AFTER[stage], 0.0)


def set_stages(connection: Connection, use_case: str, decided: Mapping[int, tuple[str, float]]) -> None:
    """Bring stage and share of every version of a use case in step with what was decided."""
    c = MODEL_VERSION.c
    rows = connection.execute(select(c.version, c.stage, c.share).where(c.use_case == use_case)).tuples().all()
    for version, *met in rows:
        stage, share = decided.get(version, UNDECIDED)
        if met != [stage, share]:
            mine = (c.use_case == use_case) & (c.version == version)
            connection.execute(update(MODEL_VERSION).where(mine).values(stage=stage, share=share))


def model_version(row: Mapping[str, Any]) -> ModelVersion:
    """The record of a row of the table, by column. Raises DamagedError when it is not what was written."""
    check(row)
    return _record(row)


def _record(row: Mapping[str, Any]) -> ModelVersion:
    told = {name: value for name, value in row.items() if name not in SEALS}
    return ModelVersion(**{name: _document(value) if name in DOCUMENTS else value for name, value in told.items()})


def _document(text: str) -> Any:
    found = json.loads(text)
    return tuple(found) if isinstance(found, list) else found


def _get(connection: Connection, use_case: str, version: int) -> ModelVersion | None:
    row = _row(connection, use_case, version)
    return None if row is None else model_version(row)


def _row(connection: Connection, use_case: str, version: int) -> dict[str, Any] | None:
    mine = (MODEL_VERSION.c.use_case == use_case) & (MODEL_VERSION.c.version == version)
    row = connection.execute(select(MODEL_VERSION).where(mine)).one_or_none()
    return None if row is None else row._asdict()


def _wrong(connection: Connection, model: tuple[str, int], keys: Mapping[str, str]) -> str:
    """What is wrong with the row of a version that is found by these keys (key -> kind); "" when nothing is."""
    row = _row(connection, *model)
    if row is None:
        return "is gone, what it was found by is still there"
    if not is_whole(row):
        return "is not what was written: a field of it was changed"
    should = _record({**row, "stage": REGISTERED, "share": 0.0}).keys()
    lost, foreign = sorted(should.items() - keys.items()), sorted(keys.items() - should.items())
    found = [f"is not found by {len(lost)} of the keys it has, e.g. {lost[0][1]} {lost[0][0]}"] if lost else []
    found += [f"is found by {len(foreign)} it does not have, e.g. {foreign[0][1]} {foreign[0][0]}"] if foreign else []
    return " and ".join(found)
