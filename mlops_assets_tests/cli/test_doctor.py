"""`mlops doctor`: what does not agree is named, with what to do, and mended where the ledger says how."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.tables import GUARDS
from mlops_assets.stores.registry import CHALLENGER, CHAMPION
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.cli.recorded import places, registry
from mlops_assets_tests.stores.records.clerk import decision
from mlops_assets_tests.stores.records.models import USE_CASE, WEEKS, publish

NAMES = ("ledger", "lineage", "stages", "entries", "aliases", "waiting", "rollouts")
SOUND: dict[str, list[object]] = {name: [] for name in NAMES}


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


@pytest.mark.parametrize(("changes", "said"), [
    (["UPDATE model_version SET weeks = '[]', \"commit\" = 'deadbeef'"], "is not what was written: a field of it was"),
    (["UPDATE model_version SET weeks = 'nope'"], "is not what was written: a field of it was changed"),
    (["UPDATE model_version SET trained_model = '00', partition = 'x'"], "is not what was written: a field of it was"),
    (["UPDATE model_version SET share = 'all', files = '{}'"], "is not what was written: a field of it was changed"),
    (["DELETE FROM lineage_key"], "is not found by "),
    (["DELETE FROM model_version"], "has no lineage"),
])  # fmt: skip
def test_changed_lineage_is_named_and_written_anew(project: Path, mlops: Mlops, changes: list[str], said: str) -> None:
    before = [mlops("trace", f"{USE_CASE}@{version}").out for version in (1, 2)]
    change(project, *changes)

    found = mlops("doctor", "--json")
    mended = mlops("doctor", "--repair", "--json")

    assert found.code == 1 and len(found.json["findings"]["lineage"]) == 2
    assert all(said in finding["what"] for finding in found.json["findings"]["lineage"])
    assert "`mlops doctor --repair` writes row and keys anew" in found.json["findings"]["lineage"][0]["remedy"]
    assert mended.code == 0 and mended.json["findings"] == SOUND
    assert [mlops("trace", f"{USE_CASE}@{version}").out for version in (1, 2)] == before


def test_lost_guards_of_a_whole_ledger_are_made_again(project: Path, mlops: Mlops) -> None:
    change(project, *(f"DROP TRIGGER {name}" for name in GUARDS))

    assert "`mlops doctor --repair` makes them again" in mlops("doctor").out
    assert mlops("doctor", "--repair").code == 0


def shorten(project: Path, last: int) -> None:
    """The ledger ends earlier, is whole, and its head is gone."""
    guards = (f"DROP TRIGGER {name}" for name in GUARDS)
    change(project, *guards, f"DELETE FROM ledger WHERE seq > {last}", *GUARDS.values())  # noqa: S608  a number
    (project / "records" / "records.db.head").unlink()


def test_a_ledger_without_its_end_is_not_taken_for_whole(project: Path, mlops: Mlops) -> None:
    shorten(project, 1)

    answer = mlops("doctor", "--repair", "--json")

    assert answer.code == 1 and answer.json["mended"] == []
    assert (
        f"the tracker has 1 versions it does not tell of, e.g. {USE_CASE}@2"
        in (answer.json["findings"]["ledger"][1]["what"])
    )
    assert "move the database and its head away together" in answer.json["findings"]["ledger"][1]["remedy"]
    assert not (project / "records" / "records.db.head").exists()


def test_an_older_copy_of_the_records_moves_no_alias(project: Path, mlops: Mlops) -> None:
    shorten(project, 1)
    with Records(project / "records" / "records.db") as records:
        records.ledger.repair()  # as it was when it was copied
    tracker = registry(project)

    answer = mlops("doctor", "--repair", "--json")

    assert answer.code == 1 and not [done for done in answer.json["mended"] if "alias" in done["what"]]
    (untold,) = answer.json["findings"]["ledger"]
    assert f"`mlops backfill {USE_CASE} --job train --anew --from {WEEKS[2]} --to {WEEKS[2]}`" in untold["remedy"]
    assert f"alias champion of {USE_CASE} is not touched" in answer.json["findings"]["aliases"][0]["what"]
    assert tracker.get_alias(USE_CASE, CHAMPION).version == 1  # type: ignore[union-attr]  # None fails as well


def entry(project: Path, week: str, version: int) -> None:
    """A registry entry of a week that judges that version."""
    record = {"candidate": f"{USE_CASE}@{version}"}
    publish(AssetStore(places(project).store), "registry_entry", week, "", records={"entry": record})


def verdict(project: Path, version: int) -> None:
    """The verdict on a version in the ledger."""
    with Records(project / "records" / "records.db") as records:
        records.ledger.append(**decision(version, kind="verdict", once=f"verdict {version}", evidence={}))


def test_the_newest_registry_entry_is_one_the_ledger_has_a_verdict_of(project: Path, mlops: Mlops) -> None:
    verdict(project, 1)
    entry(project, WEEKS[1], 2)
    entry(project, WEEKS[2], 1)
    assert mlops("doctor").code == 0
    entry(project, WEEKS[3], 2)
    tracker = registry(project)
    tracker.set_alias(CHAMPION, tracker.get(USE_CASE, 2))

    answer = mlops("doctor", "--repair", "--json")

    assert answer.code == 1 and answer.json["mended"] == []
    (found,) = answer.json["findings"]["entries"]
    assert found["what"] == (
        f"{USE_CASE}/registry_entry@{WEEKS[3]}, the newest in the store, judges {USE_CASE}@2, of which the ledger "
        "has no verdict"
    )
    assert f"--job train --anew --from {WEEKS[3]} --to {WEEKS[3]}`" in found["remedy"]
    assert "the store's newest entry disagrees" in answer.json["findings"]["aliases"][0]["what"]


def test_a_lost_verdict_is_missed_by_the_newest_entry(project: Path, mlops: Mlops) -> None:
    verdict(project, 1)
    entry(project, WEEKS[2], 1)
    shorten(project, 2)

    answer = mlops("doctor", "--repair", "--json")

    assert answer.code == 1 and answer.json["mended"] == []
    newest = f"{USE_CASE}/registry_entry@{WEEKS[2]}"
    assert f"nothing of the ledger is repaired: {newest}" in answer.json["findings"]["ledger"][1]["what"]


def test_a_training_that_waits_for_the_tracker_is_told_and_is_no_fault(project: Path, mlops: Mlops) -> None:
    with Records(project / "records" / "records.db") as records:
        evidence = {"partition": WEEKS[3], "trained_model": "0" * 64}
        records.ledger.append(**decision(9, kind="registration_waiting", why="no answer", evidence=evidence))

    answer = mlops("doctor")

    assert answer.code == 0 and "waiting    sound, 1 to know" in answer.out
    assert f"{USE_CASE}@9 waits for the tracker since 2013-07-01T10:00:00Z: no answer" in answer.out
    assert f"--job train --from {WEEKS[3]} --to {WEEKS[3]}`" in answer.out
    assert mlops("doctor", "--json").json["healthy"] is True
