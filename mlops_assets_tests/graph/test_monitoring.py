"""The reports of a week through the real graph: which model they judge, from what, and what they carry on."""

from contextlib import closing
from dataclasses import replace

import dagster as dg
import pytest

from mlops_assets.core.signals import Concept
from mlops_assets.graph.drift_judging import VERDICT
from mlops_assets.graph.performance_judging import REPORT
from mlops_assets.graph.response import RESPONSE
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets_tests.graph.lived import NAME
from mlops_assets_tests.graph.world import WEEKS, World, reason
from mlops_assets_tests.stores.serving.logged import answered, labelled, put

LIVED, NEWEST = WEEKS[3], WEEKS[4]


def records(world: World, week: str) -> dict[str, dict]:  # type: ignore[type-arg]
    parts = {"drift_report": VERDICT, "performance_report": REPORT, "response": RESPONSE}
    return {a: dict(world.store.load(f"{NAME}/{a}", week).records[part]) for a, part in parts.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_before_any_model_led_nothing_is_judged_and_nothing_fails(world: World) -> None:
    assert reason(world.run("monitor", WEEKS[1])) == ""
    told = records(world, WEEKS[1])
    assert "no model led before" in told["drift_report"]["sentence"]
    assert told["response"]["response"] == "watch"


def test_a_week_without_a_gateway_is_judged_on_its_feature_table_by_the_leader(world: World) -> None:
    assert reason(world.run("arrived", NEWEST)) == ""
    told = records(world, NEWEST)
    leader = world.store.load(f"{NAME}/registry_entry", LIVED).records["entry"]["leader"]["name"]
    for report in ("drift_report", "performance_report"):
        assert told[report]["model"] == leader and "no gateway answered" in told[report]["source"]
    assert told["performance_report"]["labelled"] > 500


def test_evidence_goes_on_from_week_to_week_and_a_gap_is_told(world: World) -> None:
    assert reason(world.run("arrived", NEWEST)) == ""
    before, now = records(world, LIVED)["performance_report"], records(world, NEWEST)["performance_report"]
    if before.get("model_digest") == now["model_digest"]:
        assert now["before"] == before["detector"]
    assert now["gap_in_evidence"] == ""


def test_a_week_whose_evidence_was_judged_anew_is_judged_again(world: World) -> None:
    """The report of a week carries on what the one before left; that one is made anew when labels come late."""
    from mlops_assets_tests.graph.ticking import tick, weeks, why

    assert reason(world.run("arrived", NEWEST)) == ""
    sensor = f"{NAME}_matured"
    before = world.store.require(f"{NAME}/performance_report", LIVED)
    report = dict(world.store.load_ref(before).records[REPORT])
    if report.get("model_digest") != records(world, NEWEST)["performance_report"]["model_digest"]:
        pytest.skip("another model led a week before")
    assert "no report waits" in why(tick(world, sensor))
    report["detector"] = {**report["detector"], "labels": report["detector"]["labels"] + 1}
    world.store.publish(
        f"{NAME}/performance_report", LIVED, replace(world.store.load_ref(before), records={REPORT: report}),
        inputs={}, code={}, run="planted", action_key="planted", created_at="2013-02-11T00:00:00+00:00",
    )  # fmt: skip
    assert weeks(tick(world, sensor)) == [NEWEST]


def test_a_report_names_its_model_and_its_page_is_one_file(world: World) -> None:
    assert reason(world.run("arrived", NEWEST)) == ""
    for report in ("drift_report", "performance_report"):
        page = world.store.load(f"{NAME}/{report}", NEWEST).blobs["page"].data.decode()
        assert page.startswith("<!doctype html>") and 'src="http' not in page
        assert records(world, NEWEST)[report]["model"] in page


def test_labels_that_are_not_mature_yet_are_not_judged(world: World) -> None:
    assert reason(world.run("data", NEWEST)) == ""
    early = {"mlops/at": "2013-02-05T00:00:00+00:00"}
    assert reason(world.run("monitor", NEWEST, tags=early)) == ""
    told = records(world, NEWEST)["performance_report"]
    assert told["state"] == Concept.UNKNOWN.value and told["detector"] == told["before"]
    assert reason(world.run("monitor", NEWEST)) == ""
    assert records(world, NEWEST)["performance_report"]["state"] != Concept.UNKNOWN.value


def test_a_feed_whose_join_stopped_matching_is_named_and_asks_for_no_training(world: World) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    planes = world.landed("planes", "")
    rows = pq.read_table(planes)
    keys = pa.array([f"X{n}" for n in range(rows.num_rows)])
    pq.write_table(rows.set_column(rows.column_names.index("tailnum"), "tailnum", keys), planes)
    result = world.run("arrived", NEWEST)
    assert reason(result) == ""
    told = records(world, NEWEST)
    assert told["response"]["response"] == "check the feed"
    assert not checks(result)["feeds"].passed and "plane_year" in (checks(result)["feeds"].description or "")
    assert not checks(result)["no_hand_needed"].passed


def test_the_page_of_a_response_shows_the_whole_truth_table_with_its_own_row(world: World) -> None:
    result = world.run("arrived", NEWEST)
    (made,) = result.asset_materializations_for_node(f"{NAME}__response")
    table = made.metadata["truth table"].value
    rows = [record.data for record in table.records]  # type: ignore[union-attr]
    assert len(rows) == 60 and [row["this week"] for row in rows].count("→") == 1
    assert rows[0]["response"] == records(world, NEWEST)["response"]["response"]


def test_what_was_served_is_judged_where_a_gateway_answered(world: World) -> None:
    """Enough logged answers of version 1 in a week: they are its live inputs, and version 1 is judged."""
    begin, _ = world.use_case.partitions.bounds(NEWEST)
    at = int(begin.timestamp() * 1_000_000)
    least = world.use_case.drift.min_rows
    hour, days = 3_600_000_000, 6 * 86_400_000_000
    served = [answered(f"q{n}", as_of_us=at + n * hour % days) for n in range(least + 50)]
    with closing(PredictionLog(world.places.serving, world.use_case)) as log:
        put(log, *served)
        put(log, *(labelled(f"q{n}") for n in range(least + 40)))
    assert reason(world.run("arrived", NEWEST)) == ""
    told = records(world, NEWEST)
    assert told["drift_report"]["model"] == f"{NAME}@1" and told["drift_report"]["answered"] == least + 50
    assert told["drift_report"]["source"] == f"the prediction log, {least + 50} answers"
    assert told["performance_report"]["labelled"] == least + 40


@pytest.mark.parametrize("artifact", ["drift_report", "performance_report", "response"])
def test_the_same_reports_are_not_made_twice(world: World, artifact: str) -> None:
    assert reason(world.run("arrived", NEWEST)) == ""
    before = world.version(artifact, NEWEST)
    result = world.run("monitor", NEWEST)
    (made,) = result.asset_materializations_for_node(f"{NAME}__{artifact}")
    assert made.metadata["reused"].value is True and world.version(artifact, NEWEST) == before
