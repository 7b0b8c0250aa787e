"""Whoever reads the log is told the same sequence, each record once, whatever came first and however it is read."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.online.ordered import instant_us
from mlops_assets.core.rollout.words import Arm, Pair, Seen
from mlops_assets.declare.promotion import Promotion
from mlops_assets.stores.serving.log_sequence import STATEMENTS, block_of
from mlops_assets.stores.serving.predictions import Answered, Batch, Failed, Labelled, Mirrored, PredictionLog, Record
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.stores.serving.logged import AS_OF_US, DAY, ROLLOUT, answered, labelled, mirrored, put

CHAMPION, CHALLENGER = Arm.CHAMPION, Arm.CHALLENGER
GOOD: frozenset[str] = frozenset()


@pytest.fixture
def log(serving: str) -> Iterator[PredictionLog]:
    """An empty log."""
    with closing(PredictionLog(serving, FLIGHT_DELAYS)) as log:
        yield log


def read(log: PredictionLog, cursor: int | None = 0, limit: int = 1_000, **asked: Any) -> Batch:
    return log.since(cursor, limit, **({"rollout": ROLLOUT, "block": DAY} | asked))


def seen(arm: Arm, *bad: str, mirrored: bool = False, assigned: Arm = CHAMPION) -> Seen:
    return Seen(3, 0.05, assigned, arm, mirrored, frozenset(bad))


def test_every_call_is_seen_once_in_its_arm(log: PredictionLog) -> None:
    put(log, answered("a", bad="slow"))
    put(log, answered("b", version=2, assigned="challenger", bad="slow,invalid"))
    put(log, answered("c", assigned="challenger", status="fallback", challenger_bad="error,slow"))
    put(log, mirrored("a", bad="error", score=None))

    assert read(log).seen == [
        seen(CHAMPION, "slow"),
        seen(CHALLENGER, "slow", "invalid", assigned=CHALLENGER),
        seen(CHALLENGER, "error", "slow", assigned=CHALLENGER),
        seen(CHAMPION, assigned=CHALLENGER),
        seen(CHALLENGER, "error", mirrored=True),
    ]
    assert read(log).exposed == log.exposed(ROLLOUT) == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_a_pair_is_told_where_the_last_of_its_three_came(log: PredictionLog, order: tuple[int, ...]) -> None:
    records = [answered("a"), mirrored("a"), labelled("a")]
    cursor, told = 0, []
    for place in order:
        put(log, records[place])
        batch = read(log, cursor)
        told.append((len(batch.seen), batch.pairs))
        cursor = batch.cursor

    pair = Pair(epoch=3, block="2013-07-03", label=1.0, champion=0.25, challenger=0.5)
    assert [pairs for _, pairs in told] == [[], [], [pair]]
    assert sum(number for number, _ in told) == 2


def test_the_answer_of_the_challenger_pairs_with_the_mirrored_champion(log: PredictionLog) -> None:
    put(log, answered("a", version=2), mirrored("a", version=1, arm="champion"), labelled("a"))

    assert read(log).pairs == [Pair(3, "2013-07-03", 1.0, champion=0.5, challenger=0.25)]
    assert read(log).seen == [seen(CHALLENGER), seen(CHAMPION, mirrored=True)]


@pytest.mark.parametrize(
    "other",
    [
        [mirrored("a", score=None, bad="invalid")],
        [mirrored("a", version=1, arm="champion")],
        [mirrored("a", version=7)],
        [],
    ],
)
def test_without_the_other_models_answer_there_is_no_pair(log: PredictionLog, other: list[Mirrored]) -> None:
    put(log, answered("a"), *other, labelled("a"))
    put(log, answered("b", score=None, status="error", bad="error"), mirrored("b"), labelled("b"))

    assert read(log).pairs == []


@pytest.mark.parametrize(
    ("as_of", "block", "told"),
    [
        # 2013-07-08 is a Monday; New York is 4 h behind UTC then
        ("2013-07-08T03:59:59.999999+00:00", 1, "2013-07-07"),
        ("2013-07-08T04:00:00+00:00", 1, "2013-07-08"),
        ("2013-07-13T12:00:00+00:00", 7, "2013-07-08"),
        ("2013-07-08T03:00:00+00:00", 7, "2013-07-01"),
        ("1969-12-31T12:00:00+00:00", 1, "1969-12-31"),
        ("2013-11-03T05:30:00+00:00", None, "2013-11-03"),
        ("2013-11-03T04:30:00+00:00", None, "2013-11-03"),
        ("2013-11-04T04:59:00+00:00", None, "2013-11-03"),
    ],
)
def test_a_block_is_of_calendar_days_where_the_use_case_lives(
    tmp_path: Path, as_of: str, block: int | None, told: str
) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    put(log, answered("a", as_of_us=instant_us(datetime.fromisoformat(as_of))), mirrored("a"), labelled("a"))

    (pair,) = read(log, block=None if block is None else timedelta(days=block)).pairs
    assert pair.block == told


@given(st.datetimes(datetime(1800, 1, 2), datetime(2200, 1, 1)), st.integers(1, 40))
def test_blocks_are_those_the_gate_judges_by(moment: datetime, days: int) -> None:
    zone = ZoneInfo(FLIGHT_DELAYS.partitions.timezone)
    promotion = Promotion(metric="log_loss", margin=0, block=timedelta(days=days))
    as_of = moment.replace(tzinfo=UTC)

    told = promotion.block_of(as_of.astimezone(zone).date()).isoformat()
    assert block_of(instant_us(as_of), promotion.block, zone) == told


def test_a_rollout_is_read_from_its_first_record_on_and_without_others(log: PredictionLog) -> None:
    put(log, *(answered(f"old{n}", rollout="0-1") for n in range(5)))
    assert read(log, None).rows == 0  # it has not begun
    put(log, answered("none", rollout="", challenger=None), answered("a"), answered("b", rollout="2-3"))
    put(log, mirrored("old1"), mirrored("a"), labelled("old1"), labelled("none"))

    ours = read(log, None)
    assert ours.seen == [seen(CHAMPION), seen(CHALLENGER, mirrored=True)] and ours.pairs == []
    assert read(log, 0).seen == ours.seen and read(log, 0).rows == 12
    assert len(read(log, 0, rollout="0-1").pairs) == 1
    assert read(log, None, rollout="unheard of") == Batch([], [], log.end(), 0, 0)


# --- the same sequence, however it is read -------------------------------------------------------------------------

IDS = st.integers(0, 5).map(lambda n: f"r{n}")
SCORE = st.sampled_from([None, 0.25, 0.5])
RATES = st.sampled_from(["", "error", "slow,invalid"])
RECORD = st.one_of(
    st.builds(
        lambda id, version, score, rollout, bad, first: answered(
            id, version=version, score=score, rollout=rollout, bad=bad, challenger_bad=first if version == 1 else ""
        ),
        IDS,
        st.sampled_from([1, 2]),
        SCORE,
        st.sampled_from([ROLLOUT, ROLLOUT, "other"]),
        RATES,
        RATES,
    ),
    st.builds(
        lambda id, version, score, bad: mirrored(
            id, version=version, arm="champion" if version == 1 else "challenger", score=score, bad=bad
        ),
        IDS,
        st.sampled_from([1, 2]),
        SCORE,
        RATES,
    ),
    st.builds(lambda id, label: labelled(id, label), IDS, st.sampled_from([0.0, 1.0])),
    st.builds(lambda: Failed(request="x", status_code=400, reason="", at_us=0)),
)


def naive(groups: list[list[Record]]) -> tuple[list[Seen], list[Pair], int]:
    """What a log with these commits says: record by record, the first of each kind and id stands."""
    there: dict[tuple[type, str], Any] = {}
    found_seen: list[Seen] = []
    found_pairs: list[Pair] = []
    exposed = 0
    kinds = (Answered, Mirrored, Labelled)
    for group in groups:
        for record in sorted((r for r in group if not isinstance(r, Failed)), key=lambda r: kinds.index(type(r))):
            if (type(record), record.id) in there:
                continue
            there[type(record), record.id] = record
            answer, other, label = (there.get((kind, record.id)) for kind in kinds)
            if answer is None or answer.rollout != ROLLOUT:
                continue
            if isinstance(record, Answered):
                if answer.challenger_bad:
                    found_seen.append(seen(CHALLENGER, *answer.challenger_bad.split(",")))
                arm = CHALLENGER if answer.version == 2 else CHAMPION
                found_seen.append(seen(arm, *filter(None, answer.bad.split(","))))
                exposed += arm is CHALLENGER and answer.score is not None
            if other is not None and not isinstance(record, Labelled):
                found_seen.append(seen(Arm(other.arm), *filter(None, other.bad.split(",")), mirrored=True))
            if other is not None and label is not None and other.version != answer.version:
                scores = {answer.version: answer.score, other.version: other.score}
                if None not in scores.values():
                    found_pairs.append(Pair(3, "2013-07-03", label.label, scores[1], scores[2]))
    return found_seen, found_pairs, exposed


@settings(max_examples=60)
@given(groups=st.lists(st.lists(RECORD, min_size=1, max_size=6), max_size=8), limit=st.integers(1, 7))
def test_reading_in_chunks_of_any_size_tells_what_a_naive_reader_tells(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Record]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    with closing(PredictionLog(folder, FLIGHT_DELAYS)) as log, closing(PredictionLog(folder, FLIGHT_DELAYS)) as other:
        cursor, met_seen, met_pairs, exposed = 0, [], [], 0
        for number in range(3 * len(groups) + 60):
            if number < len(groups):
                put(log, *groups[number])
            batch = read(other, cursor, limit)
            met_seen += batch.seen
            met_pairs += batch.pairs
            exposed += batch.exposed
            cursor = batch.cursor

        whole = read(log)
        assert (whole.seen, whole.pairs, whole.exposed) == (met_seen, met_pairs, exposed) == naive(groups)
        assert read(log, None)[:2] == (whole.seen, whole.pairs)
        assert read(log, cursor) == Batch([], [], cursor, 0, 0)


def test_a_reader_beside_many_writers_misses_no_record(serving: str) -> None:
    """Each writer commits by itself, some slowly: no number becomes visible below one that was read already."""
    writers = [PredictionLog(serving, FLIGHT_DELAYS) for _ in range(3)]
    done = threading.Event()

    def write(number: int) -> None:
        for n in range(60):
            put(writers[number], *(answered(f"{number}-{n}-{row}") for row in range(1 + n % 3)))

    threads = [threading.Thread(target=write, args=[number]) for number in range(3)]
    met: list[Seen] = []

    def follow() -> None:
        cursor = 0
        with closing(PredictionLog(serving, FLIGHT_DELAYS)) as log:
            while True:
                last = done.is_set()
                batch = read(log, cursor, 50)
                met.extend(batch.seen)
                cursor = batch.cursor
                if last and batch.rows == 0:
                    return

    follower = threading.Thread(target=follow)
    for thread in (*threads, follower):
        thread.start()
    for thread in threads:
        thread.join(60)
    done.set()
    follower.join(60)
    for log in writers:
        log.close()

    assert len(met) == 3 * sum(1 + n % 3 for n in range(60))


def test_on_a_server_a_transaction_that_is_slow_to_commit_holds_the_later_ones_back(postgres_database: str) -> None:
    with closing(PredictionLog(postgres_database, FLIGHT_DELAYS)) as log:
        put(log, answered("a"))
        slow = log.place.session()
        slow.begin(alone=True)
        (numbers,) = slow.rows("SELECT max(n) FROM prediction")
        later = log.put([answered("later")])
        assert read(log).rows == 1
        copy = "INSERT INTO prediction SELECT n + 1, 'slow' AS id, " + ", ".join(_columns(postgres_database)[2:])
        slow.change(f"{copy} FROM prediction WHERE n = {numbers[0]}")
        assert not later.done() and read(log).rows == 1
        slow.commit()
        later.result(30)

        assert read(log).rows == 3
        slow.close()


def _columns(url: str) -> list[str]:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as db:
        cursor = db.cursor()
        cursor.execute("SELECT * FROM predictions_flight_delays.prediction LIMIT 0")
        return [column.name for column in cursor.description]


def test_every_question_of_a_follower_is_answered_by_indexes(tmp_path: Path) -> None:
    with closing(PredictionLog(tmp_path, FLIGHT_DELAYS)) as log:
        put(log, answered("a"))
        session = log.place.session()
        for statement in STATEMENTS:
            plan = [row[3] for row in session.rows(f"EXPLAIN QUERY PLAN {statement}", [0, 10])]
            assert plan[0].startswith("SEARCH") and "rowid>?" in plan[0]
            assert len(plan) == 3 and all("(id=?" in line for line in plan[1:])
        session.close()


# --- single answers, the last calls --------------------------------------------------------------------------------


def test_a_request_of_many_rows_is_found_with_all_of_them(log: PredictionLog) -> None:
    rows = [answered(f"q:{n}", request="q", row=n, score=n / 100) for n in range(12)]
    put(log, *reversed(rows), answered("q2"), answered("p"), answered("q:x"))

    assert log.of_request("q") == rows
    assert log.of_request("q2") == [answered("q2")] and log.of_request("none") == []
    assert log.answered("q:11") == rows[11] and log.answered("q") is None


def test_the_last_calls_are_told_by_arm(log: PredictionLog) -> None:
    put(log, *(answered(f"r{n}", latency_us=n, answered_us=1_000 + n) for n in range(100)))
    put(log, answered("slow", version=2, latency_us=9_000, bad="slow", answered_us=5_000))
    put(log, answered("fell back", challenger_bad="error", answered_us=6_000), answered("old", answered_us=10))
    put(log, mirrored("r1", latency_us=7, bad="slow,error", at_us=7_000), mirrored("r2", at_us=999))

    challenger, shadow, champion = log.recent(1_000)
    assert challenger == ("challenger", 2, False, 2, {"error": 1, "slow": 1}, 9_000, 9_000, 6_000)
    assert shadow == ("challenger", 2, True, 1, {"error": 1, "slow": 1}, 7, 7, 7_000)
    assert champion[:5] == ("champion", 1, False, 101, {}) and (champion.p50_us, champion.last_us) == (50, 6_000)
    assert log.recent(8_000) == []


def test_a_reader_of_a_place_that_comes_back_goes_on(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, FLIGHT_DELAYS)
    put(log, answered("a"))
    assert log.label_of("a") is None and log.end() == 1
    log.close()

    assert log.answered("a") == answered("a")
    assert answered("a").as_of_us == AS_OF_US
