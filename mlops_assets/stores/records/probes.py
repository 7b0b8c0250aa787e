"""Do the ledger, the lineage, the store and the tracker say the same? A list of probes; each tells what is wrong.

Here belongs which probes there are. The ledger is the authority on aliases, the tracker on which versions there are.
"""

from collections.abc import Callable

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.records.ledger_probes import aliases, entries, ledger, waiting
from mlops_assets.stores.records.lineage_probes import lineage, stages
from mlops_assets.stores.records.surroundings import Fault, Surroundings

Probe = Callable[[Surroundings], list[Fault]]

# in the order in which they may mend: stages and aliases follow the ledger
PROBES: dict[str, Probe] = {
    "ledger": ledger,
    "lineage": lineage,
    "stages": stages,
    "entries": entries,
    "aliases": aliases,
    "waiting": waiting,
}


def examined(around: Surroundings, probe: Probe) -> list[Fault]:
    """What a probe finds; that it could not look is a finding too."""
    try:
        return probe(around)
    except DataError as refused:
        return [Fault(str(refused), "do so, then run `mlops doctor` again")]
