"""Is the ledger whole, does it tell of every version, and do the store and the tracker agree with it?

The ledger is the authority on aliases, unless the store or the tracker know of decisions that it lacks: then a part of
it is lost, and nothing is brought in step with it.
"""

from dataclasses import replace
from functools import partial

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.records.chain import MENDABLE
from mlops_assets.stores.records.entry import ALIAS, VERDICT
from mlops_assets.stores.records.surroundings import NOT_COMPARED, Fault, Surroundings, anew, name_of, register_anew
from mlops_assets.stores.records.waiting import still_waiting
from mlops_assets.stores.registry import ALIASES

_ASSET = "registry_entry"
_BEGIN_ANEW = (
    "put the newest backup of the records back; without one move the database and its head away together, then "
    "`mlops doctor` says how each version is registered anew, oldest first"
)


def ledger(around: Surroundings) -> list[Fault]:
    """Is the ledger what was written, and does it tell of every version?"""
    met = around.ledger_faults
    if not met:
        return [
            Fault(f"{name_of(v)} is registered in the tracker, but the ledger does not tell of it", register_anew(v))
            for v in around.untold
        ]
    mendable = {finding.kind for finding in met} <= set(MENDABLE)
    lost = _lost(around) if mendable else ""
    mend = around.records.ledger.repair if mendable and not lost else None
    found = [Fault(finding.what, finding.remedy, mend) for finding in met]
    return found + ([Fault(f"nothing of the ledger is repaired: {lost}", _BEGIN_ANEW)] if lost else [])


def entries(around: Surroundings) -> list[Fault]:
    """Is the champion of the newest registry entry in the store the ledger's champion?"""
    if around.ledger_faults:
        return [NOT_COMPARED]
    return [fault for use_case in around.use_cases if (fault := _disagreement(around, use_case)) is not None]


def aliases(around: Surroundings) -> list[Fault]:
    """Does every alias in the tracker point where the ledger decided?"""
    if around.ledger_faults:
        return [NOT_COMPARED]
    found = []
    for use_case in sorted({version.name for version in around.registered}):
        if around.registry is None:
            continue
        decided = around.records.aliases(use_case)
        for alias in ALIASES:
            met = around.registry.get_alias(use_case, alias)
            should, holds = decided.get(alias), met.version if met else None
            if should != holds:
                fault = _moved(around, use_case, alias, should, holds)
                found.append(replace(fault, info=_lags(around, use_case, alias, holds)) if fault.mend else fault)
    return found


def waiting(around: Surroundings) -> list[Fault]:
    """Which trainings wait for the tracker? Nothing is wrong with them."""
    if around.ledger_faults:
        return []
    due = [e for use_case in around.use_cases for e in still_waiting(around.records.ledger.entries(use_case))]
    return [
        Fault(
            f"{entry.subject} waits for the tracker since {entry.at[:19]}Z: {entry.why}",
            f"the sensor {entry.use_case}_registrations registers it when the tracker is back, or "
            f"`mlops backfill {entry.use_case} --job train --from {week} --to {week}`",
            info=True,
        )
        for entry in due
        for week in [entry.facts.get("partition", "WEEK")]
    ]


def _lost(around: Surroundings) -> str:
    """Which part of a ledger is lost whose end nobody knows, as far as the tracker and the store can tell; or ""."""
    try:
        if around.untold:
            names = ", ".join(map(name_of, around.untold[:5]))
            return f"the tracker has {len(around.untold)} versions it does not tell of, e.g. {names}"
        found = [fault.what for name in around.use_cases if (fault := _disagreement(around, name)) is not None]
        return found[0] if found else ""
    except DataError as silent:
        return f"nobody can tell whether a part of it is lost: {silent}"


def _disagreement(around: Surroundings, use_case: str) -> Fault | None:
    weeks = around.store.refs.partitions(f"{use_case}/{_ASSET}")
    if not weeks:
        return None
    ref = around.store.require(f"{use_case}/{_ASSET}", weeks[-1])
    entry = around.store.load_ref(ref, parts=("entry",)).records["entry"]
    told = around.records.ledger.entries(use_case)
    if any(e.kind == VERDICT and e.subject == entry["candidate"] for e in told):
        return None
    judged = [e.facts.get("partition", "") for e in told if e.kind == VERDICT]
    week = max([weeks[-1], *judged])  # a step that was killed between the two has judged a week without an entry
    what = (
        f"{use_case}/{_ASSET}@{weeks[-1]}, the newest in the store, judges {entry['candidate']}, of which the ledger "
        "has no verdict"
    )
    return Fault(what, f"decide the newest week again: {anew(use_case, week)}")


def _lags(around: Surroundings, use_case: str, alias: str, holds: int | None) -> bool:
    """True when a rollout moved the alias in the ledger, and the tracker still has what was decided before that."""
    entries = [e for e in around.records.ledger.entries(use_case) if e.kind == ALIAS and e.points[0] == alias]
    before = [None, *(entry.points[1] for entry in entries[:-1])]
    return bool(entries) and "rollout" in entries[-1].facts and holds in before


def _moved(around: Surroundings, use_case: str, alias: str, should: int | None, holds: int | None) -> Fault:
    """An alias that is not where the ledger decided; it is not touched where the ledger may lack a decision."""
    lacks = [name_of(version) for version in around.untold if version.name == use_case]
    behind = _disagreement(around, use_case)
    if lacks or behind is not None:
        why = f"the ledger does not tell of {', '.join(lacks[:5])}" if lacks else "the store's newest entry disagrees"
        what = (
            f"alias {alias} of {use_case} is not touched: {_who(use_case, holds)} holds it, by the ledger "
            f"{_who(use_case, should)}, but {why}: a part of the ledger may be lost"
        )
        return Fault(what, "put the ledger right first")
    what = (
        f"alias {alias} of {use_case} is not where the ledger decided: {_who(use_case, should)} "
        f"should hold it, {_who(use_case, holds)} holds it"
    )
    remedy = f"`mlops doctor --repair`, or {_command(around, use_case, alias, should)}"
    return Fault(what, remedy, partial(_set_alias, around, use_case, alias, should))


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


def _who(use_case: str, version: int | None) -> str:
    return "nobody" if version is None else f"{use_case}@{version}"
