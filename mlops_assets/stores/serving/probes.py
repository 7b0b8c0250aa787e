"""Do the rollouts hold: are their events whole, does the row follow from them, was the ledger told?"""

from collections.abc import Iterable

from mlops_assets.declare.errors import MlopsError
from mlops_assets.stores.records.surroundings import Fault
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.stored import columns_of, peek

_REMEDY = "`mlops doctor --repair`, or start a gateway"


def rollouts(where: str, records: str, use_cases: Iterable[str]) -> list[Fault]:
    """What is wrong with the rollouts kept at `where` (`Settings.serving`) of these use cases.

    Looking makes no database. That the ledger lags a little is no fault: gateways tell it after deciding. A row that
    was changed by hand is honoured by no gateway and is written anew.
    """
    found = []
    for use_case in use_cases:
        kept = Rollouts(where, use_case)
        if kept.database.path is not None and not kept.database.path.exists():
            continue
        with kept:
            found += _of(kept, where, records)
    return found


def _of(kept: Rollouts, where: str, records: str) -> list[Fault]:
    try:
        row = kept.row()
        with kept.database.reading() as connection:
            columns, _ = peek(connection, kept.use_case)
        untold = row.epoch - Mirror(kept, records).done()
    except MlopsError as broken:
        return [Fault(str(broken), "no gateway raises a share on it; put the database back from a copy")]
    found = []
    if row.epoch and columns != columns_of(row):
        what = f"the row of the rollouts of {kept.use_case} is not what its events say: it was changed by hand"
        found.append(Fault(what, _REMEDY, Rollouts(where, kept.use_case).mend))
    if untold:
        what = f"{untold} decisions about rollouts of {kept.use_case} are not in the ledger yet"
        found.append(Fault(what, _REMEDY, Mirror(Rollouts(where, kept.use_case), records).catch_up, info=True))
    return found
