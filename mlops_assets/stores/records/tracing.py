"""Which data was this model trained on, and which models saw this data: one question, one SQL statement.

Here belongs what may be asked and the statement. Every question is the same statement with other parameters: a question
is looked for among predictions, among everything a model version was made from, and among the versions themselves.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    bindparam,
    case,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.records.database import Database
from mlops_assets.stores.records.lineage import Head, Prediction, model_version
from mlops_assets.stores.records.model_version import (
    ALIASES,
    CHALLENGER,
    COMMIT,
    DOCUMENTS,
    ON_ITS_WAY,
    WHOLE_KEYS,
    ModelVersion,
)
from mlops_assets.stores.records.seal import check
from mlops_assets.stores.records.tables import LINEAGE_KEY, MODEL_VERSION, PREDICTION

PREDICTION_ID, VERSION, ALIAS = "prediction", "version", "alias"
_MODEL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._=-]{0,127})@(.*)")
# git's and everybody's habit: 7 for a commit; for a data version or a run's id (with its dashes) at least 8
_PREFIX = re.compile(r"[0-9a-f][0-9a-f-]{6,62}")
_HASH = re.compile(r"[0-9a-fA-F][0-9a-fA-F-]{6,63}")
_ANSWER = ("use_case", "version", "arm", "as_of", "answered_at")  # what is known of a prediction beside its id
_COMMIT_LENGTH, _LONGEST = 7, 1_000


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, as the parameters of the statement; what cannot be meant is empty and matches nothing."""

    asked: str
    up_to: str  # the last key a prefix may mean, or what was asked
    use_case: str = ""
    version: int = 0
    stage: str = ""


@dataclass(frozen=True, kw_only=True)
class Served(Prediction):
    """A prediction as the log of a gateway holds it: what was said, in which stage of a rollout, what turned out true.

    `trained_as` is the version its model is recorded by: its own, of the baseline (version 0) the one beside which it
    was trained.
    """

    trained_as: int
    stage: str
    share: float
    status: str
    score: float | None
    label: float | None


@dataclass(frozen=True, kw_only=True)
class Traced:
    """One model version that is meant: found as what (`kind`), by which whole `key`, and through which prediction.

    `model` is all of it when it is the only one, else None: many are told by their heads, each can be asked for.
    """

    kind: str
    key: str
    head: Head
    model: ModelVersion | None
    prediction: Prediction | None

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values; a head alone stands in the place of the model."""
        told = self.head._asdict() if self.model is None else asdict(self.model)
        answer = None if self.prediction is None else asdict(self.prediction)
        return {"kind": self.kind, "key": self.key, "model": told, "prediction": answer}


def question(asked: str) -> Question:
    """The question in a text; a hash may be in capitals. Raises DataError for one that can mean nothing.

    >>> question("flight_delays@champion").stage, question("0F1AC84E").up_to
    ('champion', '0f1ac84eg')
    """
    if not asked.strip() or not asked.isprintable() or len(asked) > _LONGEST:
        raise DataError(f"{asked[:80]!r} names nothing: give one line of 1 to {_LONGEST} printable characters.")
    if met := _MODEL.fullmatch(asked):
        use_case, which = met.groups()
        if which in ALIASES:
            return Question(asked=asked, up_to=asked, use_case=use_case, stage=which)
        if re.fullmatch(r"[1-9][0-9]{0,8}", which):
            return Question(asked=asked, up_to=asked, use_case=use_case, version=int(which))
        raise DataError(f"{asked!r} names no model: after the @ stands a version number or one of {ALIASES}.")
    asked = asked.lower() if _HASH.fullmatch(asked) else asked
    # "g" is the first text above every continuation of a hexadecimal prefix
    return Question(asked=asked, up_to=f"{asked}g" if _PREFIX.fullmatch(asked) else asked)


def trace(database: Database, what: str, served: Callable[[str], Sequence[Served]] = lambda _: ()) -> list[Traced]:
    """Every model version that `what` means, by use case and number, in ONE statement.

    `what` is a prediction id, `use_case@version`, `use_case@champion` or `@challenger`, or anything a model was made
    from: a data version, a landed file's recorded path or sha256, a commit, a training set's name or data version, a
    run, a model digest; of a hash or a run's id the first 8 characters are enough, of a commit 7. What the records do
    not know as a whole is asked of `served`, the answers of the gateways by id. Raises DataError when it means nothing,
    is unknown, or is the beginning of several, DamagedError when what is there was changed.
    """
    try:
        asked = question(what)
    except DataError:
        if answers := served(what):  # callers choose their ids
            return [_behind(database, answer) for answer in answers]
        raise
    rows = _rows(database, asked)
    if any(row["key"] == asked.asked for row in rows):
        rows = [row for row in rows if row["key"] == asked.asked]  # whole before beginnings
    elif answers := served(what):
        return [_behind(database, answer) for answer in answers]
    meant = {row["key"]: row["kind"] for row in rows}
    if len(meant) > 1:
        named = ", ".join(f"{key[:16]} ({kind})" for key, kind in sorted(meant.items())[:5])
        raise DataError(f"{what!r} is the beginning of {len(meant)} keys, e.g. {named}: give more of it.")
    if not rows:
        raise DataError(
            f"{what!r} is unknown: looked among predictions, model versions, and everything they were made from (data "
            f"versions, files, commits, training sets, runs, model digests) in {database.path}; `mlops doctor` looks "
            "whether all of them are there."
        )
    return [_traced(row) for row in rows]


def _statement() -> Select[Any]:
    """Look the question up in each index, then the model versions by their primary key."""
    nothing = [null().label(name) for name in _ANSWER[2:]]
    asked: ColumnElement[str] = bindparam("asked")
    p, k, m = PREDICTION.c, LINEAGE_KEY.c, MODEL_VERSION.c
    begins = k.kind.not_in(WHOLE_KEYS) & or_(k.kind == COMMIT, func.length(asked) > _COMMIT_LENGTH)
    model, mine = (m.use_case, m.version), m.use_case == bindparam("use_case")
    answered = select(literal(PREDICTION_ID).label("kind"), p.id.label("key"), *(p[name] for name in _ANSWER))
    found = union_all(
        answered.where(p.id == asked),
        select(k.kind, k.key, k.use_case, k.version, *nothing).where(
            k.key.between(asked, bindparam("up_to")) & or_(k.key == asked, begins)
        ),
        select(literal(VERSION), asked, *model, *nothing).where(mine & (m.version == bindparam("version"))),
        select(literal(ALIAS), asked, *model, *nothing).where(mine & _in_stage(bindparam("stage"))),
    ).cte("found")
    whole = func.count(case((found.c.key == asked, 1)))
    alone = select(or_(func.count() == 1, whole == 1).label("alone")).select_from(found).cte("alone")
    short = [column.label(f"of_{column.name}") for column in m if column.name not in DOCUMENTS]
    documents = [case((alone.c.alone, m[name])).label(f"of_{name}") for name in DOCUMENTS]
    same = (m.use_case == found.c.use_case) & (m.version == found.c.version)
    return (
        select(found, *short, *documents)
        .select_from(found.join(alone, true()).outerjoin(MODEL_VERSION, same))
        .order_by(found.c.use_case, found.c.version)
    )


def _in_stage(alias: ColumnElement[str]) -> ColumnElement[bool]:
    """Has that alias; a challenger whose rollout runs is in a stage of it."""
    stage = MODEL_VERSION.c.stage
    return or_(stage == alias, (alias == CHALLENGER) & stage.in_(ON_ITS_WAY))


STATEMENT = _statement()


def _rows(database: Database, asked: Question) -> Sequence[RowMapping]:
    with database.reading() as connection:
        return connection.execute(STATEMENT, asdict(asked)).mappings().all()


def _behind(database: Database, answer: Served) -> Traced:
    """The model version behind an answer."""
    name = f"{answer.use_case}@{answer.trained_as}"
    rows = _rows(database, Question(asked=name, up_to=name, use_case=answer.use_case, version=answer.trained_as))
    if not rows:
        raise DataError(f"{PREDICTION_ID} {answer.id!r} is of {name}, which has no lineage: `mlops doctor` says what "
                        "to do.")  # fmt: skip
    return replace(_traced(rows[0]), kind=PREDICTION_ID, key=answer.id, prediction=answer)


def _traced(row: RowMapping) -> Traced:
    if row["of_version"] is None:
        raise DataError(
            f"{row['kind']} {row['key']!r} is of {row['use_case']}@{row['version']}, which has no lineage: "
            "`mlops doctor` says what to do."
        )
    prediction = model = None
    if row["kind"] == PREDICTION_ID:
        prediction = Prediction(id=row["key"], **{name: row[name] for name in _ANSWER})
    met = {column.name: row[f"of_{column.name}"] for column in MODEL_VERSION.c}
    if row["of_weeks"] is None:
        check(met)
    else:
        model = model_version(met)
        if row["kind"] not in (PREDICTION_ID, VERSION, ALIAS) and model.keys().get(row["key"]) != row["kind"]:
            raise DamagedError(
                f"{model.name} is found by {row['kind']} {row['key']!r}, which it was not made from: "
                "`mlops doctor --repair` writes anew what it is found by."
            )
    head = Head(*(met[name] for name in Head._fields))
    return Traced(kind=row["kind"], key=row["key"], head=head, model=model, prediction=prediction)
