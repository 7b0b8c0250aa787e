"""The server of the online store: how it is reached, what it must be, and what its errors mean.

Credentials come in the URL and stay in the client: what is shown anywhere is host, port and database.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import sleep
from typing import Any, TypeVar

from mlops_assets.declare import DataError
from mlops_assets.stores.crashpoints import reach as crash_point

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ModuleNotFoundError as absent:
    raise DataError(
        "online store: redis:// needs the client library: pip install 'mlops-assets[redis]', or name a file instead."
    ) from absent

_CONNECT_S, _ANSWER_S = 5.0, 15.0  # a week's transaction holds the server for about half a second
_OLDEST = (6, 2)  # the first with ZRANGE ... BYLEX REV
_ATTEMPTS = 20

Command = Sequence[bytes | str | int]
T = TypeVar("T")


class RedisServer:
    """One database of one server. Raises DataError that names it without its password, here and later."""

    def __init__(self, url: str, namespace: str) -> None:
        try:
            self._client = redis.Redis.from_url(
                url,
                socket_connect_timeout=_CONNECT_S,
                socket_timeout=_ANSWER_S,
                retry=Retry(NoBackoff(), 1),  # a connection that idled may have been dropped
                decode_responses=False,
            )
        except ValueError:  # whose text may hold a part of the password
            raise DataError(
                "online store: the URL cannot be read, must be redis://[user:password@]host:port/db with anything "
                "special in the password percent-encoded: correct it."
            ) from None
        at = self._client.connection_pool.connection_kwargs
        host, port, db = at.get("host", "localhost"), at.get("port", 6379), at.get("db", 0)
        self.name = f"redis://{host}:{port}/{db}?namespace={namespace}"
        try:
            with self._told():
                self._check(self._client.info())
        except TypeError as error:  # raised while connecting
            raise DataError(f"online store {self.name}: the URL has an option that is unknown: correct it.") from error

    def ask(self, commands: Sequence[Command], *, at_once: bool = False) -> list[Any]:
        """The answers to commands, in one journey; of one moment when `at_once`."""
        with self._told(), self._client.pipeline(transaction=at_once) as pipe:
            for command in commands:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]  # as redis ships it
            return pipe.execute()

    def scan(self, key: bytes) -> Iterator[bytes]:
        """The members of a set; those that come or go meanwhile may be among them or not."""
        with self._told():
            yield from self._client.sscan_iter(key, count=1_000)

    def change(self, watched: Sequence[bytes], prepare: Callable[[], tuple[list[Command], T]]) -> T:
        """Do what `prepare` decides, in one piece, while nobody else changes the keys it looked at.

        `prepare` returns commands and the result; it is asked again when another writer was faster. Raises DataError
        when others were always faster.
        """
        for attempt in range(_ATTEMPTS):
            with self._told(), self._client.pipeline() as pipe:
                if watched:
                    pipe.watch(*watched)  # type: ignore[no-untyped-call]
                commands, result = prepare()
                pipe.multi()
                for command in commands:
                    pipe.execute_command(*command)  # type: ignore[no-untyped-call]  # as redis ships it
                crash_point("online.rewritten")
                try:
                    pipe.execute()
                except redis.WatchError:
                    sleep(0.005 * attempt)
                    continue
                crash_point("online.committed")
                return result
        raise DataError(
            f"online store {self.name}: other writers changed the same keys {_ATTEMPTS} times while this change was "
            "prepared, so nothing of it was written: let one writer finish, then run the step again."
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _check(self, info: dict[str, Any]) -> None:
        version = str(info.get("redis_version", "0"))
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
            raise DataError(f"online store {self.name}: the server is {version}, must be 6.2 or later: update it.")
        policy = str(info.get("maxmemory_policy", ""))
        if info.get("maxmemory") and policy.startswith("allkeys"):
            raise DataError(
                f"online store {self.name}: maxmemory-policy == {policy!r} drops any key when memory runs short, and "
                "what was dropped would look like what never happened: set noeviction."
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except redis.AuthenticationError as error:
            raise DataError(f"online store {self.name}: {error}: correct user and password of the URL.") from error
        except redis.ConnectionError as error:
            raise DataError(f"online store {self.name}: {error} Start the server or correct the URL.") from error
        except redis.TimeoutError as error:
            raise DataError(
                f"online store {self.name}: {error}, no answer within {_ANSWER_S:g} s: look after the server or the "
                "network, then run the step again."
            ) from error
        except redis.RedisError as error:
            raise DataError(f"online store {self.name}: {error}: look after the server, then run again.") from error
