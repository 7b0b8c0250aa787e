"""Policy files: what they change and nothing else, what is wrong with them, and what the shipped ones would do."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from mlops_assets.core.performance.detector import Detector
from mlops_assets.core.performance.level import Level
from mlops_assets.core.retraining.cause import Cause, Signal
from mlops_assets.core.retraining.facts import Facts, Outcome, Training
from mlops_assets.core.retraining.policy import Decision, decide
from mlops_assets.core.rollout.planner import plan_ahead
from mlops_assets.core.signals import Answer, Response
from mlops_assets.declare import DataError, DeclarationError, Quality, Step, UseCase
from mlops_assets.replay.policies import DECLARED, as_text, policies, policy_of
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

SHIPPED = Path(__file__).parents[2] / "docs" / "policies"
WEEKS = FLIGHT_DELAYS.partitions.keys()
Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """`written(text)`: a policy file of that text."""

    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


def test_a_file_changes_the_fields_it_names_and_nothing_else(written: Written) -> None:
    path = written('[retraining]\nmax_age = "4 weeks"\nwindows = 3\n\n[concept]\nlevel = 0.9\ncalibration = "none"\n')

    policy = policy_of(FLIGHT_DELAYS, path)

    declared = FLIGHT_DELAYS
    assert policy.use_case == replace(
        declared,
        retraining=replace(declared.retraining, max_age=timedelta(days=28), windows=3),
        concept=replace(declared.concept, level=0.9, calibration=None),
    )
    assert policy.name == "mine"
    assert policy.changes == {
        "retraining.windows": "3", "retraining.max_age": "28 days", "concept.calibration": "none",
        "concept.level": "0.9",
    }  # fmt: skip


def test_a_ladder_and_its_quality_are_written_in_tables(written: Written) -> None:
    path = written(
        'name = "steep"\n[rollout]\nunit = []\non_new = "supersede"\nhold = "36 hours"\n'
        '[rollout.quality]\nmargin = 0.01\nblock = "none"\n[[rollout.steps]]\nshare = 0.5\nmargin = 2\n'
    )

    policy = policy_of(FLIGHT_DELAYS, path)

    plan = policy.use_case.rollout
    assert (policy.name, plan.steps, plan.unit) == ("steep", (Step(share=0.5, margin=2.0),), ())
    assert plan.quality == Quality(loss="log_loss", margin=0.01, block=None, blocks=14)
    assert policy.changes["rollout.steps"] == "share 0.5 margin 2.0 least 200"
    assert policy.changes["rollout.hold"] == "36 hours"


def test_what_says_the_same_as_the_declaration_is_no_change(written: Written) -> None:
    policy = policy_of(FLIGHT_DELAYS, written('[retraining]\nwindows = 2\ncooldown = "28 days"\nbreaker = 4\n'))

    assert policy.changes == {"retraining.breaker": "4"}


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("a = ", DataError, "is no TOML"),
        ("", DataError, "changes nothing that flight_delays declares"),
        ("[retraining]\nwindows = 2\n", DataError, "changes nothing that flight_delays declares"),
        ("[model]\nseed = 4\n", DataError, "table 'model' is none of a policy"),
        ("[retraning]\nwindows = 3\n", DataError, "table 'retraning' .* did you mean retraining"),
        ("[retraining]\nmaxage = 3\n", DataError, "retraining: field 'maxage' .* did you mean max_age"),
        ("retraining = 3\n", DataError, "retraining == 3, must be a table"),
        ("[retraining]\nwindows = true\n", DataError, "retraining.windows == True, must be a whole number"),
        ("[retraining]\nwindows = 2.5\n", DataError, "retraining.windows == 2.5, must be a whole number"),
        ("[retraining]\nmax_age = 28\n", DataError, 'retraining.max_age == 28, must be a text like "28 days"'),
        ('[retraining]\nmax_age = "a month"\n', DataError, "retraining.max_age == 'a month'"),
        ('[retraining]\ncooldown = "none"\n', DataError, "retraining.cooldown == 'none'"),
        ('[retraining]\nmax_age = "99999999999 weeks"\n', DataError, "retraining.max_age == "),
        ("[drift]\nfloor = nan\n", DataError, "drift.floor == nan, must be a finite number"),
        ("[concept]\nalternatives = 2\n", DataError, "concept.alternatives == 2, must be a list"),
        ("[rollout]\nsteps = [{share = 0.1}]\n", DataError, r"rollout.steps\[0\] == .*, is incomplete .*'margin'"),
        ("[rollout]\nsteps = [3]\n", DataError, r"rollout.steps\[0\] == 3, must be a table"),
        ("[retraining]\nwindows = 0\n", DeclarationError, "Retraining: windows == 0, must be a whole number >= 1"),
        ('[retraining]\ncooldown = "1 day"\n', DeclarationError, "cooldown == .* the label's maturity"),
        ('[rollout]\non_new = "wait"\n', DeclarationError, "on_new == 'wait'"),
        ('name = "../up"\n[retraining]\nwindows = 3\n', DataError, r"name == '\.\./up'"),
        ("name = 3\n[retraining]\nwindows = 3\n", DataError, "name == 3, must be a text"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(
    text: str, kind: type[Exception], says: str, written: Written
) -> None:
    with pytest.raises(kind, match=rf"mine\.toml: .*{says}"):
        policy_of(FLIGHT_DELAYS, written(text))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.toml: cannot be read"):
        policy_of(FLIGHT_DELAYS, tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(DataError, match=r"latin\.toml: is no TOML"):
        policy_of(FLIGHT_DELAYS, tmp_path / "latin.toml")


def test_the_declared_policy_comes_first_and_no_two_have_one_name(written: Written) -> None:
    mine = written("[retraining]\nwindows = 3\n")

    found = policies(FLIGHT_DELAYS, [SHIPPED / "never.toml", mine])

    assert [policy.name for policy in found] == [DECLARED, "never", "mine"]
    assert (found[0].use_case, found[0].changes) == (FLIGHT_DELAYS, {})
    with pytest.raises(DataError, match=r"mine\.toml: name == 'mine', another policy is called so"):
        policies(FLIGHT_DELAYS, [mine, mine])
    with pytest.raises(DataError, match="name == 'declared'"):
        policies(FLIGHT_DELAYS, [written('name = "declared"\n[retraining]\nwindows = 3\n')])


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_example_is_a_policy_of_the_flights(path: Path) -> None:
    policy = policy_of(FLIGHT_DELAYS, path)

    assert policy.name == path.stem
    assert all(as_text(value) == value for value in policy.changes.values())


# --- what the shipped policies decide, week by week ------------------------------------------------------------------

ALARM = Answer(response=Response.RETRAIN, reason="everything has moved")
CALM = Answer(response=Response.NOTHING, reason="nothing has moved")


def lived(use_case: UseCase, *, lasts: int, taken: bool, answer: Answer, signals: tuple[Signal, ...]) -> list[str]:
    """The weeks that are trained upon, when a rollout `lasts` so many weeks and then is `taken` or rolled back."""
    first = WEEKS[7]
    champion, trainings = first, [Training(partition=first, key="", signal=None, outcome=Outcome.NOMINATED)]
    rollout: tuple[str, int] | None = None  # of which week's model; weeks that are left of it
    for newest in WEEKS[8:]:
        if rollout is not None:
            rollout = rollout[0], rollout[1] - 1
            if rollout[1] == 0:
                champion, rollout = rollout[0] if taken else champion, None
        asked = _decisions(use_case, newest, champion, trainings, rollout is not None, answer, signals)
        cause = next((cause for cause, decision in asked if decision.yes), None)
        if cause is not None:
            trainings.append(Training(partition=newest, key=cause.key, signal=cause.signal, outcome=Outcome.NOMINATED))
            rollout = newest, lasts
    return [training.partition for training in trainings if training.automatic]


def _decisions(
    use_case: UseCase, newest: str, champion: str, trainings: list[Training], moving: bool, answer: Answer,
    signals: tuple[Signal, ...],
) -> Iterator[tuple[Cause, Decision]]:  # fmt: skip
    last = max(training.partition for training in trainings)
    facts = Facts(
        newest=newest, trained_to=champion, fresh_rows=6_000 * (WEEKS.index(newest) - WEEKS.index(last)),
        act_windows=WEEKS.index(newest), rollout="a challenger is in SHADOW" if moving else "",
        trainings=tuple(trainings),
    )  # fmt: skip
    for signal in signals:
        cause = Cause(
            use_case=use_case.name, model=champion, model_digest="d", reference="r", window=newest, signal=signal
        )
        yield cause, decide(use_case, cause, answer, facts)


@pytest.mark.parametrize(("lasts", "taken"), [(1, True), (3, True), (4, True), (2, False), (4, False)])
@pytest.mark.parametrize("answer", [CALM, ALARM])
def test_every_four_weeks_trains_every_four_weeks(lasts: int, taken: bool, answer: Answer) -> None:
    policy = policy_of(FLIGHT_DELAYS, SHIPPED / "every_four_weeks.toml")

    found = lived(policy.use_case, lasts=lasts, taken=taken, answer=answer, signals=(Signal.AGE, Signal.DATA))

    assert found == list(WEEKS[11::4])


def test_every_four_weeks_waits_for_a_rollout_that_takes_longer_and_goes_on_from_there() -> None:
    policy = policy_of(FLIGHT_DELAYS, SHIPPED / "every_four_weeks.toml")

    found = lived(policy.use_case, lasts=6, taken=True, answer=CALM, signals=(Signal.AGE,))

    assert found == list(WEEKS[11::6])


def test_a_challenger_of_every_four_weeks_is_final_before_the_next_one_is_due() -> None:
    def days_of(use_case: UseCase) -> float:
        a_week = 6_500 / (7 * 86_400)
        return sum(stage.seconds for stage in plan_ahead(use_case.rollout, per_second=a_week, error_rate=0.0)) / 86_400

    assert days_of(policy_of(FLIGHT_DELAYS, SHIPPED / "every_four_weeks.toml").use_case) < 20
    assert days_of(FLIGHT_DELAYS) > 28


def test_every_four_weeks_hears_nothing_of_outcomes_that_are_twice_as_often_wrong() -> None:
    declared = FLIGHT_DELAYS.concept
    calendar = policy_of(FLIGHT_DELAYS, SHIPPED / "every_four_weeks.toml").use_case.concept
    level = Level(mean=0.15, bound=0.16, effect=8.0, rows=12_000, blocks=14)
    wrong = np.random.default_rng(1).random(45 * 6_000) < 0.32

    assert Detector.start(declared, level).fold(wrong.astype(float)).alarms
    assert not Detector.start(calendar, level).fold(wrong.astype(float)).alarms


def test_never_trains_never_however_loud_the_alarm() -> None:
    policy = policy_of(FLIGHT_DELAYS, SHIPPED / "never.toml")
    everything = (Signal.CONCEPT, Signal.DATA, Signal.AGE)

    assert lived(policy.use_case, lasts=2, taken=True, answer=ALARM, signals=everything) == []
    assert lived(FLIGHT_DELAYS, lasts=2, taken=True, answer=ALARM, signals=everything) != []
