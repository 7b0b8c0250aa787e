"""fsck: does the store still hold, bit for bit, what was published?

Here belongs the examination of a whole store and the moving aside of what is damaged. It deletes nothing and computes
nothing anew: after `repair` the next run of the step fills the gap. Damage is what a reader would trip over; info is
what only takes room (orphans of a killed publication, its temporary files).
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count
from typing import TypeAlias

from mlops_assets.core.versions import record_version, table_version
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores import objects, parquet, refs
from mlops_assets.stores.assets import RECORD_SUFFIX, AssetStore
from mlops_assets.stores.disk import TEMPORARY
from mlops_assets.stores.findings import Finding, FsckReport
from mlops_assets.stores.places import Place
from mlops_assets.stores.ref import RECIPE, Part, Ref

__all__ = ["Finding", "FsckReport", "fsck", "repair"]

_MOVABLE = {"damaged-ref", "damaged-head", "damaged-object", "stray"}
_REF_FILE = re.compile(r"HEAD|(?!0{8})[0-9]{8}\.json")
# how many slashes are in the path of a file where it belongs
_REF_DEPTH, _OBJECT_DEPTH = 4, 2
_LONG_GAP = 100  # a longer row of missing refs is one finding
_Use: TypeAlias = tuple[str, str, Part]  # "asset@partition#generation", part name, part


def fsck(store: AssetStore, progress: Callable[[int, int, str], None] = lambda done, total, path: None) -> FsckReport:
    """Read and verify everything in the store. `progress(files done, files in all, path)` is called for every file.

    A ref is verified by its seal, its place and its row of generations; an object by the hash of its bytes and by the
    data version computed anew from its content. Memory: one object at a time. Raises `DataError` when there is no
    folder to look into.
    """
    place = store.objects.place
    if not place.is_folder():
        raise DataError(
            f"store {place} does not exist or is no folder, must be one: nothing is stored there yet; "
            "run a step first, or correct MLOPS_STORE or MLOPS_DATA."
        )
    kept = _entries(place, refs.FOLDER, _REF_DEPTH)
    stored = _entries(place, objects.FOLDER, _OBJECT_DEPTH)
    total = len(kept) + len(stored)
    findings = [
        Finding(kind="set-aside", path=path, message="moved here by a repair") for path in place.files(refs.DAMAGED)
    ]
    rows = _Rows(store)
    for done, path in enumerate(kept):
        progress(done, total, path)
        findings += rows.look_at(path)
    findings += rows.gaps()
    findings += rows.unknown_inputs()
    links = [path for path in (*kept, *stored) if place.is_link(path)]
    findings += map(_link, links)
    users = _users(rows.intact)
    read = 0
    for done, path in enumerate(stored, start=len(kept)):
        progress(done, total, path)
        size, found = _look_at_object(store, path, users.pop(path, []))
        read += size
        findings += found
    behind = tuple(f"{link}/" for link in links)
    for path, missing in users.items():
        if path.startswith(behind):
            continue  # not missing: it lies behind a link, which is a finding already
        message = f"object {path} is missing; {_names(missing)} cannot be read: run the step again"
        findings.append(Finding(kind="missing-object", path=path, message=message, affected=_affected(missing)))
    progress(total, total, "")
    findings.sort(key=lambda finding: (finding.path, finding.kind))
    return FsckReport(refs=len(rows.intact), objects=len(stored), bytes=read, findings=tuple(findings))


def repair(store: AssetStore, report: FsckReport) -> list[str]:
    """Move damaged files to `damaged/` (never delete) and return what lies there now; the next run fills the gaps.

    For a ref that is gone a note is left there, so that its gap counts as known once a newer publication stands.
    """
    place = store.objects.place
    moved: list[str] = []
    for kind, path in sorted({(finding.kind, finding.path) for finding in report.findings}):
        to = f"{refs.DAMAGED}/{path}"
        if kind == "damaged-ref":
            _, use_case, name, partition, file = path.split("/")
            store.refs.remember(f"{use_case}/{name}", partition, int(file[:8]))
        if kind in _MOVABLE:
            taken = {*place.files(refs.DAMAGED), *place.folders(refs.DAMAGED)}
            to = next(name for name in _free_names(to) if name not in taken)
            place.move(path, to)
            moved.append(to)
        elif kind == "missing-ref" and path.count("/") == _REF_DEPTH:
            note = f"{path} was gone when a repair looked.\n".encode()
            moved += [to] if place.create(to, note, "repair") else []
    return moved


def _entries(place: Place, folder: str, depth: int) -> list[str]:
    """The files under a folder; a folder that stands where a file should is one entry, with all that is in it."""
    odd = [path for path in place.folders(folder) if path.count("/") == depth]
    inside = tuple(f"{path}/" for path in odd)
    return sorted([*odd, *(path for path in place.files(folder) if not path.startswith(inside))])


def _free_names(path: str) -> Iterator[str]:
    yield path
    for turn in count(1):
        yield f"{path}.{turn}"


class _Rows:
    """The rows of publications: reads every ref once and then looks for those that are gone."""

    def __init__(self, store: AssetStore) -> None:
        self.intact: list[Ref] = []
        self._store = store
        self._seen: set[tuple[str, str]] = set()  # (asset, partition)
        self._headless: set[tuple[str, str]] = set()  # those whose head is damaged, which is a finding already

    def look_at(self, path: str) -> list[Finding]:
        """The findings of one file under `refs/`."""
        if path.endswith(TEMPORARY):
            return [_temporary(path)]
        _, *folders, name = path.split("/")
        if self._store.objects.place.is_link(path) and len(folders) < 3:
            return []  # of a folder: said as what it is
        if len(folders) != 3 or not all(map(refs.is_safe, folders)) or not _REF_FILE.fullmatch(name):
            return [Finding(kind="stray", path=path, message=f"{path} is no file of the store: move it elsewhere")]
        asset, partition = f"{folders[0]}/{folders[1]}", folders[2]
        self._seen.add((asset, partition))
        try:
            if name == refs.HEAD:
                self._store.refs.head(asset, partition)
            else:
                self.intact.append(self._store.refs.read(asset, partition, int(name[:8])))
        except (DataError, OSError) as met:
            if name == refs.HEAD:
                self._headless.add((asset, partition))
            kind, which = ("damaged-head", "newest") if name == refs.HEAD else ("damaged-ref", int(name[:8]))
            return [Finding(kind=kind, path=path, message=str(met), affected=(f"{asset}@{partition}#{which}",))]
        return []

    def gaps(self) -> list[Finding]:
        """The heads and refs that were there and are gone."""
        found = []
        for asset, partition in sorted(self._seen):
            at, head = f"{asset}@{partition}", None
            if (asset, partition) not in self._headless:
                head = self._store.refs.head(asset, partition)
                if head is None:
                    path = refs.head_path(asset, partition)
                    message = f"head {path} is missing: a newer ref of {at} may be gone as well; run the step again"
                    found.append(Finding(kind="missing-head", path=path, message=message, affected=(f"{at}#newest",)))
            for gone in self._store.refs.gaps(asset, partition, head or 0):
                found += _missing_refs(asset, partition, gone)
        return found

    def unknown_inputs(self) -> list[Finding]:
        """The inputs of intact refs that no ref is there for, but for those that a repair set aside."""
        known = {(f"{ref.asset}@{ref.partition}", ref.data_version) for ref in self.intact}
        readers: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for ref in self.intact:
            for named in set(ref.inputs.items()) - known:
                readers[named].append(ref.at)
        found = []
        for (at, version), affected in sorted(readers.items()):
            asset, _, partition = at.partition("@")
            try:
                path = refs.ref_folder(asset, partition)
            except DataError:
                continue  # made outside of the store, under a name of its own
            if (asset, partition) in self._seen and self._store.refs.place.names(f"{refs.DAMAGED}/{path}"):
                continue  # set aside by a repair and superseded: a known gap
            message = (
                f"no intact ref of {at} has the data version {version}, which others were made from: run {at} again"
            )
            found.append(Finding(kind="missing-input", path=path, message=message, affected=tuple(sorted(affected))))
        return found


def _missing_refs(asset: str, partition: str, gone: range) -> list[Finding]:
    at = f"{asset}@{partition}"
    if len(gone) > _LONG_GAP:
        path = refs.ref_folder(asset, partition)
        message = (
            f"refs {gone[0]} to {gone[-1]} of {at} are missing, or the one after them never belonged there: "
            "move it elsewhere, then run the step again"
        )
        return [Finding(kind="missing-ref", path=path, message=message, affected=(f"{at}#{gone[0]}",))]
    found = []
    for generation in gone:
        path = refs.ref_path(asset, partition, generation)
        message = f"ref {path} is missing: the history of {at} has a gap; run the step again"
        found.append(Finding(kind="missing-ref", path=path, message=message, affected=(f"{at}#{generation}",)))
    return found


def _users(intact: list[Ref]) -> dict[str, list[_Use]]:
    """Object path -> which part of which ref points to it."""
    users: defaultdict[str, list[_Use]] = defaultdict(list)
    for ref in intact:
        for name, part in ref.parts.items():
            users[objects.object_path(part.address, part.suffix)].append((ref.at, name, part))
        if address := str(ref.code.get(RECIPE, "")):
            part = Part(kind=RECIPE, version=address, address=address, suffix=RECORD_SUFFIX, bytes=0)
            users[objects.object_path(address, RECORD_SUFFIX)].append((ref.at, RECIPE, part))
    return dict(users)


def _look_at_object(store: AssetStore, path: str, users: list[_Use]) -> tuple[int, list[Finding]]:
    """How many bytes were read, and the findings of one file under `objects/`."""
    if path.endswith(TEMPORARY):
        return 0, [_temporary(path)]
    address, dot, suffix = path.rpartition("/")[2].partition(".")
    try:
        belongs = objects.object_path(address, dot + suffix) == path
    except DataError:
        belongs = False
    if not belongs and store.objects.place.is_link(path):
        return 0, []  # said as what it is
    if not belongs:
        return 0, [Finding(kind="stray", path=path, message=f"{path} is no file of the store: move it elsewhere")]
    try:
        data = store.objects.get(address, dot + suffix)
    except DamagedError as met:
        message = f"{met} Touched: {_names(users)}." if users else str(met)
        return 0, [Finding(kind="damaged-object", path=path, message=message, affected=_affected(users))]
    if not users:
        message = "no ref points to it: left over from a killed publication, or history was removed"
        return len(data), [Finding(kind="orphan", path=path, message=message)]
    wrong = [use for use in users if not _is_version(data, use)]
    if wrong:
        message = f"{path} is whole, but its content is not the data version that {_names(wrong)} claims"
        return len(data), [Finding(kind="wrong-version", path=path, message=message, affected=_affected(wrong))]
    return len(data), []


def _is_version(data: bytes, use: _Use) -> bool:
    at, name, part = use
    try:
        if part.kind == "tables":
            return table_version(parquet.parquet_table(data, f"{at} part {name!r}")) == part.version
        if part.kind == "records":
            return record_version(json.loads(data)) == part.version
    except ValueError:  # not even a table or a record; DataError is one too
        return False
    return True  # a blob's version is its maker's, nobody else can compute it; a recipe is its address


def _link(path: str) -> Finding:
    """A link under `refs/` or `objects/`; whose it is follows from where it lies."""
    folder, *names = path.split("/")
    at: tuple[str, ...] = ()
    if folder == refs.FOLDER and len(names) >= 3:
        number = names[3].removesuffix(".json").lstrip("0") if len(names) > 3 else ""
        at = (f"{names[0]}/{names[1]}@{names[2]}#{number if number.isdecimal() else 'newest'}",)
    message = f"{path} is a symbolic link, must be a file or folder of its own: put what it leads to in its place"
    return Finding(kind="link", path=path, message=message, affected=at)


def _temporary(path: str) -> Finding:
    message = "left over from a killed write; it may be deleted when nothing is running"
    return Finding(kind="temporary", path=path, message=message)


def _affected(users: list[_Use]) -> tuple[str, ...]:
    return tuple(sorted({at for at, _, _ in users}))


def _names(users: list[_Use]) -> str:
    return ", ".join(f"{at} part {name!r}" for at, name, _ in users)
