"""A week's predictions as a table, with what became known of them; and what of the log may be forgotten.

What grows is the log: some 1 kB a prediction, for ever, unless weeks that were exported are forgotten. Failed requests
are told of for as long, and labels of ids that nobody answered.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.online.ordered import instant_us
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.kinds import Kind
from mlops_assets.declare.use_case import UseCase
from mlops_assets.stores.serving.log_session import Place, Row, Session
from mlops_assets.stores.serving.log_tables import LAST

_AT_ONCE = 1_000  # predictions that are forgotten in one transaction: writers wait for it
# column -> its kind and where it is from
COLUMNS: Mapping[str, tuple[Kind, str]] = {
    "id": (Kind.STRING, "p.id"),
    "as_of": (Kind.INSTANT, "p.as_of_us"),
    "request": (Kind.STRING, "p.request"),
    "unit": (Kind.STRING, "p.unit"),
    "rollout": (Kind.STRING, "p.rollout"),
    "epoch": (Kind.INT, "p.epoch"),
    "stage": (Kind.STRING, "p.stage"),
    "share": (Kind.FLOAT, "p.share"),
    "assigned": (Kind.STRING, "p.assigned"),
    "arm": (Kind.STRING, "CASE WHEN p.version = p.challenger THEN 'challenger' ELSE 'champion' END"),
    "version": (Kind.INT, "p.version"),
    "status": (Kind.STRING, "p.status"),
    "bad": (Kind.STRING, "p.bad"),
    "challenger_bad": (Kind.STRING, "p.challenger_bad"),
    "reason": (Kind.STRING, "p.reason"),
    "score": (Kind.FLOAT, "p.score"),
    "latency_us": (Kind.INT, "p.latency_us"),
    "answered_at": (Kind.INSTANT, "p.answered_us"),
    "mirrored_version": (Kind.INT, "m.version"),
    "mirrored_score": (Kind.FLOAT, "m.score"),
    "mirrored_bad": (Kind.STRING, "m.bad"),
    "label": (Kind.FLOAT, "l.label"),
    "label_known_at": (Kind.INSTANT, "l.known_us"),
}
_JOINED = "FROM prediction p LEFT JOIN mirrored m ON m.id = p.id LEFT JOIN label l ON l.id = p.id"
_WEEK = (
    f"SELECT {', '.join(source for _, source in COLUMNS.values())}, p.features {_JOINED} "
    "WHERE p.as_of_us >= ? AND p.as_of_us < ? ORDER BY p.as_of_us, p.id"
)
# of an exported week, what came since
_NEWER = f"SELECT 1 {_JOINED} WHERE p.as_of_us >= ? AND p.as_of_us < ? AND (p.n > ? OR m.n > ? OR l.n > ?) LIMIT 1"
_EXPORTED = "SELECT id FROM prediction WHERE as_of_us >= ? AND as_of_us < ? AND n <= ? LIMIT ?"


class Exported(NamedTuple):
    """A week's predictions, and up to which record of the log it says everything."""

    table: pa.Table
    up_to: int


def feature_columns(use_case: UseCase) -> dict[str, str]:
    """Feature -> its column: its own name, or `feature_<name>` where a column of the log is called so."""
    return {f.name: f"feature_{f.name}" if f.name in COLUMNS else f.name for f in use_case.features}


def table_of(use_case: UseCase, rows: Sequence[Row]) -> pa.Table:
    """The rows of `_WEEK` as a table: the log's columns, then one for each declared feature, null where not given.

    Raises DataError for a logged value that is not of its feature's kind: the declaration was changed.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * (len(COLUMNS) + 1)
    arrays = [pa.array(values, ARROW[kind]) for values, (kind, _) in zip(columns[:-1], COLUMNS.values(), strict=True)]
    given = [msgspec.json.decode(text) for text in columns[-1]]
    arrays += [_feature(use_case, feature.name, given, columns[0]) for feature in use_case.features]
    return pa.Table.from_arrays(arrays, names=[*COLUMNS, *feature_columns(use_case).values()])


def _feature(use_case: UseCase, name: str, given: Sequence[Mapping[str, Any]], ids: Sequence[str]) -> pa.Array:
    (feature,) = (feature for feature in use_case.features if feature.name == name)
    kind = use_case.kind_of(feature)
    try:
        return pa.array([one.get(name) for one in given], ARROW[kind])
    except (pa.ArrowException, TypeError, ValueError):
        for id, one in zip(ids, given, strict=True):
            try:
                pa.array([one.get(name)], ARROW[kind])
            except (pa.ArrowException, TypeError, ValueError) as wrong:
                raise DataError(
                    f"prediction {id!r}: features.{name} == {one.get(name)!r}, must be {kind.value}: was the "
                    "feature declared anew? Give the new one another name."
                ) from wrong
        raise


class Archive:
    """Weeks of one log, out of it and forgotten."""

    def __init__(self, place: Place, use_case: UseCase) -> None:
        self._place, self._use_case = place, use_case

    def export(self, week: str) -> Exported:
        """The predictions asked within a week (Monday, in the use case's time zone), by instant and id.

        The same predictions, answers and labels give the same table. Raises DataError, also for a week that was
        forgotten, or Unavailable.
        """
        bounds = self._bounds_us(week)
        with closing(self._place.session()) as session:
            session.begin(alone=False)
            gone = session.rows("SELECT data_version FROM exported WHERE week = ? AND forgotten = 1", [week])
            rows = session.rows(_WEEK, bounds)
            up_to = max(session.rows(LAST)[0])
            session.rollback()
        if gone:
            raise DataError(
                f"{self._place.name}: week {week} was forgotten after it was exported as {gone[0][0]}, which stands: "
                "read that data version."
            )
        return Exported(table_of(self._use_case, rows), int(up_to))

    def note(self, week: str, exported: Exported, data_version: str) -> None:
        """Write down that a week's table is kept elsewhere, as that data version: what is in it may be forgotten."""
        row = (week, *self._bounds_us(week), exported.up_to, data_version, 0)
        with closing(self._place.session()) as session:
            session.begin(alone=True)
            session.change("DELETE FROM exported WHERE week = ? AND forgotten = 0", [week])
            session.insert("exported", [row])
            session.commit()

    def forget(self, before_us: int) -> int:
        """Forget the predictions of weeks that ended by then, with all that is known of them; how many.

        Only weeks that were exported, whole: one of which anything came since waits for the next export. An id that is
        forgotten may be answered anew, and a label that comes after it waits in vain. Failed requests until then are
        forgotten too.
        """
        with closing(self._place.session()) as session:
            weeks = session.rows("SELECT week, begins_us, ends_us, up_to, forgotten FROM exported ORDER BY week")
            count = sum(self._forget(session, *week) for week in weeks if week[2] <= before_us)
            session.begin(alone=True)
            self._keep_counting(session)
            session.change("DELETE FROM failed WHERE at_us < ?", [before_us])
            session.commit()
        return count

    def _forget(self, session: Session, week: str, begins_us: int, ends_us: int, up_to: int, forgotten: int) -> int:
        session.begin(alone=True)
        if not forgotten and session.rows(_NEWER, [begins_us, ends_us, up_to, up_to, up_to]):
            session.rollback()
            return 0
        session.change("UPDATE exported SET forgotten = 1 WHERE week = ?", [week])
        session.commit()
        count = 0
        while True:
            session.begin(alone=True)
            ids = [id for (id,) in session.rows(_EXPORTED, [begins_us, ends_us, up_to, _AT_ONCE])]
            self._keep_counting(session)
            for table in ("mirrored", "label", "prediction") if ids else ():
                marks = ", ".join("?" * len(ids))
                session.change(f"DELETE FROM {table} WHERE id IN ({marks})", ids)  # noqa: S608  question marks
            session.commit()
            count += len(ids)
            if len(ids) < _AT_ONCE:
                return count

    def _keep_counting(self, session: Session) -> None:
        """Numbers go on where they were, though the record of the last one may go."""
        last = max(session.rows(LAST)[0])
        session.change("DELETE FROM forgotten")
        session.insert("forgotten", [(1, last)])

    def _bounds_us(self, week: str) -> tuple[int, int]:
        try:
            begins, ends = self._use_case.partitions.bounds(week)
            known = self._use_case.partitions.week_of(begins) == week
        except ValueError:
            known = False
        if not known:
            raise DataError(f"{self._use_case.name}: week == {week!r}, must be a Monday: write it like '2013-01-07'.")
        return instant_us(begins), instant_us(ends)
