"""The prediction log of a use case: every answer is in it before it is given, failures too.

| file | what |
|---|---|
| `log_records.py` | the records and what each must satisfy |
| `log_tables.py`, `log_session.py` | the schema; what may be asked of a database |
| `log_sqlite.py`, `log_postgres.py`, `log_places.py` | the two databases; which of them |
| `log_writer.py`, `log_transaction.py` | group commits, told when on disk; what is there twice |
| `log_sequence.py`, `log_reader.py` | the order of the log for the controller; single answers, the last calls |
| `export.py` | a week's predictions as a table; what may be forgotten |
| `served.py` | which log holds an answer |

    log = PredictionLog(settings(os.environ).serving, FLIGHT_DELAYS)
    (outcome,) = await log.write([Answered(...)])  # on disk
    batch = log.since(cursor, 1000, rollout="7", block=plan.quality.block)
"""

from pathlib import Path

from mlops_assets.declare.use_case import UseCase
from mlops_assets.stores.serving.database import Unavailable
from mlops_assets.stores.serving.export import Archive, Exported
from mlops_assets.stores.serving.log_places import place
from mlops_assets.stores.serving.log_reader import Reader, Recent
from mlops_assets.stores.serving.log_records import (
    Answered,
    Failed,
    Labelled,
    Mirrored,
    Outcome,
    Record,
    Told,
)
from mlops_assets.stores.serving.log_sequence import Batch
from mlops_assets.stores.serving.log_writer import MOST_WAITING, Full, StraightWriter, Writer

__all__ = [
    "MOST_WAITING", "Answered", "Batch", "Exported", "Failed", "Full", "Labelled", "Mirrored", "Outcome",
    "PredictionLog", "Recent", "Record", "Told", "Unavailable",
]  # fmt: skip


class PredictionLog:
    """The log of a use case below `Settings.serving`: a folder, or `postgresql+psycopg2://...`.

    Nothing is opened before it is used, so a process may fork before. With `create=False` a log that is not there is
    Unavailable. A `replayed` log is written at once, in the thread of whoever hands records in, and its file outlives
    the process, not the machine. Raises DataError for a place of another kind.
    """

    def __init__(
        self,
        where: str | Path,
        use_case: UseCase,
        *,
        create: bool = True,
        most_waiting: int = MOST_WAITING,
        replayed: bool = False,
    ) -> None:
        self.use_case, self.place = use_case, place(where, use_case.name, create=create, synced=not replayed)
        self._writer = (StraightWriter if replayed else Writer)(self.place, most_waiting=most_waiting)
        self._reader = Reader(self.place, use_case.partitions.timezone)
        self.put, self.write = self._writer.put, self._writer.write
        read = self._reader
        self.since, self.end, self.exposed, self.recent, self.failed = (
            read.since, read.end, read.exposed, read.recent, read.failed,
        )  # fmt: skip
        self.answered, self.of_request, self.label_of = read.answered, read.of_request, read.label_of
        archive = Archive(self.place, use_case)
        self.export, self.note_export, self.forget = archive.export, archive.note, archive.forget

    @property
    def waiting(self) -> int:
        """How many records wait to be written."""
        return self._writer.waiting

    def close(self) -> None:
        """Write what waits, then let go of every connection."""
        self._writer.close()
        self._reader.close()
