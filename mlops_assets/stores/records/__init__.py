"""The records: one database that tells what was decided about each model (ledger) and what it was made from (lineage).

| file | what |
|---|---|
| `tables.py`, `database.py` | the schema; how the file is opened |
| `entry.py`, `ledger.py` | an entry and its hash; appending, reading, what was live when |
| `head.py`, `chain.py` | the sealed end of the ledger; is the chain whole? |
| `model_version.py`, `lineage.py`, `seal.py` | a row for each model version and what it is found by; is it whole? |
| `closure.py`, `registered.py` | what a model was made from, walked over refs; the row of a registered version |
| `tracing.py` | one question, one SQL statement |
| `waiting.py` | trainings that wait for the tracker |
| `retrainings.py` | what sensors ask: may a model be trained again by itself? One claim for each yes |
| `trainings.py`, `decisions.py` | what became of the trainings; every decision with its guards, the no too |
| `surroundings.py`, `probes.py` | do ledger, lineage, store and tracker say the same? |
| `ledger_probes.py`, `lineage_probes.py` | the probes |

Both are in one database so that a decision and what follows from it are one transaction.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Connection

from mlops_assets.core.versions import JSON
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.records import lineage
from mlops_assets.stores.records.database import Database
from mlops_assets.stores.records.entry import ALIAS, ROLLOUT, Entry
from mlops_assets.stores.records.ledger import Ledger, append_in, find, read_entries, standing
from mlops_assets.stores.records.lineage import Lineage
from mlops_assets.stores.records.model_version import ALIASES, ModelVersion
from mlops_assets.stores.records.retrainings import Retrainings


class Records:
    """Ledger and lineage at a path or an `sqlite:///` URL (`Settings.records`); close it, or use it in `with`.

    Nothing is opened before it is used. With `create=False` a database that is not there is a DataError.
    """

    def __init__(self, where: str | Path, *, create: bool = True) -> None:
        self.database = Database(where, create=create)
        self.ledger, self.lineage = Ledger(self.database), Lineage(self.database)
        self.retrainings = Retrainings(self.database, self.ledger)

    def register(self, row: ModelVersion) -> bool:
        """Write a model version's row down once, in the stage the ledger's aliases give it; False when it is there.

        Raises DataError when the number is that of another model.
        """
        with self.database.writing() as connection:
            created = lineage.add(connection, row)
            _restage(connection, row.use_case)  # its aliases may have been decided before
        return created

    def rewrite(self, row: ModelVersion) -> None:
        """Write a model version's row and keys in the place of whatever there is of it: of a row that was damaged."""
        with self.database.writing() as connection:
            lineage.write(connection, row)
            _restage(connection, row.use_case)

    def restage(self, use_case: str) -> None:
        """Bring every stage of a use case in step with the ledger's aliases."""
        with self.database.writing() as connection:
            _restage(connection, use_case)

    def set_alias(
        self,
        alias: str,
        *,
        use_case: str,
        version: int | None,
        at: str,
        who: str,
        why: str,
        once: str,
        evidence: Mapping[str, JSON] = MappingProxyType({}),
    ) -> Entry | None:
        """Decide where an alias points (None: nowhere): entry, stage and share in one transaction.

        Returns the entry under which it does; None when it points nowhere and always did. Nothing is written when it
        stands so already, or when `once` was decided before, whatever was decided since: to come back to an earlier
        version takes another `once`, one that names the entry it replaces (`standing`). The tracker's alias is a label
        and set by the caller afterwards, as `aliases` says. Raises like `Ledger.append`.
        """
        if alias not in ALIASES or (version is not None and version < 1):
            raise DataError(f"alias {alias!r} to version {version}, must be one of {ALIASES} and 1 or more, or None.")
        with self.ledger.appending() as connection:
            stands = standing(read_entries(connection, use_case, kinds=[ALIAS])).get(use_case, {}).get(alias)
            told = find(connection, once)
            if told is None and version == (stands.points[1] if stands else None):
                return stands
            entry = append_in(
                connection, at=at, use_case=use_case, kind=ALIAS, who=who, why=why, once=once,
                subject=f"{use_case}@{version or alias}",
                evidence={**evidence, "alias": alias, "version": version},
            )  # fmt: skip
            _restage(connection, use_case)
            return entry

    def tell_rollout(
        self, kind: str, *, use_case: str, subject: str, at: str, who: str, why: str, once: str,
        evidence: Mapping[str, JSON],
    ) -> Entry:  # fmt: skip
        """Write down what was decided about a rollout, one of `entry.ROLLOUT`: entry, stages and shares in one.

        `evidence` says who answers from then on (`Entry.answers`). Raises like `Ledger.append`.
        """
        if kind not in ROLLOUT:
            raise DataError(f"ledger: kind == {kind!r}, must be one of {ROLLOUT}: use `ledger.append` for others.")
        with self.ledger.appending() as connection:
            entry = append_in(
                connection, at=at, use_case=use_case, kind=kind, subject=subject, who=who, why=why, once=once,
                evidence=evidence,
            )  # fmt: skip
            _restage(connection, use_case)
            return entry

    def aliases(self, use_case: str) -> dict[str, int]:
        """Alias -> version number, as the ledger has it now; an alias that points nowhere is not there."""
        decided = (entry.points for entry in self.standing(use_case).values())
        return {alias: version for alias, version in decided if version is not None}

    def standing(self, use_case: str) -> dict[str, Entry]:
        """Alias -> the entry that decided it last, also one by which it points nowhere; none was never decided."""
        with self.database.reading() as connection:
            return {entry.points[0]: entry for entry in read_entries(connection, use_case, kinds=[ALIAS])}

    def close(self) -> None:
        """Close every connection of this process."""
        self.database.close()

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _restage(connection: Connection, use_case: str) -> None:
    decided = read_entries(connection, use_case, kinds=[ALIAS, *ROLLOUT])
    lineage.set_stages(connection, use_case, lineage.stages(decided))
