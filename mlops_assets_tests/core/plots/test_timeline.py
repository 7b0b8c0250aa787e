"""The timeline of a replayed policy: nobody is missing from it, and every mark says its sentence."""

import re
from dataclasses import replace
from html import unescape

from mlops_assets.core.account import Policy, Sabotage, Stage, Told
from mlops_assets.core.plots.lanes import axis_of
from mlops_assets.core.plots.timeline import reigns, timeline
from mlops_assets_tests.core.accounts import account

YEAR = account()
DRIFT = YEAR.policies[0]
AXIS = axis_of([YEAR.begin, YEAR.end])


def drawn(policy: Policy) -> str:
    return unescape(timeline(policy, AXIS))


def titles(policy: Policy) -> list[str]:
    return re.findall(r"<title>(.*?)</title>", drawn(policy))


def bands(policy: Policy, kind: str) -> list[tuple[float, float]]:
    """(left, width) of each band of this kind, in order of time."""
    found = re.findall(rf'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="[\d.]+" class="{kind}', drawn(policy))
    return [(float(left), float(width)) for left, width in found]


def stage(name: str, version: int, champion: int, since: str, until: str = "") -> Stage:
    return Stage(version=version, champion=champion, stage=name, share=0.0, since=since, until=until, why="why")


def test_there_is_a_champion_at_every_instant() -> None:
    found = bands(DRIFT, "reign")

    assert found[0][0] == 0 and round(sum(width for _, width in found)) == AXIS.width
    assert reigns(DRIFT.stages) == [
        (0, "2013-03-04T00:00:00Z"), (1, "2013-03-23T19:40:48Z"), (2, "2013-05-09T01:40:48Z"),
        (4, "2013-07-16T01:40:48Z"), (6, "2013-09-29T16:04:48Z"),
    ]  # fmt: skip


def test_a_model_that_was_taken_back_reigns_no_longer() -> None:
    stages = (stage("FINALIZED", 2, 1, "2013-04-01", "2013-05-01"), stage("ROLLED_BACK", 2, 1, "2013-05-01"))

    assert reigns(stages) == [(2, "2013-04-01"), (1, "2013-05-01")]


def test_every_decision_model_signal_and_sabotage_says_its_sentence() -> None:
    said = "\n".join(titles(DRIFT))

    assert all(one.why in said for one in DRIFT.stages)
    assert all(one.why in said and one.judged in said for one in DRIFT.versions)
    assert all(f"{week.week}: {week.concept}" in said for week in DRIFT.weeks if week.concept)
    assert all(fault in said for week in DRIFT.weeks for fault in week.faults)
    assert all(one.done in said and one.met in said for one in DRIFT.sabotage)


def test_every_end_of_a_rollout_has_a_mark_of_its_own() -> None:
    picture = drawn(DRIFT)

    assert [picture.count(f'class="mark {kind}"') for kind in ("stable", "rolled", "rejected")] == [4, 1, 1]
    assert picture.count('class="mark short"') == 1


def test_a_step_of_minutes_is_still_seen_and_a_larger_share_is_a_higher_step() -> None:
    heights = re.findall(r'height="([\d.]+)" class="step (?:shadow|canary|soak)">', drawn(DRIFT))[1:6]

    assert min(width for _, width in bands(DRIFT, "step")) >= 2.5
    assert [float(height) for height in heights] == sorted(float(height) for height in heights)


def test_what_is_held_is_held_until_the_next_decision_about_it() -> None:
    def told(at: str, kind: str) -> Told:
        return Told(at=at, kind=kind, subject="m 2", who="c", why=f"{kind} because")

    held = (told("2013-04-01", "held"), told("2013-04-05", "held"), told("2013-04-08", "alias"),
            told("2013-04-15", "resumed"), told("2013-05-06", "held"))  # fmt: skip
    policy = replace(DRIFT, told=held)

    assert bands(policy, "held") == [(AXIS.at("2013-04-01"), 2.0 * AXIS.step),
                                     (AXIS.at("2013-05-06"), AXIS.width - AXIS.at("2013-05-06"))]  # fmt: skip
    assert "held 2013-04-01 to 2013-04-15: held because" in titles(policy)


def test_sabotages_of_one_week_lie_below_each_other() -> None:
    one = Sabotage(week="2013-12-30", kind="wrong_model", done="d", met="m")
    policy = replace(DRIFT, sabotage=(one, one, replace(one, week="2013-04-01")))

    places = re.findall(r'<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)" height="15" rx="3">', drawn(policy))
    assert [int(y) for _, y, _ in places] == [0, 0, 18]
    assert all(float(x) + float(width) <= AXIS.width for x, _, width in places)
    assert "sabotage" not in drawn(replace(DRIFT, sabotage=()))


def test_nothing_known_is_an_empty_picture() -> None:
    nothing = replace(DRIFT, weeks=(), versions=(), stages=(), told=(), sabotage=())

    assert "champion" in drawn(nothing) and "<rect" not in drawn(nothing)
