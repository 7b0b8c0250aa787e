"""Some weeks of an asset, as the work of a step sees them: read when asked for, wherever they are kept."""

from collections.abc import Collection, Mapping
from typing import Protocol

from mlops_assets.core.artifact import Artifact


class Weeks(Protocol):
    """What a step is given of another asset. It is an interface, so that no store is among the step's own code."""

    @property
    def data_versions(self) -> Mapping[str, str]:
        """Partition -> data version, oldest first."""

    def artifacts(self, parts: Collection[str] | None = None) -> dict[str, Artifact]:
        """Partition -> artifact (all parts or those named), oldest first."""

    def one(self) -> Artifact:
        """The artifact of an input of one week."""
