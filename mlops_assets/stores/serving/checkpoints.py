"""The evidence of a rollout so far, kept with the place in the prediction log up to which it was read.

A convenience: reading the log again from the rollout's first record gives the same evidence. One for each stage that
was entered; the next stage's begins with the last one's.
"""

import json
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, insert, select

from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.versions import canonical_json
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.serving.database import Database
from mlops_assets.stores.serving.tables import CHECKPOINT, ROLLOUT

_C = CHECKPOINT.c
# made once: that takes longer than asking
_EPOCH = select(ROLLOUT.c.epoch).where(ROLLOUT.c.use_case == bindparam("asked"))
_FORGET = delete(CHECKPOINT).where((_C.use_case == bindparam("asked")) & (_C.rollout <= bindparam("of")))
_KEEP = insert(CHECKPOINT)


class Checkpoint(NamedTuple):
    """Evidence, the log's cursor behind it (None: nothing read yet), the challenger's answers that users got."""

    evidence: Evidence
    cursor: int | None
    exposed: int


class Checkpoints:
    """The checkpoints of a use case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, standing: Standing) -> Checkpoint:
        """Where the reading of this stage goes on: its own checkpoint, else the last stage's, else at the beginning.

        Raises DataError where no rollout was ever opened.
        """
        row, terms, c = standing.row, standing.terms, CHECKPOINT.c
        if terms is None:
            raise DataError(f"{row.use_case}: no rollout was opened, so there is no evidence.")
        asked = select(c.entered, c.content).where((c.use_case == row.use_case) & (c.rollout == row.rollout))
        with self._database.reading() as connection:
            found = connection.execute(asked.order_by(c.entered.desc()).limit(1)).one_or_none()
        fresh = Checkpoint(Evidence.start(terms.plan, terms.task), None, 0)
        if found is None:
            return fresh
        try:
            told: dict[str, Any] = json.loads(found.content)
            evidence = Evidence.from_json(terms.plan, terms.task, told["evidence"])
            kept = Checkpoint(evidence, told["cursor"], int(told["exposed"]))
        except (ValueError, KeyError, TypeError):
            return fresh  # whatever stands there now, the log says it again
        return kept if found.entered == row.entered else kept._replace(evidence=evidence.entered())

    def keep(self, standing: Standing, checkpoint: Checkpoint) -> bool:
        """Keep it in the place of the stage's last one; False, and nothing done, when the rollout has moved on."""
        row = standing.row
        told = {"evidence": checkpoint.evidence.to_json(), "cursor": checkpoint.cursor, "exposed": checkpoint.exposed}
        mine = {"use_case": row.use_case, "rollout": row.rollout, "entered": row.entered}
        with self._database.writing() as connection:
            epoch = connection.execute(_EPOCH, {"asked": row.use_case}).scalar()
            if epoch != row.epoch:
                return False
            connection.execute(_FORGET, {"asked": row.use_case, "of": row.rollout})
            connection.execute(_KEEP, mine | {"content": canonical_json(told).decode()})
        return True
