"""The store on a server: namespaces, secrets, a server that fails or forgets, writers in each other's way."""

import socket
from pathlib import Path

import pytest
import redis

from mlops_assets.core.online.totals import Applied
from mlops_assets.declare import DamagedError, DataError, DeclarationError
from mlops_assets.stores.online import open_online
from mlops_assets.stores.online.redis import RedisStore
from mlops_assets_tests.stores.online.conftest import Places
from mlops_assets_tests.stores.online.servers import running_redis
from mlops_assets_tests.stores.online.world import counted, turn

SECRET = "hunter2"  # noqa: S105  # what must never be shown


@pytest.fixture
def url(new_place: Places) -> str:
    return new_place("redis")


@pytest.fixture
def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url.partition("?")[0])


def about(url: str) -> str:
    return f"mlops:online:{url.partition('namespace=')[2]}:about"


def test_namespaces_do_not_mix(url, new_place):
    one, other = open_online(url), open_online(new_place("redis"))
    one.apply(turn(3), {"week": "1"})

    assert (counted(one), counted(other)) == ({(1, 3)}, {(0, 0)})
    assert (other.entries(), other.note("week")) == (0, None)


@pytest.mark.parametrize("name", ["", "a:b", "..", "a*"])
def test_a_namespace_must_be_a_name(redis_url, name):
    with pytest.raises(DeclarationError, match="namespace of the online store"):
        RedisStore(redis_url, name)


def test_options_of_the_url_reach_the_client_and_unknown_ones_are_refused(url):
    assert open_online(f"{url}&socket_timeout=3").entries() == 0
    with pytest.raises(DataError, match="option that is unknown"):
        open_online(f"{url}&colour=red")


# --- what is shown


def test_the_password_is_never_shown(tmp_path):
    with running_redis(tmp_path, "--requirepass", SECRET) as url:
        secret = url.replace("//", f"//:{SECRET}@")
        store = RedisStore(secret, "flights")
        store.apply(turn(0))

        assert counted(store) == {(1, 0)}
        assert SECRET not in repr(store)
        assert repr(store) == f"RedisStore({url}?namespace=flights)"
        with pytest.raises(DataError, match="correct user and password") as refused:
            RedisStore(secret.replace(SECRET, "not" + SECRET), "flights")
        assert SECRET not in str(refused.value)
        with pytest.raises(DataError, match="correct user and password"):
            RedisStore(url, "flights")
    with pytest.raises(DataError, match=r"Connection refused.* Start the server") as refused:
        counted(store)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["redis://:hun#ter2@localhost/0", "redis://:hun/ter2@localhost:1/0", "redis://:h@x:y/0"]
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url):
    with pytest.raises(DataError, match="percent-encoded") as refused:
        RedisStore(url, "flights")
    assert "hun" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_server_that_is_not_there_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        with pytest.raises(DataError, match=rf"redis://127.0.0.1:{port}/0\?namespace=n: .*refused"):
            open_online(f"redis://127.0.0.1:{port}/0?namespace=n")


# --- a server that forgets


def test_a_server_that_has_lost_the_store_is_not_taken_for_one_that_knows_nothing(url, client):
    store = open_online(url)
    store.apply(turn(0))
    client.delete(about(url))

    with pytest.raises(DamagedError, match=r"no longer there.* materialize online_features again"):
        counted(store)
    with pytest.raises(DamagedError, match="no longer there"):
        store.apply(turn(1))


def test_a_server_that_may_drop_any_key_is_refused(tmp_path):
    forgetful = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with running_redis(tmp_path, *forgetful) as url, pytest.raises(DataError, match="set noeviction"):
        RedisStore(url, "flights")


def test_a_server_without_memory_left_refuses_the_whole_change(tmp_path):
    with running_redis(tmp_path, "--maxmemory-policy", "noeviction") as url:
        store = RedisStore(url, "flights")
        store.apply(turn(0))
        redis.Redis.from_url(url).config_set("maxmemory", "1mb")

        with pytest.raises(DataError, match="maxmemory"):
            store.apply(turn(1))
        redis.Redis.from_url(url).config_set("maxmemory", "0")
        assert counted(store) == {(1, 0)}


def test_a_store_of_another_format_is_refused(url, client):
    open_online(url)
    client.hset(about(url), "format", "2")

    with pytest.raises(DataError, match="format == '2', must be '1'"):
        open_online(url)


def test_what_survives_a_restart_of_the_server_answers_the_same(tmp_path: Path):
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    with running_redis(tmp_path, *durable) as url:
        RedisStore(url, "flights").apply(turn(5))
    with running_redis(tmp_path, *durable) as url:
        assert counted(RedisStore(url, "flights")) == {(1, 5)}


# --- writers in each other's way


def test_a_writer_that_was_overtaken_looks_again(url, monkeypatch):
    store, other = RedisStore(url.partition("?")[0], "overtaken"), RedisStore(url.partition("?")[0], "overtaken")
    prepare, calls = store._rewrite, []

    def overtaken(*arguments):
        prepared = prepare(*arguments)
        if not calls:
            other.apply(turn(1, writer=2))
        calls.append(1)
        return prepared

    monkeypatch.setattr(store, "_rewrite", overtaken)

    assert store.apply(turn(0)) == Applied(added=100)
    assert len(calls) == 2
    assert counted(store) == {(2, 1)}


def test_a_writer_that_is_overtaken_again_and_again_gives_up_and_says_so(url, monkeypatch):
    store, other = RedisStore(url.partition("?")[0], "forever"), RedisStore(url.partition("?")[0], "forever")
    prepare, others = store._rewrite, []

    def overtaken(*arguments):
        prepared = prepare(*arguments)
        other.apply(turn(len(others), writer=2))
        others.append(len(others))
        return prepared

    monkeypatch.setattr(store, "_rewrite", overtaken)

    with pytest.raises(DataError, match="changed the same keys 20 times"):
        store.apply(turn(0))
    assert counted(store) == {(20, sum(others))}
