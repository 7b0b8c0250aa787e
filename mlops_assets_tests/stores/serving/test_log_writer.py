"""What is handed in is on disk once the caller is told; what cannot be written is told to exactly those it concerns."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.stores.serving import log_session, log_sqlite
from mlops_assets.stores.serving.predictions import Failed, Full, PredictionLog, Told, Unavailable
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.serving.logged import answered, labelled, mirrored, put


@pytest.fixture
def log(serving: str) -> Iterator[PredictionLog]:
    """An empty log."""
    with closing(PredictionLog(serving, FLIGHT_DELAYS)) as log:
        yield log


def file_of(log: PredictionLog) -> Path:
    return Path(log.place.path)  # type: ignore[attr-defined]  # a log in a folder


def test_what_was_written_is_there_for_another_process(log: PredictionLog, serving: str) -> None:
    assert (
        put(log, answered("a"), answered("b"), Failed(request="c", status_code=400, reason="no", at_us=5))
        == ["written"] * 3
    )

    with closing(PredictionLog(serving, FLIGHT_DELAYS, create=False)) as other:
        assert other.answered("a") == answered("a") and other.answered("b") == answered("b")
        assert other.answered("c") is None
        assert other.failed(0) == {400: 1} and other.failed(6) == {}


def test_a_request_that_comes_again_gets_the_answer_that_stands(log: PredictionLog) -> None:
    put(log, answered("a", score=0.25))
    (outcome,) = log.put([answered("a", score=0.75, version=2, answered_us=9)]).result(30)

    assert outcome.told is Told.REPEATED and outcome.stored == answered("a", score=0.25)
    assert log.answered("a") == answered("a", score=0.25)


def test_another_request_of_the_same_id_is_a_conflict(log: PredictionLog) -> None:
    put(log, answered("a"), answered("given", content="one"))
    for other in (
        answered("a", features="{}"),
        answered("a", as_of_us=5),
        answered("given", content="two"),
    ):
        (outcome,) = log.put([other]).result(30)
        assert outcome.told is Told.CONFLICT
    # what was looked up may be another by then: the request is the same
    assert put(log, answered("given", content="one", features="{}")) == ["repeated"]


def test_of_a_batch_only_what_is_new_is_written(log: PredictionLog) -> None:
    put(log, answered("b"))
    batch = [answered("a"), answered("b"), answered("c"), answered("b", features="{}"), answered("a"), mirrored("a")]

    assert put(log, *batch) == ["written", "repeated", "written", "conflict", "repeated", "written"]
    assert len(log.since(0, 100, rollout="1-2", block=None).seen) == 4


def test_what_nobody_waited_for_is_kept_once(log: PredictionLog) -> None:
    assert put(log, answered("a"), mirrored("a", score=0.5)) == ["written", "written"]
    assert put(log, mirrored("a", score=0.75)) == ["repeated"]

    assert log.since(0, 100, rollout="1-2", block=None).rows == 2


@pytest.mark.parametrize("id", ["", "x" * 129, "a\nb", "a\0", "\ud800"])
def test_an_id_that_is_none_is_refused_where_it_enters(tmp_path: Path, id: str) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    for record in (answered(id), mirrored(id), labelled(id)):
        with pytest.raises(DataError, match="must be 1 to 128 printable characters"):
            log.put([answered("fine"), record])

    assert log.waiting == 0 and log.answered("fine") is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_no_answer(tmp_path: Path, value: float) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    for record in (answered("a", score=value), mirrored("a", score=value), labelled("a", value)):
        with pytest.raises(DataError, match="must be finite"):
            log.put([record])
    with pytest.raises(DataError, match="as_of_us"):
        log.put([answered("a", as_of_us=2**63)])


def test_an_arm_that_is_none_is_refused(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    for record in (answered("a", assigned="Champion"), mirrored("a", arm="")):
        with pytest.raises(DataError, match=r"must be one of \('champion', 'challenger'\)"):
            log.put([record])


def test_a_reason_of_whatever_an_exception_says_is_made_plain(log: PredictionLog) -> None:
    assert put(log, answered("a", reason="broken:\n\0\ud800" + "x" * 5_000, unit="\0")) == ["written"]

    stored = log.answered("a")
    assert stored is not None and stored.reason.startswith("broken:???x") and len(stored.reason) == 1_000


def test_a_record_that_no_database_takes_fails_alone(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    with blocked(log):
        futures = [log.put([r]) for r in (answered("a"), answered("b", features="\ud800"), answered("c"))]
    with pytest.raises(DataError, match=r"a record cannot be written \(UnicodeEncodeError"):
        futures[1].result(30)

    assert [future.result(30)[0].told for future in (futures[0], futures[2])] == [Told.WRITTEN] * 2
    assert log.answered("b") is None


class blocked:
    """While the block runs, the log's writer waits for another that holds the file."""

    def __init__(self, log: PredictionLog) -> None:
        put(log, Failed(request="first", status_code=400, reason="", at_us=0))
        self._other = sqlite3.connect(file_of(log), isolation_level=None)

    def __enter__(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._other.execute("ROLLBACK")
        self._other.close()


def test_more_than_may_wait_is_refused_at_once(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS, most_waiting=3)
    with blocked(log):
        waiting = [log.put([answered("a"), answered("b")]), log.put([answered("c")])]
        with pytest.raises(Full, match="3 records wait to be written, at most 3 may"):
            log.put([answered("d")])
    for future in waiting:
        future.result(30)

    assert put(log, answered("d")) == ["written"]


def test_a_log_that_another_holds_for_long_fails_the_waiting_and_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_session, "PATIENCE_S", 0.05)
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    with blocked(log), pytest.raises(Unavailable, match="another writer holds it"):
        put(log, answered("a"), answered("b"))

    assert log.answered("a") is None
    assert put(log, answered("a"), answered("b")) == ["written", "written"]


def test_a_full_disk_fails_the_waiting_whole_and_room_lets_it_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    put(log, answered("before"))
    limit = {"pages": 40}

    class Small(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            if sql == "BEGIN IMMEDIATE":
                super().execute(f"PRAGMA max_page_count = {limit['pages']}")
            return super().execute(sql, *values)

    real = sqlite3.connect
    monkeypatch.setattr(log_sqlite.sqlite3, "connect", lambda *a, **k: real(*a, factory=Small, **k))
    small = PredictionLog(tmp_path, FLIGHT_DELAYS)
    with pytest.raises(Unavailable, match="full: the disk must have room"):
        put(small, *(answered(f"r{n}") for n in range(1_000)))

    assert small.answered("r0") is None and small.answered("before") is not None
    assert put(small, answered("r0")) == ["written"]
    limit["pages"] = 100_000
    assert put(small, *(answered(f"r{n}") for n in range(1_000))) == ["repeated"] + ["written"] * 999


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "SELECT (SELECT", "INSERT INTO prediction",
                                       "INSERT INTO mirrored", "INSERT INTO began", "COMMIT"])  # fmt: skip
def test_whatever_fails_on_the_way_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    failing = {"now": True}

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            if sql.startswith(statement) and failing["now"]:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR  # type: ignore[attr-defined]
                raise error
            return super().execute(sql, *values)

    PredictionLog(tmp_path, FLIGHT_DELAYS).end()  # its tables
    real = sqlite3.connect
    monkeypatch.setattr(log_sqlite.sqlite3, "connect", lambda *a, **k: real(*a, factory=Failing, **k))
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    with pytest.raises(Unavailable, match="the disk must work"):
        put(log, answered("a"), mirrored("a"))

    failing["now"] = False
    assert log.answered("a") is None and log.since(0, 9, rollout="1-2", block=None).rows == 0
    assert put(log, answered("a"), mirrored("a")) == ["written", "written"]


def test_an_event_loop_is_told_of_many_in_few_commits(log: PredictionLog) -> None:
    async def ask(n: int) -> str:
        (outcome,) = await log.write([answered(f"r{n}")])
        return outcome.told.value

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(ask(n) for n in range(300)))

    assert asyncio.run(all_of_them()) == ["written"] * 300
    assert log.since(0, 1_000, rollout="1-2", block=None).rows == 300


def test_whoever_gives_up_waiting_disturbs_nobody(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)

    async def hurried() -> None:
        with blocked(log):
            first = asyncio.create_task(log.write([answered("a")]))
            second = asyncio.create_task(log.write([answered("b")]))
            await asyncio.sleep(0.01)
            first.cancel()
        await second

    asyncio.run(hurried())
    assert log.answered("a") is not None  # it was handed in before


def test_many_threads_and_logs_write_every_record_once(log: PredictionLog, serving: str) -> None:
    logs = [log, PredictionLog(serving, FLIGHT_DELAYS)]
    told: list[str] = []

    def write(thread: int) -> None:
        for n in range(40):  # the same ids in two threads of each log
            told.extend(put(logs[thread % 2], answered(f"{thread // 2 % 2}-{n}"), answered(f"{thread}-{n}-own")))

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    logs[1].close()

    assert (told.count("written"), told.count("repeated")) == (4 * 40 + 2 * 40, 2 * 40)
    assert log.since(0, 1_000, rollout="1-2", block=None).rows == 240


def test_closing_writes_what_waits_and_takes_nothing_more(serving: str) -> None:
    log = PredictionLog(serving, FLIGHT_DELAYS)
    future: Future[object] = log.put([answered("a")])  # type: ignore[assignment]
    log.close()

    assert future.done()
    with pytest.raises(Unavailable, match="is closed"):
        log.put([answered("b")])
    with closing(PredictionLog(serving, FLIGHT_DELAYS)) as again:
        assert again.answered("a") is not None


def test_a_log_that_is_not_there_is_not_made_when_only_asked(serving: str) -> None:
    log = PredictionLog(serving, FLIGHT_DELAYS, create=False)
    with pytest.raises(Unavailable, match="is not there: nothing was predicted yet"):
        log.answered("a")


def test_a_place_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'redis://\.\.\.', must be a folder or postgresql"):
        PredictionLog("redis://:secret@localhost/0", FLIGHT_DELAYS)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Unavailable, match="name a folder you may write"):
        put(PredictionLog(tmp_path / "file", FLIGHT_DELAYS), answered("a"))
    with pytest.raises(Unavailable, match="the server must run"):
        put(PredictionLog("postgresql+psycopg2://postgres@127.0.0.1:1/none", FLIGHT_DELAYS), answered("a"))


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "flight_delays.predictions.db"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE mine(x)")
    before = file.read_bytes()
    with pytest.raises(DamagedError, match="a database of something else"):
        put(PredictionLog(tmp_path, FLIGHT_DELAYS), answered("a"))
    assert file.read_bytes() == before

    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(DamagedError, match="no database, or damaged"):
        put(PredictionLog(tmp_path, FLIGHT_DELAYS), answered("a"))
    file.unlink()
    put(PredictionLog(tmp_path, FLIGHT_DELAYS), answered("a"))
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(DataError, match="format == 99, must be 1"):
        PredictionLog(tmp_path, FLIGHT_DELAYS).answered("a")


def test_a_file_that_was_taken_away_takes_no_more_answers(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    put(log, answered("a"), answered("b"))
    cursor = log.end()
    file_of(log).rename(tmp_path / "moved")
    with pytest.raises(Unavailable, match="was moved away or replaced"):
        put(log, answered("c"))
    with pytest.raises(Unavailable, match="was moved away or replaced"):
        log.answered("a")

    assert put(log, answered("c")) == ["written"]  # a new one
    assert len(log.since(None, 10, rollout="1-2", block=None).seen) == 1
    with pytest.raises(DamagedError, match="ends at record 1, before record 2 that was read from it"):
        log.since(cursor, 10, rollout="1-2", block=None)


def test_processes_that_open_a_new_log_at_once_all_write(serving: str) -> None:
    program = (
        "import sys\n"
        "from mlops_assets.stores.serving.predictions import PredictionLog\n"
        "from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS\n"
        "from mlops_assets_tests.stores.serving.logged import answered, put\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "log = PredictionLog(sys.argv[1], FLIGHT_DELAYS)\n"
        "print(put(log, answered(sys.argv[2]))[0])\n"
    )
    piped = {"text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = [subprocess.Popen([sys.executable, "-c", program, serving, f"r{n}"], **piped) for n in range(4)]
    for one in started:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()

    assert [one.communicate(timeout=60)[0] for one in started] == ["written\n"] * 4


def test_a_server_that_went_away_is_found_again(postgres_database: str) -> None:
    log = PredictionLog(postgres_database, FLIGHT_DELAYS)
    put(log, answered("a"))
    assert log.answered("a") is not None
    with closing(psycopg2.connect(postgres_database.replace("+psycopg2", ""))) as operator:
        operator.cursor().execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert put(log, answered("b")) == ["written"]
    assert log.answered("b") is not None
    log.close()


def test_a_replayed_log_is_written_when_the_caller_goes_on_and_by_no_thread(serving: str) -> None:
    before = threading.active_count()
    with closing(PredictionLog(serving, FLIGHT_DELAYS, replayed=True)) as log:
        future = log.put([answered("a"), labelled("a")])
        assert future.done() and log.answered("a") == answered("a")
        (repeated,) = asyncio.run(log.write([answered("a")]))
        assert repeated.told is Told.REPEATED
        assert (log.waiting, threading.active_count()) == (0, before)

    with pytest.raises(Unavailable, match="closed"):
        log.put([answered("b")])
    with closing(PredictionLog(serving, FLIGHT_DELAYS, create=False)) as other:
        assert other.label_of("a") == labelled("a")


def test_a_replayed_log_tells_what_cannot_be_written_to_whom_it_concerns(tmp_path: Path) -> None:
    with closing(PredictionLog(tmp_path / "serving", FLIGHT_DELAYS, replayed=True)) as log:
        put(log, answered("a"))
        file_of(log).rename(tmp_path / "away")
        with pytest.raises(Unavailable, match="moved away"):
            log.put([answered("b")]).result()
        with pytest.raises(DataError, match="score"):
            log.put([answered("c", score=float("nan"))])
