"""One holder at a time, fenced from the last one; silence by own clocks alone."""

import math
import threading
from collections.abc import Iterator

import pytest

from mlops_assets.stores.serving.database import Database
from mlops_assets.stores.serving.lease import NOBODY, Lease, Leases, Silence
from mlops_assets_tests.core.rollout.ladder import USE_CASE


@pytest.fixture
def leases(serving: str) -> Iterator[Leases]:
    database = Database(serving, USE_CASE)
    yield Leases(database)
    database.close()


def test_the_first_to_come_takes_it(leases: Leases) -> None:
    assert leases.look() is None
    assert leases.take("a", None) == leases.look() == Lease("a", 1, 1)
    assert leases.take("b", None) is None


def test_it_is_taken_from_whoever_is_silent_and_not_from_one_who_is_heard_of(leases: Leases) -> None:
    first = leases.take("a", None)
    assert first is not None
    later = leases.beat(first)
    assert later == Lease("a", 1, 2)

    assert leases.take("b", first) is None
    assert leases.take("b", later) == Lease("b", 2, 1)


def test_who_was_silent_for_too_long_learns_that_it_is_another_s(leases: Leases) -> None:
    first = leases.take("a", None)
    assert first is not None and leases.take("b", first) is not None

    assert leases.beat(first) is None
    leases.release(first)
    assert leases.look() == Lease("b", 2, 1)


def test_the_same_name_does_not_renew_the_lease_of_its_forerunner(leases: Leases) -> None:
    first = leases.take("a", None)
    assert first is not None and leases.take("a", first) == Lease("a", 2, 1)

    assert leases.beat(first) is None


def test_a_lease_that_was_let_go_is_free(leases: Leases) -> None:
    first = leases.take("a", None)
    assert first is not None
    leases.release(first)

    stands = leases.look()
    assert stands is not None and stands.holder == NOBODY and leases.beat(first) is None
    assert leases.take("b", stands) == Lease("b", 2, 1)


def test_of_many_that_take_it_at_once_one_gets_it(serving: str, leases: Leases) -> None:
    seen = leases.take("gone", None)
    got: list[Lease] = []

    def take(name: str) -> None:
        database = Database(serving, USE_CASE)
        if (lease := Leases(database).take(name, seen)) is not None:
            got.append(lease)
        database.close()

    threads = [threading.Thread(target=take, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 1 and leases.look() == got[0] == Lease(got[0].holder, 2, 1)


def test_silence_is_measured_from_the_last_change_by_the_own_clock() -> None:
    now = 100.0
    silence = Silence(lambda: now)
    assert silence.of("a", 1) == math.inf  # it may have been dead for long

    now = 103.0
    assert (silence.of("a", 1), silence.unchanged("a", 1)) == (math.inf, 3.0)
    assert (silence.of("a", 2), silence.of("b", 2)) == (0.0, math.inf)
    now = 110.0
    assert (silence.of("a", 2), silence.unchanged("a", 2), silence.unchanged("b", 2)) == (7.0, 7.0, 7.0)
    assert silence.of("a", 1) == 0.0  # a counter that went back is a sign of life, too
