"""`mlops doctor`: do ledger, lineage, rollouts and tracker say the same?"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_assets.cli.printing import as_json, out
from mlops_assets.declare.errors import MlopsError

if TYPE_CHECKING:
    from mlops_assets.stores.records import Records
    from mlops_assets.stores.records.surroundings import Fault
    from mlops_assets.stores.registry import Registry
    from mlops_assets.stores.settings import Settings


def doctor(
    repair: Annotated[
        bool, typer.Option(help="set aliases and stages as the ledger says, write damaged lineage anew")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of lines")] = False,
) -> None:
    """Look whether ledger and lineage are whole, and the store and the tracker agree with them (else exit code 1).

    Each finding says what to do. What `--repair` cannot mend, or what it failed at, is still a finding.
    """
    from mlops_assets.stores.records import Records
    from mlops_assets.stores.settings import settings

    places = settings(os.environ)
    mended: list[dict[str, Any]] = []
    with Records(places.records) as records:
        found = _examine(places, records)
        if repair:
            mended = _mend([fault for faults in found.values() for fault in faults])
            found = _examine(places, records)
    healthy = all(fault.info for faults in found.values() for fault in faults)
    if json:
        shown = {
            name: [{"what": f.what, "remedy": f.remedy, "info": f.info} for f in faults]
            for name, faults in found.items()
        }
        as_json({"healthy": healthy, "findings": shown, "mended": mended})
    else:
        _print(found, mended)
    if not healthy:
        raise typer.Exit(1)


def _examine(places: "Settings", records: "Records") -> dict[str, list["Fault"]]:
    """Probe -> what it found. A project in which nothing was registered has nothing to examine."""
    from mlops_assets.stores.assets import AssetStore
    from mlops_assets.stores.records.probes import PROBES, examined
    from mlops_assets.stores.records.surroundings import Surroundings
    from mlops_assets.stores.serving.probes import rollouts

    registry = _registry(places)
    if registry is None and not records.database.path.exists():
        return {}
    around = Surroundings(records, registry, AssetStore(places.store))
    found = {name: examined(around, probe) for name, probe in PROBES.items()}
    # last, since what it mends makes the ledger's next entries, which stages and aliases follow
    return found | {"rollouts": examined(around, lambda seen: rollouts(places.serving, places.records, seen.use_cases))}


def _mend(faults: list["Fault"]) -> list[dict[str, Any]]:
    """Mend what can be mended, and tell of each whether it was."""
    told = []
    for fault in faults:
        if fault.mend is None:
            continue
        try:
            fault.mend()
            told.append({"what": fault.what, "failed": None})
        except MlopsError as refused:
            told.append({"what": fault.what, "failed": str(refused)})
    return told


def _registry(places: "Settings") -> "Registry | None":
    """The tracker's registry; None for a local one that is not there yet: asking would make it."""
    from mlops_assets.stores.registry import Registry

    local = places.tracking_uri.removeprefix("sqlite:///")
    if local != places.tracking_uri and not Path(local).exists():
        return None
    return Registry(places.tracking_uri, places.artifacts)


def _print(found: dict[str, list["Fault"]], mended: list[dict[str, Any]]) -> None:
    for each in mended:
        out.print("not mended" if each["failed"] else "mended", end="  ")
        out.print(each["what"] + (f": {each['failed']}" if each["failed"] else ""), markup=False)
    for name, faults in found.items():
        wrong = sum(not fault.info for fault in faults)
        said = f"{wrong} found" if wrong else f"sound, {len(faults)} to know" if faults else "sound"
        out.print(f"[{'red' if wrong else 'green'}]{name:<10}[/] {said}")
        for fault in faults:
            out.print(f"           {fault.what}", markup=False)
            out.print(f"           -> {fault.remedy}", markup=False)
    if not found:
        out.print("nothing has been recorded yet: register a model first")
