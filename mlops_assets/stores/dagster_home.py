"""The folder of Dagster's instance: made where there is none, with the configuration that is shipped."""

import shutil
import uuid
from pathlib import Path

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.settings import Settings

CONFIGURATION = "dagster.yaml"


def made_home(places: Settings) -> Path:
    """The folder, made if need be, with a `dagster.yaml` in it.

    A folder without one is given the shipped one, so that its limits and retries are in force wherever the data lies;
    one that is there is never changed. Raises DataError for a folder that cannot be made or written.
    """
    home = places.dagster_home
    try:
        home.mkdir(parents=True, exist_ok=True)
        _configure(places.root / "data" / "dagster" / CONFIGURATION, home / CONFIGURATION)
    except OSError as error:
        raise DataError(
            f"DAGSTER_HOME == {str(home)!r} cannot be made: {error}. Name a folder you may write."
        ) from error
    return home


def _configure(shipped: Path, own: Path) -> None:
    """Puts the shipped configuration there, whole or not at all, unless there is one."""
    if shipped.exists() and not own.exists():
        aside = own.with_name(f"{own.name}.{uuid.uuid4()}")
        shutil.copyfile(shipped, aside)
        aside.replace(own)
