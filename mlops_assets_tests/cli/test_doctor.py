"""`mlops doctor`: what does not agree is named, with what to do, and mended where the ledger says how."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.stores.registry import CHALLENGER, CHAMPION
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.cli.recorded import registry
from mlops_assets_tests.stores.records.models import USE_CASE, WEEKS

SOUND: dict[str, list[object]] = {name: [] for name in ("ledger", "lineage", "stages", "entries", "aliases", "waiting")}


def change(project: Path, *statements: str) -> None:
    with closing(sqlite3.connect(project / "records" / "records.db", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def test_a_project_that_agrees_is_healthy(project: Path, mlops: Mlops) -> None:
    answer = mlops("doctor")

    assert answer.code == 0
    assert [line.split() for line in answer.out.splitlines()] == [[name, "sound"] for name in SOUND]
    assert mlops("doctor", "--json").json == {"healthy": True, "findings": SOUND, "mended": []}


def test_a_project_without_models_is_healthy_and_nothing_is_made(tmp_path: Path, mlops: Mlops) -> None:
    answer = mlops("doctor")

    assert answer.code == 0 and "nothing has been recorded yet" in answer.out
    assert list(tmp_path.iterdir()) == []


def test_an_alias_changed_behind_the_ledgers_back_is_named_and_restored(project: Path, mlops: Mlops) -> None:
    tracker = registry(project)
    tracker.set_alias(CHAMPION, tracker.get(USE_CASE, 2))
    tracker.delete_alias(USE_CASE, CHALLENGER)

    found = mlops("doctor")
    mended = mlops("doctor", "--repair", "--json")

    assert found.code == 1
    assert f"{USE_CASE}@1 should hold it, {USE_CASE}@2 holds it" in found.out
    assert f"{USE_CASE}@2 should hold it, nobody holds it" in found.out
    assert f"set_registered_model_alias('{USE_CASE}', 'champion', '1')" in found.out
    assert mended.code == 0 and mended.json["findings"] == SOUND and len(mended.json["mended"]) == 2
    assert tracker.get_alias(USE_CASE, CHAMPION).version == 1  # type: ignore[union-attr]  # None fails as well
    assert tracker.get_alias(USE_CASE, CHALLENGER).version == 2  # type: ignore[union-attr]  # None fails as well


def test_the_printed_command_restores_an_alias(project: Path, mlops: Mlops) -> None:
    tracker = registry(project)
    tracker.set_alias(CHAMPION, tracker.get(USE_CASE, 2))
    told = mlops("doctor").out
    command = told[told.index('python -c "') + len('python -c "') : told.index('"`')]

    exec(command)  # noqa: S102  what a reader is told to type

    assert mlops("doctor").code == 0


def test_a_version_without_lineage_gets_it_from_its_tags_and_the_store(project: Path, mlops: Mlops) -> None:
    before = mlops("trace", f"{USE_CASE}@2", "--json").json["found"][0]["model"]
    change(project, "DELETE FROM model_version WHERE version = 2", "DELETE FROM lineage_key WHERE version = 2")

    found = mlops("doctor", "--json")
    mended = mlops("doctor", "--repair", "--json")

    assert found.code == 1 and [f["what"] for f in found.json["findings"]["lineage"]] == [
        f"{USE_CASE}@2 has no lineage"
    ]
    assert f"--job train --anew --from {WEEKS[2]} --to {WEEKS[2]}" in found.json["findings"]["lineage"][0]["remedy"]
    assert mended.code == 0
    after = mlops("trace", f"{USE_CASE}@2", "--json").json["found"][0]["model"]
    assert after == before and after["stage"] == "challenger"


@pytest.mark.parametrize(("version", "wrong", "should"), [
    (1, ("archived", 0.0), "champion (100%)"), (2, ("champion", 1.0), "challenger (0%)"),
    (1, ("champion", 0.5), "champion (100%)"),
])  # fmt: skip
def test_a_stage_that_does_not_follow_the_ledger_is_brought_in_step(
    project: Path, mlops: Mlops, version: int, wrong: tuple[str, float], should: str
) -> None:
    stage, share = wrong
    change(project, f"UPDATE model_version SET stage = '{stage}', share = {share} WHERE version = {version}")  # noqa: S608  words of ours

    found = mlops("doctor", "--json")

    assert found.code == 1
    assert [f["what"] for f in found.json["findings"]["stages"]] == [
        f"{USE_CASE}@{version} is {stage} ({share:.0%}) in its lineage, by the ledger {should}"
    ]
    assert mlops("doctor", "--repair").code == 0


def test_a_changed_ledger_is_found_and_nothing_is_brought_in_step_with_it(project: Path, mlops: Mlops) -> None:
    change(project, "DROP TRIGGER ledger_refuses_update", "UPDATE ledger SET subject = 'x@9' WHERE seq = 3")

    answer = mlops("doctor", "--repair", "--json")

    assert answer.code == 1 and answer.json["mended"] == []
    assert [f["what"] for f in answer.json["findings"]["ledger"]] == [
        "entry 3 of the ledger is not what was written: a field of it was changed",
        "the ledger lost what refuses changes (ledger_refuses_update): somebody prepared to change it",
    ]
    for probe in ("stages", "aliases"):
        assert "the ledger is not whole" in answer.json["findings"][probe][0]["what"]


def test_a_lost_head_is_written_anew_when_asked(project: Path, mlops: Mlops) -> None:
    (project / "records" / "records.db.head").unlink()

    assert "is missing, so nobody can tell" in mlops("doctor").out
    assert mlops("doctor", "--repair").code == 0


def test_records_that_are_gone_are_missed(project: Path, mlops: Mlops) -> None:
    for name in ("records.db", "records.db.head"):
        (project / "records" / name).unlink()

    told = mlops("doctor", "--json").json["findings"]

    assert [f["what"] for f in told["ledger"]] == [
        f"{USE_CASE}@{v} is registered in the tracker, but the ledger does not tell of it" for v in (1, 2)
    ]
    assert [f["what"] for f in told["lineage"]] == [f"{USE_CASE}@{v} has no lineage" for v in (1, 2)]


@pytest.mark.parametrize(("break_", "said"), [
    (lambda tracker: tracker.client.set_model_version_tag(USE_CASE, "1", "model_digest", "0" * 64),
     f"{USE_CASE}@1 is another model in the tracker than in its lineage"),
    (lambda tracker: tracker.client.delete_model_version(USE_CASE, "2"),
     f"{USE_CASE}@2 has a lineage, but is not in the tracker"),
])  # fmt: skip
def test_a_tracker_that_was_replaced_is_found(project: Path, mlops: Mlops, break_: object, said: str) -> None:
    break_(registry(project))  # type: ignore[operator]  # one of the lambdas above

    answer = mlops("doctor")

    assert answer.code == 1 and said in answer.out


def test_a_tracker_that_does_not_answer_is_a_finding(
    project: Path, mlops: Mlops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    answer = mlops("doctor")

    assert answer.code == 1 and "the tracker cannot be asked" in answer.out
