"""Do the ledger, the lineage and the tracker say the same? A list of probes; each tells what is wrong and may mend it.

Here belongs comparing. The ledger is the authority on aliases, the tracker on which versions there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.chain import Finding
from mlops_assets.stores.records.entry import REGISTERED
from mlops_assets.stores.records.lineage import UNDECIDED, Head
from mlops_assets.stores.records.lineage import stages as decided_stages
from mlops_assets.stores.records.registered import lineage_of
from mlops_assets.stores.registry import ALIASES, RegisteredVersion, Registry


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, what to do about it, and how `--repair` mends it (None: it cannot)."""

    what: str
    remedy: str
    mend: Callable[[], object] | None = None


_RESTORE = "restore the tracker's database, or the records', from its backup"
_NOT_COMPARED = Fault("not compared: the ledger is not whole", "put the ledger right first")


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


Probe = Callable[[Surroundings], list[Fault]]


def ledger(around: Surroundings) -> list[Fault]:
    """Is the ledger what was written, and does it tell of every version?"""
    book = around.records.ledger
    if around.ledger_faults:
        return [Fault(f.what, f.remedy, book.repair if f.kind == "head" else None) for f in around.ledger_faults]
    told = {entry.subject for entry in book.entries() if entry.kind == REGISTERED}
    return [
        Fault(f"{name} is registered in the tracker, but the ledger does not tell of it", _anew(version))
        for version in around.registered
        if (name := f"{version.name}@{version.version}") not in told
    ]


def lineage(around: Surroundings) -> list[Fault]:
    """Has every version its row, and every row its version?"""
    rows = {head.name: head for head in around.records.lineage.heads()}
    versions = {f"{version.name}@{version.version}": version for version in around.registered}
    found = []
    for name, version in versions.items():
        if name not in rows:
            remedy = f"`mlops doctor --repair` closes it over the refs of its tags, or {_anew(version)}"
            found.append(Fault(f"{name} has no lineage", remedy, partial(_add_row, around, version)))
        elif rows[name].model_digest != version.tags.get("model_digest"):
            found.append(Fault(f"{name} is another model in the tracker than in its lineage", _RESTORE))
    lost = [] if around.registry is None else [name for name in rows if name not in versions]
    return found + [Fault(f"{name} has a lineage, but is not in the tracker", _RESTORE) for name in lost]


def stages(around: Surroundings) -> list[Fault]:
    """Do the stages of the lineage follow from the aliases of the ledger?"""
    if around.ledger_faults:
        return [_NOT_COMPARED]
    by_use_case: dict[str, list[Head]] = {}
    for head in around.records.lineage.heads():
        by_use_case.setdefault(head.use_case, []).append(head)
    found = []
    for use_case, heads in by_use_case.items():
        decided = decided_stages(around.records.ledger.entries(use_case))
        mend = partial(around.records.restage, use_case)
        for head in heads:
            stage, share = decided.get(head.version, UNDECIDED)
            if (head.stage, head.share) != (stage, share):
                met, should = f"{head.stage} ({head.share:.0%})", f"{stage} ({share:.0%})"
                what = f"{head.name} is {met} in its lineage, by the ledger {should}"
                found.append(Fault(what, "`mlops doctor --repair` brings it in step with the ledger", mend))
    return found


def aliases(around: Surroundings) -> list[Fault]:
    """Does every alias in the tracker point where the ledger decided?"""
    if around.ledger_faults:
        return [_NOT_COMPARED]
    found = []
    for use_case in sorted({version.name for version in around.registered}):
        if around.registry is None or not around.records.ledger.entries(use_case):
            continue  # said by the ledger's probe: nothing was decided about this model
        decided = around.records.aliases(use_case)
        for alias in ALIASES:
            met = around.registry.get_alias(use_case, alias)
            should, holds = decided.get(alias), met.version if met else None
            if should != holds:
                what = (
                    f"alias {alias} of {use_case} was changed behind the ledger's back: {_who(use_case, should)} "
                    f"should hold it, {_who(use_case, holds)} holds it"
                )
                remedy = f"`mlops doctor --repair`, or {_command(around, use_case, alias, should)}"
                found.append(Fault(what, remedy, partial(_set_alias, around, use_case, alias, should)))
    return found


# in the order in which they may mend: stages and aliases follow the ledger
PROBES: dict[str, Probe] = {"ledger": ledger, "lineage": lineage, "stages": stages, "aliases": aliases}


def examined(around: Surroundings, probe: Probe) -> list[Fault]:
    """What a probe finds; that it could not look is a finding too."""
    try:
        return probe(around)
    except DataError as refused:
        return [Fault(str(refused), "do so, then run `mlops doctor` again")]


def _add_row(around: Surroundings, version: RegisteredVersion) -> None:
    if around.registry is not None:
        made_ms = around.registry.client.get_model_version(version.name, str(version.version)).creation_timestamp
        at = datetime.fromtimestamp(made_ms / 1000, UTC).isoformat()
        around.records.register(lineage_of(around.store, version, registered_at=at))


def _set_alias(around: Surroundings, use_case: str, alias: str, version: int | None) -> None:
    if around.registry is None:
        return
    if version is None:
        around.registry.delete_alias(use_case, alias)
    else:
        around.registry.set_alias(alias, around.registry.get(use_case, version))


def _command(around: Surroundings, use_case: str, alias: str, version: int | None) -> str:
    """What a person may type instead. An address that is not a local file may hold a password: it is not repeated."""
    uri = around.registry.tracking_uri if around.registry else ""
    client = f"mlflow.MlflowClient({uri!r})" if uri.startswith("sqlite:///") else "mlflow.MlflowClient()"
    call = f"delete_registered_model_alias({use_case!r}, {alias!r})"
    if version is not None:
        call = f"set_registered_model_alias({use_case!r}, {alias!r}, '{version}')"
    return f'`python -c "import mlflow; {client}.{call}"`'


def _anew(version: RegisteredVersion) -> str:
    week = version.tags.get("partition", "WEEK")
    return f"register it anew: `mlops backfill {version.name} --job train --from {week} --to {week}`"


def _who(use_case: str, version: int | None) -> str:
    return "nobody" if version is None else f"{use_case}@{version}"
