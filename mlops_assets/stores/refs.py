"""The refs: for every partition of every asset an append-only row of publications, the newest being what it is now.

Here belongs how refs are kept, numbered and read back. A ref lies at `refs/<use case>/<artifact>/<partition>/
<generation>.json`, sealed (`seals.py`) and created exclusively, so two publishers never write one generation.
Beside them `HEAD` keeps the highest generation that was finished: without it a lost newest file would make an older
publication look like the newest. It is there before the first ref (generation 0) and raised after each, so it may lag
behind (a crash between) but never leads, and refs without a `HEAD` are damage at whatever moment a writer was killed.
"""

import re
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.places import Place
from mlops_assets.stores.ref import Ref, check_asset
from mlops_assets.stores.seals import sealed, unsealed

__all__ = ["Ref", "RefStore", "head_path", "is_safe", "ref_folder", "ref_path"]

FOLDER = "refs"
HEAD = "HEAD"
DAMAGED = "damaged"  # where a repair moves what is not whole, under its old path
LAST = 99_999_999  # generations have eight digits
_FILE = re.compile(r"(?!0{8})([0-9]{8})\.json")


def ref_folder(asset: str, partition: str) -> str:
    """Where the publications of a partition lie, from the root of the store. Raises `DataError` for unsafe names."""
    return f"{FOLDER}/{check_asset(asset)}/{check_name('partition', partition, error=DataError)}"


def ref_path(asset: str, partition: str, generation: int) -> str:
    """Where one publication lies, from the root of the store."""
    return f"{ref_folder(asset, partition)}/{generation:08d}.json"


def head_path(asset: str, partition: str) -> str:
    """Where the head of a partition lies, from the root of the store."""
    return f"{ref_folder(asset, partition)}/{HEAD}"


class RefStore:
    """The refs under one root."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def publish(self, draft: Ref) -> Ref:
        """Append a ref under the next free generation and return it as stored.

        When the newest ref says the same but for run and instant, nothing is written and that one is returned. A
        damaged newest ref does not stand in the way: the new one supersedes it. Raises `OSError` when it cannot be
        written, `DamagedError` when no generation is left above the newest file.
        """
        asset, partition = draft.asset, draft.partition
        known = self.generations(asset, partition)
        top = max([*known, self._head_or_zero(asset, partition)])
        self._begin(asset, partition, max(known, default=0))
        while True:
            newest = self._intact(asset, partition, top)
            if newest is not None and newest.says_the_same_as(draft):
                return self.settled(newest)
            if top >= LAST:
                raise DamagedError(
                    f"ref {ref_path(asset, partition, top)} in {self.place} has the last generation there can be, "
                    "so nothing can follow it: run `mlops fsck --repair`, then the step again."
                )
            ref = replace(draft, generation=top + 1)
            if self.place.create(ref_path(asset, partition, top + 1), sealed(ref.record()), "ref"):
                return self.settled(ref)
            top += 1  # another publisher was first: look at what it published, then take the next

    def settled(self, ref: Ref) -> Ref:
        """Make sure that the head knows a stored ref, and return the ref."""
        if self._head_or_zero(ref.asset, ref.partition) < ref.generation:
            # the ref is published, whole and on disk: a head that lags is made up for by the next publication
            with suppress(OSError):
                self.place.write(
                    head_path(ref.asset, ref.partition), _head(ref.asset, ref.partition, ref.generation), "head"
                )
        return ref

    def remember(self, asset: str, partition: str, generation: int) -> None:
        """Raise a head that lags by one, before that ref is set aside: an older one must not become the newest.

        Any other head stays as it is: a file far above it was never published. Raises `OSError`.
        """
        with suppress(DamagedError):  # a damaged head is set aside too, and without one nothing is read
            if self.head(asset, partition) == generation - 1:
                self.place.write(head_path(asset, partition), _head(asset, partition, generation), "head")

    def latest(self, asset: str, partition: str) -> Ref | None:
        """The newest ref; None when the partition was never published. Raises `DamagedError`, never falls back."""
        known = self.generations(asset, partition)
        head = self._head_of(asset, partition, known)
        if head > max(known, default=0):
            raise DamagedError(
                f"ref {ref_path(asset, partition, head)} in {self.place} is missing, though it was the newest: "
                "run the step again, or restore an older version by name."
            )
        return self.read(asset, partition, known[-1]) if known else None

    def read(self, asset: str, partition: str, generation: int) -> Ref:
        """One ref, verified: its seal, and that it belongs where it lies. Raises `DamagedError`."""
        path = ref_path(asset, partition, generation)
        where = f"ref {path} in {self.place}"
        try:
            record = unsealed(self.place.read(path), where)
        except OSError as lost:
            raise DamagedError(f"{where} cannot be read ({lost.strerror or lost}): run `mlops fsck`.") from lost
        met = (record.get("asset"), record.get("partition"), record.get("generation"))
        if met != (asset, partition, generation):
            raise DamagedError(
                f"{where} says it is {met[0]}@{met[1]}#{met[2]}, must be {asset}@{partition}#{generation}: "
                "it was copied or moved here; run `mlops fsck`, then the step again."
            )
        return Ref.of_record(record)

    def newest_intact(self, asset: str, partition: str) -> Ref | None:
        """The newest ref when it is whole, to compare a publication with. To read from, use `latest`, which raises."""
        known = self.generations(asset, partition)
        return self._intact(asset, partition, max([*known, self._head_or_zero(asset, partition)]))

    def history(self, asset: str, partition: str) -> list[Ref]:
        """Every ref of a partition, oldest first. Raises `DamagedError` at the first one that is not intact or gone."""
        known = self.generations(asset, partition)
        gone = self.missing(asset, partition)
        if gone:
            known = [*(there for there in known if there < gone[0].start), gone[0].start]
        return [self.read(asset, partition, generation) for generation in known]

    def missing(self, asset: str, partition: str) -> list[range]:
        """The rows of generations that were there and are gone, ascending; not those set aside and superseded.

        Raises `DamagedError` when the head is damaged, or gone while refs are there.
        """
        known = self.generations(asset, partition)
        return self.gaps(asset, partition, self._head_of(asset, partition, known))

    def gaps(self, asset: str, partition: str, head: int) -> list[range]:
        """What is missing up to the newest file or `head`, whichever is higher. It takes as long as there are files."""
        known = self.generations(asset, partition)
        newest = max(known, default=0)
        aside = (_generation(name) for name in self.place.names(f"{DAMAGED}/{ref_folder(asset, partition)}"))
        there = sorted({0, *known, *(one for one in aside if one < newest), max(newest, head) + 1})
        return [range(one + 1, next_) for one, next_ in pairwise(there) if next_ > one + 1]

    def generations(self, asset: str, partition: str) -> list[int]:
        """The generations that have a file, ascending."""
        return sorted(filter(None, map(_generation, self.place.names(ref_folder(asset, partition)))))

    def head(self, asset: str, partition: str) -> int | None:
        """The highest generation known to be finished; None when there is no head. Raises `DamagedError`."""
        where = f"{head_path(asset, partition)} in {self.place}"
        try:
            data = self.place.read(head_path(asset, partition))
        except FileNotFoundError:
            return None
        except OSError as lost:
            raise DamagedError(
                f"{where} cannot be read ({lost.strerror or lost}): run `mlops fsck --repair`, then the step again."
            ) from lost
        record = unsealed(data, where)
        if (record.get("asset"), record.get("partition")) != (asset, partition):
            raise DamagedError(
                f"{where} belongs to {record.get('asset')}@{record.get('partition')}, must be of {asset}@{partition}: "
                "run `mlops fsck --repair`, then the step again."
            )
        return int(record["generation"])

    def partitions(self, asset: str) -> list[str]:
        """The partitions of an asset that were published, in order of name."""
        folder = f"{FOLDER}/{check_asset(asset)}"
        return [name for name in self.place.names(folder) if is_safe(name) and self._was_published(asset, name)]

    def assets(self) -> list[str]:
        """The assets that have at least one published partition, in order of name."""
        found = (f"{use}/{art}" for use in self.place.names(FOLDER) for art in self.place.names(f"{FOLDER}/{use}"))
        return [asset for asset in found if all(map(is_safe, asset.split("/"))) and self.partitions(asset)]

    def _intact(self, asset: str, partition: str, generation: int) -> Ref | None:
        try:
            return self.read(asset, partition, generation) if generation else None
        except DataError:
            return None  # only to compare with: what is published next gets a generation of its own

    def _head_or_zero(self, asset: str, partition: str) -> int:
        try:
            return self.head(asset, partition) or 0
        except DamagedError:
            return 0  # it is written anew in a moment

    def _head_of(self, asset: str, partition: str, known: list[int]) -> int:
        """The head, 0 where nothing was ever finished. Raises `DamagedError` when damaged, or gone beside refs."""
        head = self.head(asset, partition)
        if head is None and known:
            raise DamagedError(
                f"{head_path(asset, partition)} in {self.place} is missing, so nobody can tell whether "
                f"{ref_path(asset, partition, known[-1])} is still the newest: run the step again, or read a "
                "generation or data version by name."
            )
        return head or 0

    def _begin(self, asset: str, partition: str, newest: int) -> None:
        """Put a head in place before the first ref, or anew beside refs that lost theirs. Raises `OSError`."""
        try:
            absent = self.head(asset, partition) is None
        except DamagedError:
            return  # it is replaced once the ref is there
        if absent:
            self.place.create(head_path(asset, partition), _head(asset, partition, newest), "begin")

    def _was_published(self, asset: str, partition: str) -> bool:
        if self.generations(asset, partition):
            return True
        try:
            return bool(self.head(asset, partition))
        except DamagedError:
            return True  # something was there: whoever reads it is told


def _head(asset: str, partition: str, generation: int) -> bytes:
    return sealed({"asset": asset, "partition": partition, "generation": generation})


def _generation(name: str) -> int:
    """The generation in a file name, 0 when it is not the name of a ref."""
    met = _FILE.fullmatch(name)
    return int(met[1]) if met else 0


def is_safe(name: str) -> bool:
    """True when a name may be a part of a path of the store."""
    try:
        check_name("name", name, error=DataError)
    except DataError:
        return False
    return True
