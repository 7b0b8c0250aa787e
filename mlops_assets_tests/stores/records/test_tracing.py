"""One question is one statement over indexes alone, whatever is asked and in which direction."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from mlops_assets.declare import DataError
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.lineage import Prediction
from mlops_assets.stores.records.tracing import question, trace
from mlops_assets_tests.stores.records.clerk import alias
from mlops_assets_tests.stores.records.models import USE_CASE, WEEKS, model, version_of

ANSWER = Prediction(
    id="0f1ac84e-0000-45f1-8aa5-a11fb6ad6b9c", use_case=USE_CASE, version=2, arm="champion",
    as_of="2013-07-01T08:00:00Z", answered_at="2013-07-01T08:00:01Z",
)  # fmt: skip
ONE, TWO = model(1), model(2, weeks=3)


@pytest.fixture
def records(records: Records) -> Records:
    """Two models, the second trained on a week more and champion; one answer of it."""
    for row in (ONE, TWO):
        records.register(row)
    alias(records, "champion", 1, 1)
    alias(records, "champion", 2, 2)
    records.lineage.add_predictions([ANSWER])
    return records


def names(records: Records, what: str) -> list[str]:
    return [found.head.name for found in trace(records.database, what)]


def statements(records: Records, what: str) -> list[tuple[str, Any]]:
    """The SQL of one question and its parameters, as the driver gets them."""
    seen: list[tuple[str, Any]] = []

    def see(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(records.database._engine, "before_cursor_execute", see)
    try:
        trace(records.database, what)
    finally:
        event.remove(records.database._engine, "before_cursor_execute", see)
    return seen


def test_a_prediction_leads_to_its_model_and_all_that_it_was_made_from(records: Records) -> None:
    (found,) = trace(records.database, ANSWER.id)

    assert found.model is not None and found.prediction == ANSWER and found.model == records.lineage.get(USE_CASE, 2)
    assert [week["partition"] for week in found.model.weeks] == list(WEEKS[:3])
    assert {file["path"] for file in found.model.files} == {
        *(f"flights/{w}.parquet" for w in WEEKS[:3]),
        "planes.parquet",
    }
    assert (found.model.commit, found.model.training_set, found.model.stage) == (
        TWO.commit,
        TWO.training_set,
        "champion",
    )


@pytest.mark.parametrize(("what", "kind", "models"), [
    (f"{USE_CASE}@1", "version", [1]),
    (f"{USE_CASE}@champion", "alias", [2]),
    (ONE.model_digest, "model_digest", [1]),
    (TWO.model_digest[:8], "model_digest", [2]),
    (ONE.data_version[:20], "training_inputs", [1]),
    (TWO.trained_model, "trained_model", [2]),
    (ONE.training_set, "training_set", [1]),
    (ONE.training_set.split("/")[1], "training_set", [1]),
    (ONE.training_set_data_version, "training_set_rows", [1]),
    (ONE.commit, "commit", [1]),
    (ONE.commit[:7], "commit", [1]),
    (ONE.dagster_run, "dagster_run", [1]),
    (TWO.mlflow_run[:12], "mlflow_run", [2]),
    (version_of(USE_CASE, "feature_table", WEEKS[0]), "feature_table", [1, 2]),
    (version_of(USE_CASE, "validated_dataset", WEEKS[1])[:8], "validated_dataset", [1, 2]),
    (version_of(USE_CASE, "raw_data", WEEKS[2]), "raw_data", [2]),
    (f"flights/{WEEKS[2]}.parquet", "file", [2]),
    ("planes.parquet", "file", [1, 2]),
    (version_of(f"flights/{WEEKS[0]}.parquet"), "file_sha256", [1, 2]),
])  # fmt: skip
def test_everything_a_model_was_made_from_leads_to_the_models(
    records: Records, what: str, kind: str, models: list[int]
) -> None:
    found = trace(records.database, what)

    assert [one.head.version for one in found] == models
    assert {one.kind for one in found} == {kind} and {one.key[: len(what)] for one in found} == {what}
    assert [(one.head.stage, one.head.share) for one in found] == [
        {1: ("archived", 0.0), 2: ("champion", 1.0)}[version] for version in models
    ]


def test_one_model_is_told_with_its_weeks_and_files_many_as_heads(records: Records) -> None:
    (alone,) = trace(records.database, f"flights/{WEEKS[2]}.parquet")
    several = trace(records.database, "planes.parquet")

    assert alone.model == records.lineage.get(USE_CASE, 2)
    assert [(one.model, one.head.model_digest) for one in several] == [
        (None, ONE.model_digest),
        (None, TWO.model_digest),
    ]


@pytest.mark.parametrize("what", [
    ANSWER.id, f"{USE_CASE}@2", f"{USE_CASE}@champion", ONE.commit[:7], "planes.parquet",
    version_of(USE_CASE, "raw_data", WEEKS[0])[:8],
])  # fmt: skip
def test_a_question_is_one_statement_over_indexes_alone(records: Records, tmp_path: Path, what: str) -> None:
    ((statement, parameters),) = statements(records, what)

    with closing(sqlite3.connect(tmp_path / "records.db")) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    looked_up = [step for step in plan if step.startswith("SEARCH")]
    scanned = {step for step in plan if step.startswith("SCAN")}
    assert len(looked_up) == 5 and all(" USING " in step for step in looked_up)
    assert scanned == {"SCAN found", "SCAN alone"}  # what was looked up, in memory


def test_the_first_question_of_a_process_is_one_statement_too(records: Records, tmp_path: Path) -> None:
    seen: list[str] = []
    with Records(tmp_path / "records.db", create=False) as opened:
        event.listen(opened.database._engine, "before_cursor_execute", lambda *met: seen.append(met[2]))
        trace(opened.database, ANSWER.id)

    assert len(seen) == 1


@pytest.mark.parametrize("what", [
    "nope", f"{USE_CASE}@9", "parking@champion", "f" * 64, ONE.commit[:6], ONE.dagster_run[:7], "flights",
    "planes.parque", "%", "'",
])  # fmt: skip
def test_what_is_unknown_is_said_with_where_was_looked(records: Records, tmp_path: Path, what: str) -> None:
    with pytest.raises(DataError) as unknown:
        trace(records.database, what)

    assert f"{what!r} is unknown: looked among" in str(unknown.value)
    assert str(tmp_path / "records.db") in str(unknown.value)


@pytest.mark.parametrize(
    "what", ["", "  ", "a\nb", "\x00", "x" * 1001, "flights@", "flights@latest", "flights@0", "a@-1"]
)
def test_what_can_mean_nothing_is_refused(what: str) -> None:
    with pytest.raises(DataError, match=r"names nothing|names no model"):
        question(what)


def test_the_beginning_of_several_hashes_is_refused_with_their_kinds(records: Records) -> None:
    records.register(model(3, commit="abcdefab" + "0" * 32))
    records.register(model(4, model_digest="abcdefab" + "1" * 56))

    with pytest.raises(DataError, match=r"beginning of 2 keys, e\.g\. abcdefab0.* \(commit\), abcdefab1.* \(model_d"):
        trace(records.database, "abcdefab")
    assert names(records, "abcdefa") == names(records, "abcdefab0") == [f"{USE_CASE}@3"]


def test_a_whole_key_comes_before_the_beginning_of_another(records: Records) -> None:
    records.register(model(3, commit="abcdefab" + "0" * 32))
    records.lineage.add_predictions([Prediction(**{**vars(ANSWER), "id": "abcdefab"})])

    (found,) = trace(records.database, "abcdefab")

    assert (found.kind, found.model) == ("prediction", records.lineage.get(USE_CASE, 2))


def test_a_prediction_of_a_model_without_lineage_is_said(records: Records) -> None:
    records.lineage.add_predictions([Prediction(**{**vars(ANSWER), "id": "lost", "version": 7})])

    with pytest.raises(DataError, match=rf"prediction 'lost' is of {USE_CASE}@7, which has no lineage: `mlops doctor`"):
        trace(records.database, "lost")


def test_a_hash_in_capitals_is_found(records: Records) -> None:
    assert names(records, TWO.model_digest.upper()) == names(records, TWO.model_digest.upper()[:8]) == [f"{USE_CASE}@2"]
    assert names(records, ONE.dagster_run.upper()) == [f"{USE_CASE}@1"]


def test_the_beginning_of_a_run_of_dagster_is_found_as_one_of_mlflow(records: Records) -> None:
    records.register(model(3, dagster_run="abcdef01-0000-45f1-8aa5-000000000003"))

    assert names(records, "abcdef01") == names(records, "abcdef01-00") == [f"{USE_CASE}@3"]
    with pytest.raises(DataError, match=r"beginning of 2 keys, e\.g\. .*\(dagster_run\)"):
        trace(records.database, ONE.dagster_run[:8])
