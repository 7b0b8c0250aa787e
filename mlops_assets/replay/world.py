"""The world of a replay: a folder laid out like a project's data, which can be put back to where it was.

Here belongs what a world is and whose; how its files are copied is `stores/snapshots.py`. A world knows which replay
it is of, so that another never goes on in it, and one process at a time has it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_assets.core.versions import JSON, canonical_json
from mlops_assets.declare import DataError
from mlops_assets.stores.dagster_home import made_home
from mlops_assets.stores.locks import alone
from mlops_assets.stores.settings import Settings, settings
from mlops_assets.stores.snapshots import Snapshot

MARK = "replay.json"  # in a world: which replay it is of
OBJECTS = "store/objects"  # immutable, named by their content: they need no going back
_FORMAT = 1
_SHOWN = 4  # differences that are told one by one


@dataclass(frozen=True)
class World:
    """A folder, and the object store that lends to it ("" none)."""

    folder: Path
    lender: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder).resolve())

    @property
    def places(self) -> Settings:
        """Where everything of this world is; the project's code stays where it is."""
        return settings({"MLOPS_DATA": str(self.folder), "MLOPS_LENDER": self.lender})

    @classmethod
    def fresh(cls, folder: Path, request: JSON, *, lender: str = "") -> "World":
        """Make an empty world that is a replay of `request`. Raises DataError where the folder holds anything."""
        world = cls(folder, lender)
        if world.exists():
            raise DataError(f"{world.folder} is a replay's world already: discard it, or name another folder.")
        world._snapshot.discard()  # copies of a world that is gone
        world._snapshot.mark(canonical_json({"format": _FORMAT, "replay": request}))
        made_home(world.places)
        return world

    def exists(self) -> bool:
        """Whether there is a world in the folder. Raises DataError for a folder that holds something else."""
        return self._snapshot.is_marked()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only process that has this world within the block. Raises DataError naming the pid of the other."""
        lock = self.folder.with_name(f"{self.folder.name}.lock")
        holder = lock.with_suffix(".pid")
        with ExitStack() as stack:
            try:
                stack.enter_context(alone(lock, f"the world {self.folder}", patience_s=0))
            except DataError as refused:
                pid = holder.read_text() if holder.is_file() else "unknown"
                raise DataError(f"{refused} The last process to have it is {pid}.") from refused
            holder.write_text(str(os.getpid()))
            stack.callback(holder.unlink, missing_ok=True)
            yield

    def fits(self, request: JSON) -> None:
        """Raises DataError that says what differs where the world is a replay of another request, or is damaged."""
        try:
            told = json.loads((self.folder / MARK).read_bytes())
            format_, mine = told["format"], told["replay"]
        except (OSError, ValueError, TypeError, KeyError) as broken:
            raise DataError(f"{self.folder / MARK} cannot be read ({broken!r}): {_REMEDY}.") from broken
        if format_ != _FORMAT:
            raise DataError(f"{self.folder / MARK}: format == {format_!r}, must be {_FORMAT}: {_REMEDY}.")
        if differ := _differing(mine, json.loads(canonical_json(request))):
            more = f"; and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
            raise DataError(
                f"{self.folder} is the world of another replay: {'; '.join(differ[:_SHOWN])}{more}: {_REMEDY}."
            )

    def checkpoint(self, state: JSON) -> None:
        """Keep the world as it is, with `state`, in place of the last checkpoint. No database of it may be open.

        Raises DataError where one is in use, `OSError` when there is no room; then the last checkpoint stays.
        """
        self._snapshot.take(canonical_json(state))

    def restore(self) -> JSON | None:
        """Put the world back to its checkpoint and return the state; None, and an empty world, where there is none.

        Objects of the store that were made since stay. No database of the world may be open.
        """
        note = self._snapshot.put_back()
        if note is None:
            made_home(self.places)
            return None
        state: JSON = json.loads(note)
        return state

    def discard(self) -> None:
        """Remove the world and its checkpoint, if they are there. Raises DataError for a folder that is no world."""
        if self.exists():
            self._snapshot.discard()

    @property
    def _snapshot(self) -> Snapshot:
        return Snapshot(self.folder, MARK, left=(OBJECTS,), linked=("store",))


_REMEDY = "give --anew to begin it anew, or name another folder with --out"


def _differing(mine: Any, asked: Any) -> list[str]:
    """What two requests say differently, field by field where both have fields."""
    if not (isinstance(mine, dict) and isinstance(asked, dict)):
        return [] if mine == asked else [f"it is {mine!r}, asked is {asked!r}"]
    return [
        f"{name} is {mine.get(name)!r}, asked is {asked.get(name)!r}"
        for name in sorted({*mine, *asked})
        if mine.get(name) != asked.get(name)
    ]
