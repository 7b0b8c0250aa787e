"""Online stores that outlive a process: a SQLite file by default, a Redis server by URL.

Both keep the promises of `core/online/store.py`; what differs is where the bytes lie and who may reach them.
"""

from urllib.parse import parse_qsl, urlencode

from mlops_assets.core.online import OnlineStore
from mlops_assets.declare import DataError
from mlops_assets.stores.online.sqlite import SqliteStore

__all__ = ["SqliteStore", "open_online"]


def open_online(url: str) -> OnlineStore:
    """The store at a place, made there when there is none yet. One use case has one place of its own.

    `url` is the path of a file, or `redis://` / `rediss://` with `?namespace=<use case>`. Raises DataError when the
    place cannot be used, DeclarationError for a namespace that is no name.

    >>> open_online("s3://bucket/online")
    Traceback (most recent call last):
    mlops_assets.declare.errors.DataError: online store: no store is known for 's3://', must be the path of a file, \
redis:// or rediss://: correct the URL.
    """
    scheme = url.split("://", 1)[0] if "://" in url else ""
    if scheme == "":
        return SqliteStore(url)
    if scheme in ("redis", "rediss"):
        from mlops_assets.stores.online.redis import RedisStore  # an extra: only who asks for it must have it

        place, _, query = url.partition("?")
        options = dict(parse_qsl(query))
        namespace = options.pop("namespace", "")
        return RedisStore(f"{place}?{urlencode(options)}" if options else place, namespace)
    raise DataError(
        f"online store: no store is known for '{scheme}://', must be the path of a file, redis:// or rediss://: "
        "correct the URL."
    )
