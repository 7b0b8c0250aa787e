"""Checkpoints of a fit on disk: `checkpoints/<action key>/fit.checkpoint` under a store's root, one for each fit.

Here belong the file and its refusals. It is a sealed line of JSON (whose action key, how many iterations, the hash of
what follows), then the estimator as skops, never a pickle. The file is replaced whole, so a fit that is killed leaves
the last one that was complete; one that is stale, damaged or of another fit is refused with a message, and the fit
starts over: a checkpoint may save work, it may not change a result nor stop one.
"""

from collections.abc import Callable, Iterable
from typing import Any

from mlops_assets.core.checkpoints import Checkpoint, mismatch
from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.models import dump, load
from mlops_assets.stores.objects import address_of
from mlops_assets.stores.places import Place
from mlops_assets.stores.seals import sealed, unsealed

FOLDER = "checkpoints"


class StoredCheckpoints:
    """The place of one fit's checkpoints: `action_key` names all that the fit depends on.

    `place` is a store's root, `trusted` the declared list of types (`Estimator.trusted`), `tell` takes one sentence
    when a checkpoint is used, refused or could not be kept. Raises DataError for a key that is no name.
    """

    def __init__(
        self, place: Place, action_key: str, *, trusted: Iterable[str] = (), tell: Callable[[str], object]
    ) -> None:
        self._place, self._key, self._trusted, self._tell = place, action_key, tuple(trusted), tell
        self._folder = f"{FOLDER}/{check_name('action key', action_key, error=DataError)}"
        self._path = f"{self._folder}/fit.checkpoint"

    def load(self, unfitted: Any, features: int) -> Checkpoint | None:
        """The checkpoint of a fit of `unfitted` on rows of `features` columns; None to start over.

        Why it starts over is told, unless there is no checkpoint yet.
        """
        try:
            checkpoint = self._read(features)
            if why := mismatch(unfitted, checkpoint):
                raise DataError(f"{self._path} is of another fit, {why}")
        except FileNotFoundError:
            return None
        except (OSError, DataError) as refused:
            self._tell(f"The fit starts over, its checkpoint is refused: {refused}")
            return None
        self._tell(f"The fit goes on after iteration {checkpoint.done}, from checkpoint {self._path}.")
        return checkpoint

    def save(self, done: int, estimator: Any) -> None:
        """Keep the estimator as it is after `done` iterations, in place of what was kept before.

        What cannot be written is told; the fit goes on without. Raises DeclarationError for an estimator that could not
        be loaded again (`models.dump`), which its model could not be either.
        """
        data = dump(estimator, self._trusted)
        head = sealed({"action_key": self._key, "done": done, "blake3": address_of(data)})
        try:
            self._place.write(self._path, head + data, "checkpoint")
        except OSError as failed:
            self._tell(f"The fit goes on, its checkpoint after iteration {done} is not kept: {failed}")

    def clear(self) -> None:
        """Remove the fit's folder, with what a killed writer left in it: its result is published."""
        try:
            self._place.discard(self._folder, "checkpoint")
        except OSError as failed:
            self._tell(f"{self._folder} could not be removed ({failed}): remove it, nothing reads it any more.")

    def _read(self, features: int) -> Checkpoint:
        """What the file holds. Raises FileNotFoundError, DataError for what is not what was written, OSError."""
        head, _, data = self._place.read(self._path).partition(b"\n")
        try:
            record = unsealed(head + b"\n", self._path)
        except DamagedError as broken:
            raise DataError(f"{self._path} is damaged, its seal is broken") from broken
        if record.get("action_key") != self._key:
            raise DataError(f"{self._path} is stale, of action key {record.get('action_key')!r:.90}")
        if record.get("blake3") != address_of(data) or type(record.get("done")) is not int:
            raise DataError(f"{self._path} is damaged, {len(data)} bytes after its seal are not those it was put on")
        return Checkpoint(done=record["done"], estimator=load(data, self._trusted, features=features))
