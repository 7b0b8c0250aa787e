"""Has every version its row as it was written, and does its stage follow from the ledger?"""

from datetime import UTC, datetime
from functools import partial

from mlops_assets.stores.records.entry import REGISTERED
from mlops_assets.stores.records.lineage import UNDECIDED, Head
from mlops_assets.stores.records.lineage import stages as decided_stages
from mlops_assets.stores.records.registered import lineage_of
from mlops_assets.stores.records.surroundings import NOT_COMPARED, Fault, Surroundings, name_of, register_anew
from mlops_assets.stores.registry import RegisteredVersion

_RESTORE = "restore the tracker's database, or the records', from its backup"
_ANEW = "`mlops doctor --repair` writes row and keys anew from the store and the registry's tags"


def lineage(around: Surroundings) -> list[Fault]:
    """Has every version its row, as it was written, and every row its version?"""
    rows = {head.name: head for head in around.records.lineage.heads()}
    damaged = {f"{use_case}@{version}": what for (use_case, version), what in around.records.lineage.damaged().items()}
    versions = {name_of(version): version for version in around.registered}
    found = []
    for name, version in versions.items():
        mend = partial(_write_row, around, version)
        if name not in rows:
            found.append(Fault(f"{name} has no lineage", f"{_ANEW}, or {register_anew(version)}", mend))
        elif name in damaged:
            found.append(Fault(f"the lineage of {name} {damaged[name]}", _ANEW, mend))
        elif rows[name].model_digest != version.tags.get("model_digest"):
            found.append(Fault(f"{name} is another model in the tracker than in its lineage", _RESTORE))
    found += [
        Fault(f"the lineage of {name} {what}", _RESTORE) for name, what in damaged.items() if name not in versions
    ]
    lost = [] if around.registry is None else [name for name in rows if name not in versions]
    return found + [Fault(f"{name} has a lineage, but is not in the tracker", _RESTORE) for name in lost]


def stages(around: Surroundings) -> list[Fault]:
    """Do the stages of the lineage follow from the aliases of the ledger?"""
    if around.ledger_faults:
        return [NOT_COMPARED]
    by_use_case: dict[str, list[Head]] = {}
    for head in around.records.lineage.heads():
        by_use_case.setdefault(head.use_case, []).append(head)
    found = []
    for use_case, heads in by_use_case.items():
        decided = decided_stages(around.records.ledger.entries(use_case))
        mend = partial(around.records.restage, use_case)
        for head in heads:
            should = decided.get(head.version, UNDECIDED)
            if (head.stage, head.share) != should:
                what = f"{head.name} is {_said(head.stage, head.share)} in its lineage, by the ledger {_said(*should)}"
                found.append(Fault(what, "`mlops doctor --repair` brings it in step with the ledger", mend))
    return found


def _said(stage: object, share: object) -> str:
    return f"{stage} ({share:.0%})" if isinstance(share, float) else f"{stage} ({share!r})"


def _write_row(around: Surroundings, version: RegisteredVersion) -> None:
    around.records.rewrite(lineage_of(around.store, version, registered_at=_registered_at(around, version)))


def _registered_at(around: Surroundings, version: RegisteredVersion) -> str:
    """As the ledger tells it; what it does not tell of was registered when the tracker made it."""
    for entry in around.records.ledger.entries(version.name):
        if entry.kind == REGISTERED and entry.subject == name_of(version):
            return entry.at
    if around.registry is None:
        return ""
    made_ms = around.registry.client.get_model_version(version.name, str(version.version)).creation_timestamp
    return datetime.fromtimestamp(made_ms / 1000, UTC).isoformat()
