"""What the probes look at, and what they find.

Here belongs asking the records, the tracker and the store; comparing is done in the probes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.chain import Finding
from mlops_assets.stores.records.entry import REGISTERED
from mlops_assets.stores.registry import RegisteredVersion, Registry


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, what to do about it, and how `--repair` mends it (None: it cannot).

    With `info` nothing is wrong: somebody may want to know.
    """

    what: str
    remedy: str
    mend: Callable[[], object] | None = None
    info: bool = False


NOT_COMPARED = Fault("not compared: the ledger is not whole", "put the ledger right first")


class Surroundings:
    """What the probes compare. `registry` is None where there is no tracker yet."""

    def __init__(self, records: Records, registry: Registry | None, store: AssetStore) -> None:
        self.records, self.registry, self.store = records, registry, store

    @cached_property
    def ledger_faults(self) -> list[Finding]:
        """What is wrong with the ledger's chain; while anything is, nothing is brought in step with it."""
        return self.records.ledger.verify()

    @cached_property
    def registered(self) -> list[RegisteredVersion]:
        """Every version of the tracker that is ours, by name and number. Raises DataError when it cannot be asked."""
        if self.registry is None:
            return []
        from mlflow.exceptions import MlflowException

        try:
            names, page = [], self.registry.client.search_registered_models()
            while page:
                names += [model.name for model in page]
                page = self.registry.client.search_registered_models(page_token=page.token) if page.token else []
            found = [version for name in sorted(names) for version in self.registry.find(name)]
        except MlflowException as silent:
            raise DataError(f"the tracker cannot be asked ({silent}): start it, or correct its address.") from silent
        return [version for version in found if version.tags.get("use_case") == version.name]

    @cached_property
    def untold(self) -> list[RegisteredVersion]:
        """The versions of the tracker that the ledger does not tell of: a part of it may be lost."""
        told = {entry.subject for entry in self.records.ledger.entries() if entry.kind == REGISTERED}
        return [version for version in self.registered if name_of(version) not in told]

    @cached_property
    def use_cases(self) -> list[str]:
        """The use cases about which something was decided, by name."""
        return sorted({entry.use_case for entry in self.records.ledger.entries()})


def name_of(version: RegisteredVersion) -> str:
    """`use_case@version`."""
    return f"{version.name}@{version.version}"


def anew(use_case: str, week: str) -> str:
    """The command that registers the model of a week once more, and brings the ledger in step with it."""
    return f"`mlops backfill {use_case} --job train --anew --from {week} --to {week}`"


def register_anew(version: RegisteredVersion) -> str:
    """What to do about a version that the records do not know."""
    return f"register it anew: {anew(version.name, version.tags.get('partition', 'WEEK'))}"
