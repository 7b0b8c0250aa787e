"""The world of a replay: a folder laid out like the data of a project, which can be put back to where it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.core.versions import JSON
from mlops_assets.stores.settings import Settings, settings


@dataclass(frozen=True)
class World:
    """A folder, and the store that lends to it ("" none)."""

    folder: Path
    lender: str = ""

    @property
    def places(self) -> Settings:
        """Where everything of this world is; the project's code stays where it is."""
        return settings({"MLOPS_DATA": str(self.folder), "MLOPS_LENDER": self.lender})

    @classmethod
    def fresh(cls, folder: Path, request: JSON, *, lender: str = "") -> "World":
        """Make an empty world that is a replay of `request`. Raises DataError where the folder is not empty."""
        raise NotImplementedError

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only process at this world within the block. Raises DataError naming the pid of whoever is."""
        raise NotImplementedError

    def exists(self) -> bool:
        """Whether there is a world in the folder. Raises DataError for a folder that holds anything else."""
        raise NotImplementedError

    def fits(self, request: JSON) -> None:
        """Raises DataError that says what differs where the world is a replay of another request."""
        raise NotImplementedError

    def checkpoint(self, state: JSON) -> None:
        """Keep the world as it is, with `state`, in place of what was kept before. Every database is closed."""
        raise NotImplementedError

    def restore(self) -> JSON | None:
        """Put the world back to its checkpoint and return its state; None, and an empty world, where there is none."""
        raise NotImplementedError

    def discard(self) -> None:
        """Remove the world and its checkpoint. Raises DataError for a folder that is no world."""
        raise NotImplementedError
