"""Work that a second replay need not do again: results in a folder, each by the action that made it.

The key is honest like that of the assets: the code that is reached, the part of the declaration that may be read, the
libraries, the data versions of the inputs.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from mlops_assets.core.actions import Action
from mlops_assets.core.artifact import Artifact
from mlops_assets.core.declared import config, entries_of
from mlops_assets.core.versions import JSON
from mlops_assets.declare import DamagedError, UseCase
from mlops_assets.declare.visible import visible
from mlops_assets.stores.actions import known
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.code import libraries, package_code


class Kept:
    """Results for one use case below `folder`; None keeps nothing. `makes` are the functions that make them.

    `seen` is the declaration as they may read it: the fields `sees`.
    """

    def __init__(
        self, folder: Path | None, use_case: UseCase, *, makes: Sequence[Callable[..., object]], sees: Sequence[str]
    ) -> None:
        self._store = AssetStore(folder) if folder else None
        self.seen: UseCase = visible(use_case, sees)
        self._makes = makes

    def once(
        self,
        artifact: str,
        partition: str,
        make: Callable[[], Artifact],
        *,
        inputs: Mapping[str, str],
        more: Mapping[str, JSON],
        at: str,
    ) -> Artifact:
        """What `make` makes, or made before of the same. `more` is configuration beside the declaration.

        `at` is the instant (ISO 8601) that a result is kept under. Raises what `make` does, OSError where nothing can
        be written.
        """
        if self._store is None:
            return make()
        code, versions = self._reached
        action = Action(
            asset=f"{self.seen.name}/{artifact}", partition=partition, code=code, config={**self._config, **more},
            libraries=versions, inputs=inputs,
        )  # fmt: skip
        ref = known(self._store, action)
        try:
            if ref is not None:
                return self._store.load_ref(ref)
        except DamagedError:
            pass  # made anew, over the damaged one
        made = make()
        self._store.publish(
            action.asset, partition, made, inputs=inputs, code={}, run="replay", action_key=action.key, created_at=at
        )
        return made

    @cached_property
    def _config(self) -> dict[str, JSON]:
        return config(self.seen)

    @cached_property
    def _reached(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        ours, declared = [f"{make.__module__}.{make.__qualname__}" for make in self._makes], entries_of(self.seen)
        reached = package_code(*sorted({entry.partition(".")[0] for entry in (*ours, *declared)})).reached(
            [*ours, *declared]
        )
        return reached.definitions, libraries(reached.libraries)
