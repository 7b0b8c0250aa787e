"""The second use case: files as their page says, a label as a hand finds it, a model that beats persistence."""

import hashlib
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mlops_assets.conformance import battery
from mlops_assets.core.features import feature_table
from mlops_assets.core.fitting import fit
from mlops_assets.core.frames import to_frame
from mlops_assets.core.validation import Validated, validate
from mlops_assets.declare import AtRequest, Compute, DeclarationError
from mlops_assets.use_cases.parking import PARKING

DATA = Path(__file__).parents[2] / "data"
LANDED = DATA / "landing" / "parking"
WEEKS = PARKING.partitions.keys()
FILES = [LANDED / f"readings/{week}.parquet" for week in WEEKS]


@cache
def gate(week: str) -> Validated:
    landed = pq.read_table(LANDED / f"readings/{week}.parquet")
    return validate(PARKING, {"readings": landed}, week)["readings"]


def history(week: str) -> dict[str, pa.Table]:
    """The readings a week's features may look at."""
    weeks = PARKING.partitions.window(week, -PARKING.lookback_weeks, 0)
    return {"readings": pa.concat_tables([gate(key).clean for key in weeks])}


@cache
def features(week: str) -> pd.DataFrame:
    return to_frame(feature_table(PARKING, gate(week).clean, history(week)))


def local(instant: pd.Series) -> pd.Series:
    return instant.dt.tz_convert("Europe/London")


def row_of(frame: pd.DataFrame, car_park: str, asked: datetime) -> dict[str, Any]:
    (row,) = frame[(frame["SystemCodeNumber"] == car_park) & (frame["LastUpdated"] == asked)].to_dict("records")
    return row


# --- the shipped files ---------------------------------------------------------------------------------------------


def test_every_shipped_file_has_the_hash_that_is_written_down() -> None:
    lines = (LANDED / "SHA256SUMS").read_text().splitlines()
    written = {name: digest for digest, name in (line.split("  ") for line in lines)}

    assert sorted(LANDED.rglob("*.parquet")) == FILES
    assert {f.relative_to(LANDED).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in FILES} == written


def test_the_page_says_how_many_files_and_rows_there_are() -> None:
    page = (DATA / "README.md").read_text()
    ((count, rows),) = re.findall(r"^\| `landing/parking/readings\S*` \| (\d+) \| ([\d,]+) \|", page, re.MULTILINE)

    assert (int(count), int(rows.replace(",", ""))) == (12, 35_717)
    assert sum(pq.read_metadata(file).num_rows for file in FILES) == 35_717


def test_a_shipped_file_has_the_declared_columns_and_times_without_a_zone() -> None:
    for file in FILES:
        schema = pq.read_schema(file)
        assert schema.names == [column.name for column in PARKING.request_table.columns]
        assert schema.field("LastUpdated").type == pa.timestamp("us")


# --- the gate ------------------------------------------------------------------------------------------------------


def test_every_week_passes_and_loses_nothing() -> None:
    refused: Counter[str] = Counter()
    for week, file in zip(WEEKS, FILES, strict=True):
        verdict = gate(week)
        refused.update(verdict.by_rule)
        assert verdict.passed, (week, verdict.rules)
        assert verdict.clean.num_rows + verdict.quarantined.num_rows == pq.read_metadata(file).num_rows

    assert refused == {"is an exact repeat of an earlier row": 216, "Occupancy must be >= 0 car": 12}


def test_the_week_in_which_the_clocks_go_back_has_most_repeats() -> None:
    verdict = gate("2016-10-24")

    assert dict(verdict.by_rule) == {"is an exact repeat of an earlier row": 90, "Occupancy must be >= 0 car": 6}
    assert (verdict.clean.num_rows, verdict.quarantined.num_rows) == (3_432, 96)


def test_readings_above_capacity_are_kept() -> None:
    clean = pa.concat_tables([gate(week).clean for week in WEEKS])
    above = clean.filter(pc.greater(clean["Occupancy"], clean["Capacity"]))

    assert len(pc.unique(above["SystemCodeNumber"])) == 8
    assert (above.num_rows, pc.max(above["ratio"]).as_py()) == (373, 1.0413)


def test_weeks_with_missing_days_are_too_short_to_be_judged_for_drift() -> None:
    short = [week for week in WEEKS if gate(week).completeness < PARKING.drift.min_completeness]

    assert short == ["2016-10-17", "2016-11-28", "2016-12-19"]


def test_eight_oclock_is_eight_oclock_before_and_after_the_clocks_went_back() -> None:
    frame = features("2016-10-24")
    saturday = row_of(frame, "Broad Street", datetime(2016, 10, 29, 6, 59, 48, tzinfo=UTC))
    sunday = row_of(frame, "Broad Street", datetime(2016, 10, 30, 7, 59, 55, tzinfo=UTC))

    assert [(row["minute"], row["weekday"]) for row in (saturday, sunday)] == [(479, 5), (479, 6)]


# --- the label and the features of one day: Broad Street, 690 spaces, 3 November -----------------------------------


def asked(hour: int, minute: int, second: int) -> dict[str, Any]:
    return row_of(features("2016-10-31"), "Broad Street", datetime(2016, 11, 3, hour, minute, second, tzinfo=UTC))


def test_the_label_is_the_next_reading_but_one() -> None:
    row = asked(9, 0, 22)

    assert row["ratio_in_1h"] == round(577 / 690, 4) == 0.8362  # the 577 cars of 10:00:22, not the 508 of 09:26:22
    assert row["label_known_at"] == pd.Timestamp("2016-11-03T10:00:22Z")


def test_a_reading_without_one_an_hour_later_has_no_label() -> None:
    """That of 16:00 is missing: 15:33:28 comes 33 minutes later, 16:30:27 comes 90. And 16:30:27 is the day's last."""
    for row in (asked(15, 0, 23), asked(16, 30, 27)):
        assert np.isnan(row["ratio_in_1h"])
        assert pd.isna(row["label_known_at"])
    assert asked(15, 33, 28)["ratio_in_1h"] == round(500 / 690, 4)


def test_a_feature_knows_the_reading_asked_at_and_none_after_it() -> None:
    row = asked(9, 0, 22)

    assert row["ratio_now"] == round(450 / 690, 4) == 0.6522
    assert row["ratio_1h"] == pytest.approx((0.4246 + 0.6522) / 2)  # 08:00:22 is an hour old to the second: out
    assert row["ratio_2h"] == pytest.approx((0.3116 + 0.4246 + 0.6522) / 3)  # it landed twice and counts once


def test_labels_come_50_to_75_minutes_later_and_on_the_same_day() -> None:
    frame = pd.concat([features(week) for week in WEEKS])
    labelled = frame[frame["ratio_in_1h"].notna()]
    ahead = labelled["label_known_at"] - labelled["LastUpdated"]

    assert (ahead.min(), ahead.max()) >= (pd.Timedelta("50min"), pd.Timedelta("60min"))
    assert ahead.max() < pd.Timedelta("75min")
    assert (local(labelled["label_known_at"]).dt.date == local(labelled["LastUpdated"]).dt.date).all()
    assert len(labelled) / len(frame) == pytest.approx(0.879, abs=0.001)


@pytest.mark.parametrize("column", ["ratio_in_1h", "in_1h_at"])
def test_no_feature_may_read_the_later_reading(column: str) -> None:
    kind = PARKING.request_table.kinds[column]
    leak = AtRequest(name="leak", fn=lambda value: value, reads=(column,), kind=kind)

    with pytest.raises(DeclarationError, match="after the question is asked at 'LastUpdated': that is a leak"):
        replace(PARKING, features=(leak,))


@pytest.mark.parametrize("week", ["2016-10-31", "2016-12-19"])
def test_the_features_keep_every_law(week: str) -> None:
    """A week whose look-back holds the end of summer time, and the last one, a single day."""
    proofs = battery(PARKING, gate(week).clean, history(week), sample=25)

    assert len(proofs) >= 5
    assert all(proof.compared > 200 for proof in proofs)


ROW_FUNCTIONS = {
    **{f.name: (f.fn, f.reads) for f in PARKING.features if isinstance(f, AtRequest)},
    **{d.name: (d.rule.fn, d.rule.reads) for d in PARKING.request_table.derived if isinstance(d.rule, Compute)},
}


@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_a_row_function_sees_one_row_at_a_time(name: str) -> None:
    fn, reads = ROW_FUNCTIONS[name]
    rows = gate("2016-10-24").clean.take(pa.array([0, 900, 2000, 3431]))
    columns = [rows[column].combine_chunks() for column in reads]

    whole = fn(*columns).to_pylist()

    assert [fn(*(column.slice(row, 1) for column in columns)).to_pylist() for row in range(4)] == [[v] for v in whole]
    assert fn(*(column.slice(0, 0) for column in columns)).to_pylist() == []


# --- the model -----------------------------------------------------------------------------------------------------


def test_the_first_model_halves_the_error_of_persistence_two_weeks_later() -> None:
    model = fit(PARKING, {week: features(week) for week in WEEKS[: PARKING.model.min_weeks]})
    later = features("2016-11-07")
    truth = later["ratio_in_1h"]
    error = (pd.Series(model.scores(later)) - truth).abs().mean()
    persistence = (later["ratio_now"] - truth).abs().mean()

    assert model.partition == "2016-10-24"
    assert model.metrics["mae"] < 0.2 * model.baseline_metrics["mae"]
    assert persistence == pytest.approx(0.0644, abs=0.0001)
    assert error < 0.5 * persistence
