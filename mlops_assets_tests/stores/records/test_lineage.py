"""A row for each model version: once, found by everything it was made from, in the stage the ledger decided."""

import re
from dataclasses import replace

import pytest
from sqlalchemy import select

from mlops_assets.declare import DamagedError, DataError
from mlops_assets.stores import registry
from mlops_assets.stores.records import Records, model_version
from mlops_assets.stores.records.lineage import Prediction
from mlops_assets.stores.records.tables import LINEAGE_KEY
from mlops_assets.stores.records.tracing import trace
from mlops_assets.stores.transactions import driver
from mlops_assets_tests.stores.records.clerk import alias
from mlops_assets_tests.stores.records.models import USE_CASE, WEEKS, model


def stages(records: Records) -> dict[int, tuple[str, float]]:
    return {head.version: (head.stage, head.share) for head in records.lineage.heads()}


def test_a_row_read_back_is_the_row_that_was_written(records: Records) -> None:
    row = model(1, other_inputs=({"asset": "a/b", "partition": "c", "data_version": "d"},))

    assert records.register(row) and records.lineage.get(USE_CASE, 1) == row
    assert records.lineage.get(USE_CASE, 2) is None


def test_the_same_version_again_changes_nothing(records: Records) -> None:
    records.register(model(1))

    assert not records.register(model(1, registered_at="2014-01-01T00:00:00.000000+00:00", sentence="other"))
    assert records.lineage.get(USE_CASE, 1) == model(1)


@pytest.mark.parametrize("change", [{"model_digest": "0" * 64}, {"data_version": "0" * 64}])
def test_a_number_names_one_model(records: Records, change: dict[str, str]) -> None:
    records.register(model(1))

    with pytest.raises(DataError, match="a number names one model"):
        records.register(model(1, **change))


def test_a_row_is_found_by_everything_it_was_made_from(records: Records) -> None:
    row = model(1, weeks=1, other_inputs=({"asset": "a/trial", "partition": "c", "data_version": "d" * 64},))
    records.register(row)

    with records.database.reading() as connection:
        found = dict(connection.execute(select(LINEAGE_KEY.c.key, LINEAGE_KEY.c.kind)).tuples().all())
    (week,) = row.weeks
    assert found == {
        row.model_digest: "model_digest", row.trained_model: "trained_model", row.data_version: "training_inputs",
        row.training_set: "training_set", row.training_set.split("/")[1]: "training_set",
        row.training_set_data_version: "training_set_rows", row.commit: "commit", row.dagster_run: "dagster_run",
        row.mlflow_run: "mlflow_run", "d" * 64: "trial",
        **{week[kind]: kind for kind in ("feature_table", "validated_dataset", "raw_data")},
        **{file["path"]: "file" for file in row.files}, **{file["sha256"]: "file_sha256" for file in row.files},
    }  # fmt: skip


def test_nothing_is_found_by_what_is_not_known(records: Records) -> None:
    row = replace(model(1), commit="unknown", mlflow_run="")

    assert not {"", "unknown"} & set(row.keys())


def test_stage_and_share_follow_the_aliases(records: Records) -> None:
    for version in (1, 2, 3):
        records.register(model(version))

    alias(records, "champion", 1, 1)
    alias(records, "challenger", 2, 2)
    assert stages(records) == {1: ("champion", 1.0), 2: ("challenger", 0.0), 3: ("registered", 0.0)}
    alias(records, "champion", 2, 3)
    alias(records, "challenger", None, 3)
    assert stages(records) == {1: ("archived", 0.0), 2: ("champion", 1.0), 3: ("registered", 0.0)}
    alias(records, "challenger", 3, 4)
    alias(records, "challenger", 1, 5)
    assert stages(records) == {1: ("challenger", 0.0), 2: ("champion", 1.0), 3: ("registered", 0.0)}
    alias(records, "champion", None, 6)
    assert stages(records)[2] == ("archived", 0.0)


def test_an_old_decision_told_again_moves_no_stage(records: Records) -> None:
    records.register(model(1))
    records.register(model(2))
    for version in (1, 2):
        alias(records, "champion", version, version)

    alias(records, "champion", 1, 1)

    assert stages(records) == {1: ("archived", 0.0), 2: ("champion", 1.0)}


@pytest.mark.parametrize("last", [1, 2])
def test_a_row_that_comes_late_has_the_stage_that_was_decided(records: Records, last: int) -> None:
    for day, version in enumerate((1, 2), 1):
        alias(records, "champion", version, day)
    for version in (3 - last, last):
        records.register(model(version))

    assert stages(records) == {1: ("archived", 0.0), 2: ("champion", 1.0)}


def test_the_registry_and_the_records_have_the_same_aliases() -> None:
    assert model_version.ALIASES == registry.ALIASES and set(registry.ALIASES) <= set(model_version.STAGES)


def test_another_use_case_keeps_its_own_stages(records: Records) -> None:
    records.register(model(1))
    records.register(model(1, use_case="parking"))

    alias(records, "champion", 1, 1)

    assert [(head.use_case, head.stage) for head in records.lineage.heads()] == [
        (USE_CASE, "champion"), ("parking", "registered"),
    ]  # fmt: skip


@pytest.mark.parametrize("change", [{"version": 0}, {"stage": "live"}, {"share": 1.5}, {"use_case": "../x"}])
def test_a_row_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DataError):
        replace(model(1), **change)


def test_predictions_are_written_once_all_or_none(records: Records) -> None:
    one, two = (Prediction(id=n, use_case=USE_CASE, version=1, arm="champion", as_of=WEEKS[0], answered_at=WEEKS[0])
                for n in ("one", "two"))  # fmt: skip
    records.lineage.add_predictions([one])

    with pytest.raises(DataError, match="what is recorded once stands"):
        records.lineage.add_predictions([two, one])
    records.lineage.add_predictions([two])
    records.lineage.add_predictions([])


def sql(records: Records, *statements: str) -> None:
    with records.database.writing() as connection:
        for statement in statements:
            driver(connection).execute(statement)


@pytest.mark.parametrize("change", [
    "weeks = '[]', \"commit\" = 'deadbeef'", "weeks = 'nope'",
    "files = '{\"a\":1}', metrics = '[]'", "verdict = 'FAIL'",
    "trained_model = '00'", "partition = '2013-02-11'", "seed = 'x'", "seal = ''", "contents = ''", "metrics = x'00ff'",
    "mlflow_url = 'http://elsewhere'", "libraries = '{}'", "other_inputs = '[1]'",
])  # fmt: skip
def test_a_changed_row_is_refused_wherever_it_is_read(records: Records, change: str) -> None:
    records.register(model(1))
    records.register(model(2))
    sql(records, f"UPDATE model_version SET {change} WHERE version = 1")  # noqa: S608  words of ours

    assert records.lineage.damaged() == {(USE_CASE, 1): "is not what was written: a field of it was changed"}
    with pytest.raises(DamagedError, match=rf"the lineage of {USE_CASE}@1 is not .*`mlops doctor --repair` writes"):
        records.lineage.get(USE_CASE, 1)
    with pytest.raises(DamagedError, match=f"{USE_CASE}@1"):
        records.register(model(1))
    with pytest.raises(DamagedError, match=f"{USE_CASE}@1"):
        trace(records.database, f"{USE_CASE}@1")
    records.rewrite(model(1))
    assert records.lineage.damaged() == {} and records.lineage.get(USE_CASE, 1) == model(1)


@pytest.mark.parametrize("change", ["verdict = 'FAIL'", "\"commit\" = 'deadbeef'", "contents = ''"])
def test_a_changed_row_is_refused_among_many_too(records: Records, change: str) -> None:
    records.register(model(1))
    records.register(model(2))
    sql(records, f"UPDATE model_version SET {change} WHERE version = 2")  # noqa: S608  words of ours

    with pytest.raises(DamagedError, match=f"{USE_CASE}@2"):
        trace(records.database, "planes.parquet")


def test_stage_and_share_follow_the_ledger_and_are_not_sealed(records: Records) -> None:
    records.register(model(1))
    sql(records, "UPDATE model_version SET stage = 'archived'")
    assert records.lineage.damaged() == {}

    sql(records, "UPDATE model_version SET stage = 'live', share = 'all'")
    with pytest.raises(DamagedError, match="stage 'live' and share 'all', which cannot be"):
        trace(records.database, f"{USE_CASE}@1")
    records.restage(USE_CASE)
    assert records.lineage.get(USE_CASE, 1) == model(1)


@pytest.mark.parametrize(("change", "said"), [
    ("DELETE FROM lineage_key WHERE version = 1", "is not found by \\d\\d of the keys it has"),
    ("DELETE FROM lineage_key WHERE version = 1 AND kind = 'file_sha256'", "is not found by 3 of the keys it has"),
    ("INSERT INTO lineage_key VALUES ('x.parquet', 'flight_delays', 1, 'file')", "is found by 1 it does not have"),
    ("UPDATE lineage_key SET kind = 'file' WHERE version = 1 AND kind = 'commit'", "is not found by 1 .* and is found"),
])  # fmt: skip
def test_what_a_row_is_found_by_is_compared_with_the_row(records: Records, change: str, said: str) -> None:
    records.register(model(1))
    records.register(model(2))
    sql(records, change)

    ((which, wrong),) = records.lineage.damaged().items()
    assert which == (USE_CASE, 1) and re.match(said, wrong)
    records.rewrite(model(1))
    assert records.lineage.damaged() == {}


def test_a_key_that_leads_to_a_model_that_does_not_have_it_is_refused(records: Records) -> None:
    records.register(model(1))
    sql(records, f"INSERT INTO lineage_key VALUES ('x.parquet', '{USE_CASE}', 1, 'file')")  # noqa: S608  words of ours

    with pytest.raises(DamagedError, match=f"{USE_CASE}@1 is found by file 'x.parquet', which it was not made from"):
        trace(records.database, "x.parquet")


def test_keys_that_lost_their_row_do_not_stand_in_its_way(records: Records) -> None:
    records.register(model(1))
    sql(records, "DELETE FROM model_version", f"INSERT INTO lineage_key VALUES ('old', '{USE_CASE}', 1, 'file')")  # noqa: S608  words of ours

    assert records.lineage.damaged() == {(USE_CASE, 1): "is gone, what it was found by is still there"}
    assert records.register(model(1)) and records.lineage.damaged() == {}
