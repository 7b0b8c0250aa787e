"""`mlops trace`: a page for people, a document for programs, and an exit code that tells unknown from malformed."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.cli.recorded import ANSWER
from mlops_assets_tests.stores.records.models import USE_CASE, WEEKS, model, version_of
from mlops_assets_tests.stores.serving.logged import answered, labelled, put


def test_a_prediction_leads_to_the_data_of_its_model(project: Path, mlops: Mlops) -> None:
    answer = mlops("trace", ANSWER)

    assert answer.code == 0 and answer.err == ""
    for told in (
        f"prediction    {ANSWER}, as of 2013-07-03T08:00:00Z",
        f"model         {USE_CASE}@1, champion with 100% of live traffic, registered 2013-07-01T09:00:00Z",
        f"training set  {model(1).training_set}, 2 weeks {WEEKS[0]} .. {WEEKS[1]}",
        f"commit        {model(1).commit}\n",
        f"dagster run   {model(1).dagster_run}",
        f"flights/{WEEKS[1]}.parquet  {version_of(f'flights/{WEEKS[1]}.parquet', '')[:12]}",
    ):
        assert told in answer.out
    assert WEEKS[2] not in answer.out


def test_a_file_leads_to_the_models_that_saw_it(project: Path, mlops: Mlops) -> None:
    answer = mlops("trace", f"flights/{WEEKS[0]}.parquet")

    assert answer.code == 0
    assert f"seen by       2 models, {USE_CASE}@1 of them live" in answer.out
    (one,) = [line.split() for line in answer.out.splitlines() if line.startswith(f"{USE_CASE}@2")]
    assert one == [f"{USE_CASE}@2", WEEKS[2], "challenger", "0%", "PASS", "2013-07-01T09:00:00Z"]


def test_a_program_gets_the_same_as_json(project: Path, mlops: Mlops) -> None:
    one = mlops("trace", f"{USE_CASE}@champion", "--json").json
    many = mlops("trace", "planes.parquet", "--json").json

    (found,) = one["found"]
    assert (one["asked"], found["kind"], found["model"]["version"]) == (f"{USE_CASE}@champion", "alias", 1)
    assert [week["partition"] for week in found["model"]["weeks"]] == list(WEEKS[:2])
    assert len(found["model"]["files"]) == 4 and found["model"]["metrics"] == {"validation_log_loss": 0.5}
    assert [each["model"]["version"] for each in many["found"]] == [1, 2]


def test_a_file_of_this_machine_is_looked_up_by_its_bytes(project: Path, mlops: Mlops) -> None:
    file = project / "copy.parquet"
    file.write_bytes(b"")

    answer = mlops("trace", str(file))

    assert answer.code == 1
    assert f"no model saw {file} with its present bytes: 'e3b0c44298fc1c149afbf4c8996fb924" in answer.said


def test_an_answer_of_a_gateway_is_found_as_soon_as_it_was_given(project: Path, mlops: Mlops) -> None:
    # an id that a caller chose: it looks like the beginning of a hash
    with closing(PredictionLog(project / "serving", FLIGHT_DELAYS)) as log:
        put(log, answered("12345678", version=2), labelled("12345678"))
        page = mlops("trace", "12345678")
        (found,) = mlops("trace", "12345678", "--json").json["found"]

    assert page.code == 0 and page.err == ""
    for told in (
        "prediction    12345678, as of 2013-07-03T08:00:00Z, answered 2013-07-03T08:00:00.000900Z by the challenger\n",
        "said          0.25 (ok), in CANARY with 5% for the challenger; the label is 1\n",
        f"model         {USE_CASE}@2, challenger",
        f"training set  {model(2).training_set}, 3 weeks {WEEKS[0]} .. {WEEKS[2]}",
    ):
        assert told in page.out
    assert (found["kind"], found["key"], found["model"]["version"]) == ("prediction", "12345678", 2)
    assert found["prediction"]["score"] == 0.25 and found["prediction"]["label"] == 1.0


@pytest.mark.parametrize("id", ["user@host", f"{USE_CASE}@newest", "x" * 128])
def test_whatever_a_caller_called_a_request_is_found(project: Path, mlops: Mlops, id: str) -> None:
    with closing(PredictionLog(project / "serving", FLIGHT_DELAYS)) as log:
        put(log, answered(id), answered(f"{USE_CASE}@2"))

    assert f"prediction    {id}, as of" in mlops("trace", id).out
    assert "prediction" not in mlops("trace", f"{USE_CASE}@2").out  # but a model keeps its name


def test_an_answer_of_the_baseline_leads_to_the_training_that_declared_it(project: Path, mlops: Mlops) -> None:
    with closing(Rollouts(project / "serving", USE_CASE)) as rollouts:
        opened = {"baseline_of": 1, "who": "registry_entry", "why": "registered", "at_us": 1}
        rollouts.open(1, FLIGHT_DELAYS.rollout, FLIGHT_DELAYS.label.task, **opened)
    with closing(PredictionLog(project / "serving", FLIGHT_DELAYS)) as log:
        put(log, answered("a", version=0, champion=0, challenger=1, stage="SHADOW", share=0.0))

    answer = mlops("trace", "a")
    assert f"model         {USE_CASE}@1, champion" in answer.out
    assert "by the baseline that was trained beside the model\n" in answer.out


def test_of_a_request_of_several_rows_one_is_asked_for(project: Path, mlops: Mlops) -> None:
    with closing(PredictionLog(project / "serving", FLIGHT_DELAYS)) as log:
        put(log, *(answered(f"q:{row}", request="q", row=row) for row in range(3)))

    answer = mlops("trace", "q")
    assert answer.code == 1 and "'q' is a request of 3 rows" in answer.said and "'q:0' .. 'q:2'" in answer.said
    assert mlops("trace", "q:2").code == 0


def test_an_answer_of_a_version_without_lineage_is_said(project: Path, mlops: Mlops) -> None:
    with closing(PredictionLog(project / "serving", FLIGHT_DELAYS)) as log:
        put(log, answered("a", version=9))

    assert f"prediction 'a' is of {USE_CASE}@9, which has no lineage" in mlops("trace", "a").said


def test_what_is_unknown_is_exit_code_1_with_what_was_looked_for_and_where(project: Path, mlops: Mlops) -> None:
    answer = mlops("trace", "ffffffff")

    assert (answer.code, answer.out) == (1, "")
    assert "'ffffffff' is unknown: looked among predictions" in answer.said and "records.db" in answer.said


@pytest.mark.parametrize("what", ["", "flight_delays@", "flight_delays@newest", "two\nlines"])
def test_what_is_malformed_is_exit_code_2(project: Path, mlops: Mlops, what: str) -> None:
    assert mlops("trace", what).code == 2


def test_before_anything_was_recorded_that_is_said_and_nothing_is_made(tmp_path: Path, mlops: Mlops) -> None:
    for command in (("trace", "flight_delays@1"), ("history",)):
        answer = mlops(*command)
        assert answer.code == 1 and "nothing has been recorded yet" in answer.said
    assert list(tmp_path.iterdir()) == []


def test_the_commands_load_no_dagster_and_a_database_only_when_one_is_asked_for(project: Path) -> None:
    program = (
        "import sys, mlops_assets.cli.main as door\n"
        "assert not {'sqlalchemy', 'mlflow', 'dagster'} & set(sys.modules)\n"
        "for words in ('trace planes.parquet', 'history', 'doctor'): door.app(words.split(), standalone_mode=False)\n"
        "assert 'dagster' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], env={**os.environ}, check=True, capture_output=True, timeout=120)


def test_a_long_title_stands_apart_from_what_it_names(project: Path, mlops: Mlops) -> None:
    told = mlops("trace", model(1).training_set_data_version)

    assert f"training set rows  {model(1).training_set_data_version}\n" in told.out
    assert f"model digest  {model(1).model_digest}\n" in told.out


@pytest.mark.parametrize("change", ["weeks = 'nope'", "files = '{}', metrics = '[]'", "partition = 'x'"])
def test_a_changed_lineage_is_told_as_changed(project: Path, mlops: Mlops, change: str) -> None:
    with closing(sqlite3.connect(project / "records" / "records.db", isolation_level=None)) as db:
        db.execute(f"UPDATE model_version SET {change}")  # noqa: S608  words of ours

    for what in (ANSWER, f"{USE_CASE}@1"):
        answer = mlops("trace", what)
        assert (answer.code, answer.out) == (1, "") and "its seal is broken: `mlops doctor --repair`" in answer.said
