"""Where a use case's online store and journal are, and how to open them together."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa

from mlops_assets.core.online import OnlineStore
from mlops_assets.declare import UseCase
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.journal import Journal
from mlops_assets.stores.online import open_online
from mlops_assets.stores.write_path import WritePath


def online_url(place: str, use_case: UseCase) -> str:
    """The online store of a use case: a file in the folder `place`, or a namespace on a server.

    >>> from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
    >>> online_url("redis://127.0.0.1:6379/0", FLIGHT_DELAYS), online_url("/srv/online", FLIGHT_DELAYS)
    ('redis://127.0.0.1:6379/0?namespace=flight_delays', '/srv/online/flight_delays.db')
    """
    if "://" in place:
        return f"{place}{'&' if '?' in place else '?'}namespace={use_case.name}"
    return os.fspath(Path(place) / f"{use_case.name}.db")


def open_journal(folder: str, use_case: UseCase) -> Journal:
    """The journal of a use case, made when there is none."""
    return Journal(Path(folder) / f"{use_case.name}.journal.db")


@contextmanager
def feature_store(
    use_case: UseCase, *, online: str, journals: str, assets: AssetStore
) -> Iterator[tuple[WritePath, OnlineStore]]:
    """The write path and the online store of a use case, closed at the end."""
    journal = open_journal(journals, use_case)  # makes its folder, in which the embedded store lies by default
    with closing(journal), closing(open_online(online_url(online, use_case))) as store:
        yield WritePath(use_case, journal, store, lambda: lookups(use_case, assets)), store


def lookups(use_case: UseCase, assets: AssetStore) -> Mapping[str, pa.Table]:
    """The newest validated tables that derived columns look zones up in; none before a week was validated."""
    needed = {name for table in use_case.tables for name in table.looks_up}
    asset = f"{use_case.name}/validated_dataset"
    weeks = assets.refs.partitions(asset)
    return assets.load(asset, weeks[-1], parts=sorted(needed)).tables if needed and weeks else {}
