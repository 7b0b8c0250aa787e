"""Everything a trained model was made from: from its ref over the refs it was made from, down to the landed files.

Here belongs the walk. It reads refs and the model's training set, no data.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mlops_assets.core.training_set import RECORD, Reference
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.ref import Ref

_CHAIN = ("feature_table", "validated_dataset", "raw_data")  # of one week, each made from the one after it
LOOKBACK = "lookback"  # role of a week that only a feature's window reached


@dataclass(frozen=True, kw_only=True)
class Closure:
    """What a model was made from, as `ModelVersion` has it: weeks and files in order, and whatever else was read."""

    weeks: tuple[dict[str, str], ...]
    files: tuple[dict[str, str], ...]
    other_inputs: tuple[dict[str, str], ...]


def closure(store: AssetStore, trained: Ref) -> Closure:
    """The closure of a trained model over its inputs; each ref is read once.

    Raises DataError naming the first input that is not in the store, and for a model that names no training set;
    DamagedError where its record of that is not what was written.
    """
    there = (RECORD,) if RECORD in trained.parts else ()
    used = Reference.recorded(store.load_ref(trained, parts=there).records, trained.at).training_set
    walk = _Walk(store)
    walk.follow(trained)
    return Closure(weeks=_weeks(walk, used.selection.roles(used.weeks)), files=_files(walk), other_inputs=_others(walk))


class _Walk:
    """The refs that are reached from one, and by each what it was made from."""

    def __init__(self, store: AssetStore) -> None:
        self._refs = store.refs
        self._read: dict[tuple[str, str], list[Ref | None]] = {}
        self.inputs: dict[str, list[Ref]] = {}  # by the reader's `at`
        self.reached: dict[str, Ref] = {}

    def follow(self, start: Ref) -> None:
        """Reach everything `start` was made from."""
        waiting = [start]
        while waiting:
            reader = waiting.pop()
            self.inputs[reader.at] = [self._as_read(reader, at, version) for at, version in reader.publications.items()]
            new = {ref.at: ref for ref in self.inputs[reader.at] if ref.at not in self.reached}
            self.reached |= new
            waiting.extend(new.values())

    def _as_read(self, reader: Ref, at: str, version: str) -> Ref:
        """The publication the reader met: of those with that data version the newest when the reader was published.

        Several are of one data version when a week came out the same from other files.
        """
        asset, _, partition = at.partition("@")
        known = self._publications(asset, partition)
        same = [ref for ref in known if ref is not None and ref.data_version == version]
        if not same:
            state = "damaged" if None in known else "gone"
            raise DataError(
                f"{reader.at} was made from {at} in its data version {version[:12]}, which is {state}: bring it back "
                "from a copy of the store, or make the week anew: from the same input it gets the same version."
            )
        return next((ref for ref in same if ref.created_at <= reader.created_at), same[-1])

    def _publications(self, asset: str, partition: str) -> list[Ref | None]:
        """Every publication of a partition, the newest first; None for one that is damaged."""
        if (asset, partition) not in self._read:
            generations = reversed(self._refs.generations(asset, partition))
            self._read[asset, partition] = [self._intact(asset, partition, one) for one in generations]
        return self._read[asset, partition]

    def _intact(self, asset: str, partition: str, generation: int) -> Ref | None:
        try:
            return self._refs.read(asset, partition, generation)
        except DamagedError:
            return None  # another one may be what is looked for; if none is, that is said


def _weeks(walk: _Walk, roles: dict[str, str]) -> tuple[dict[str, str], ...]:
    """A line for each feature table with its own week's inputs, and one for each other chain that a window reached."""
    lines: list[dict[str, str]] = []
    told: set[str] = set()
    for artifact in _CHAIN:
        for ref in walk.reached.values():
            if _artifact(ref) != artifact or ref.at in told:
                continue
            role = roles.get(ref.partition, LOOKBACK) if artifact == "feature_table" else LOOKBACK
            line = {"partition": ref.partition, "role": role} | dict.fromkeys(_CHAIN, "")
            step: Ref | None = ref
            while step is not None:
                line[_artifact(step)] = step.data_version
                told.add(step.at)
                own = [read for read in walk.inputs[step.at] if read.partition == ref.partition]
                step = next((read for read in own if _artifact(read) in _CHAIN), None)
            lines.append(line)
    return _in_order(lines)


def _files(walk: _Walk) -> tuple[dict[str, str], ...]:
    return _in_order(
        {"partition": ref.partition, "table": table, "path": str(file["file"]), "sha256": str(file["sha256"])}
        for ref in walk.reached.values()
        if _artifact(ref) == "raw_data"
        for table, file in ref.about.get("files", {}).items()
    )


def _others(walk: _Walk) -> tuple[dict[str, str], ...]:
    return _in_order(
        {"asset": ref.asset, "partition": ref.partition, "data_version": ref.data_version}
        for ref in walk.reached.values()
        if _artifact(ref) not in _CHAIN
    )


def _in_order(lines: Iterable[dict[str, str]]) -> tuple[dict[str, str], ...]:
    """Sorted by all their values from the left, each once."""
    return tuple(dict(line) for line in sorted({tuple(line.items()) for line in lines}))


def _artifact(ref: Ref) -> str:
    return ref.asset.rpartition("/")[2]
