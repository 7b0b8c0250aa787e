"""Real flights, real predictions, the real evidence and judge: what becomes of a model as good, better, and worse.

Models of the first eight weeks answer the sixteen that follow; requests fall on the arms by aircraft, and both arms
fail by the same chance. A run begins on a random day, climbs the declared ladder as the verdicts allow, and ends after
five weeks.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mlops_assets.core import encoding
from mlops_assets.core.estimators import fitted, threads
from mlops_assets.core.features import feature_table
from mlops_assets.core.frames import to_frame
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.judge import judge
from mlops_assets.core.rollout.router import unit_hash
from mlops_assets.core.rollout.words import Arm, Pair, Seen, Stage
from mlops_assets.core.validation import validate
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare.modelling import Task
from mlops_assets.graph.features import history
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

pytestmark = pytest.mark.slow
LANDING = Path(__file__).parents[3] / "data" / "landing" / "flight_delays"
WEEKS = FLIGHT_DELAYS.partitions.keys()[:24]
TRAINED, DAYS = 8, 35
PLAN = FLIGHT_DELAYS.rollout
BAD = {"error": 0.004, "slow": 0.01}  # of the calls of either arm
NONE = frozenset[str]()


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    """Labelled flights with features, week, day of the request and aircraft."""
    clean, parts = {}, []
    for at, week in enumerate(WEEKS):
        landed = {t.name: pq.read_table(LANDING / t.landing.format(partition=week)) for t in FLIGHT_DELAYS.tables}
        clean[week] = {name: v.clean for name, v in validate(FLIGHT_DELAYS, landed, week).items()}
        looked_at = {w: clean[w] for w in WEEKS[max(0, at - FLIGHT_DELAYS.lookback_weeks) : at + 1]}
        table = to_frame(feature_table(FLIGHT_DELAYS, clean[week]["flights"], history(FLIGHT_DELAYS, looked_at)))
        key = ["year", "month", "day", "carrier", "flight", "origin"]
        tails = clean[week]["flights"].select([*key, "tailnum"]).to_pandas()
        parts.append(table.merge(tails, on=key, how="left", validate="one_to_one").assign(week=at))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["late"].notna()].reset_index(drop=True)
    asked = pd.to_datetime(rows["asked_utc"]).dt.tz_convert("America/New_York")
    return rows.assign(late=rows["late"].astype(float), asked_on=asked.dt.date.astype(str))


@pytest.fixture(scope="module")
def answers(flights: pd.DataFrame) -> dict[str, np.ndarray]:
    """Name of a model -> its answer to every flight after the weeks of training."""
    random = np.random.default_rng(1)
    known, asked = flights["week"] < TRAINED, flights["week"] >= TRAINED
    half = random.random(len(flights)) < 0.5
    encoder = encoding.fit(FLIGHT_DELAYS, flights[known])
    rows, label = encoder.encode(flights), flights["late"].to_numpy()
    mixed = label.copy()
    moved = np.flatnonzero(known.to_numpy() & (random.random(len(flights)) < 0.3))
    mixed[moved] = random.permutation(mixed[moved])

    def of(chosen, label=label, seed=1):
        model = replace(FLIGHT_DELAYS.model, seed=seed)
        # as the search would choose: without it nothing in this model is random; fewer trees, to be quick
        estimator = replace(model.estimator, params={**model.estimator.params, "max_features": 0.5, "max_iter": 80})
        use_case = replace(FLIGHT_DELAYS, model=model)
        chosen = (chosen & known).to_numpy()
        return fitted(use_case, estimator, encoder, rows[chosen], label[chosen]).predict_encoded(rows[asked])

    with threads(1):
        return {
            "model": of(known),
            "another seed": of(known, seed=2),
            "one half": of(half & known),
            "other half": of(~half & known),
            "labels mixed": of(known, label=mixed),
            "baseline": np.full(int(asked.sum()), label[known].mean()),
            "nonsense": random.random(int(asked.sum())),
        }


@pytest.fixture(scope="module")
def days(flights: pd.DataFrame) -> list[tuple[str, np.ndarray]]:
    """Each day's date and the positions of its flights among the answers, in order of time."""
    asked = flights[flights["week"] >= TRAINED].reset_index(drop=True)
    return [(day, rows.index.to_numpy()) for day, rows in asked.groupby("asked_on", sort=True)]


class World:
    """Two models over the days; runs of rollouts in it."""

    def __init__(self, flights, days, champion, challenger):
        asked = flights[flights["week"] >= TRAINED]
        label, tails = asked["late"].to_numpy(), asked["tailnum"].fillna("").to_numpy()
        self.tails = [tails[rows] for _, rows in days]
        self.pairs = [
            [Pair(1, day, *map(float, row)) for row in zip(label[at], champion[at], challenger[at], strict=True)]
            for day, at in days
        ]

    def run(self, seed):
        """How a rollout that begins on a random day ends: (last stage, verdict, days it took, last day of shadow)."""
        random = np.random.default_rng(seed)
        begin = int(random.integers(0, len(self.pairs) - DAYS))
        stage, step, left = Stage.SHADOW, 0, None
        evidence = Evidence.start(PLAN, Task.CLASSIFICATION)
        for day in range(DAYS):
            evidence = evidence.fold(self.seen(begin + day, stage, step, seed, random), self.pairs[begin + day])
            judgement = judge(PLAN, stage, step, evidence)
            if judgement.verdict is Verdict.FAIL:
                return stage, judgement, day + 1, left
            if judgement.verdict is Verdict.PASS:
                left = left or day + 1
                if stage is Stage.SOAK:
                    return Stage.FINALIZED, judgement, day + 1, left
                stage, step = following(stage, step)
                evidence = evidence.entered()
        return stage, judgement, DAYS, left

    def seen(self, day, stage, step, seed, random):
        """One day's calls, both arms failing by the same chance."""
        share = {Stage.SHADOW: 0.0, Stage.SOAK: 1.0}.get(stage, PLAN.steps[step].share)
        mine = np.array([unit_hash(str(seed), tail.encode()) < share for tail in self.tails[day]])
        if stage is Stage.CANARY:
            called = [(arm, arm, False, int((mine == (arm is Arm.CHALLENGER)).sum())) for arm in Arm]
        else:
            answering, other = (Arm.CHAMPION, Arm.CHALLENGER) if stage is Stage.SHADOW else tuple(reversed(Arm))
            called = [(answering, answering, False, len(mine)), (answering, other, True, len(mine))]
        calls = []
        for assigned, arm, mirrored, count in called:
            for rate, chance in BAD.items():
                bad = min(int(random.binomial(count, chance)), count)
                calls += [Seen(1, share, assigned, arm, mirrored, frozenset({rate}))] * bad
                count -= bad
            calls += [Seen(1, share, assigned, arm, mirrored, NONE)] * count
        return calls


def following(stage, step):
    """The next place on the ladder."""
    if stage is Stage.SHADOW:
        return Stage.CANARY, 0
    return (Stage.CANARY, step + 1) if step + 1 < len(PLAN.steps) else (Stage.SOAK, 0)


def ended(runs):
    """How many runs ended by which verdict."""
    return Counter(judgement.verdict for _, judgement, _, _ in runs)


def test_models_as_good_as_the_champion_are_rolled_back_in_at_most_alpha_of_200_rollouts(flights, answers, days):
    twins = [("model", "another seed"), ("another seed", "model"), ("one half", "other half"),
             ("other half", "one half")]  # fmt: skip
    runs = []
    for at, (champion, challenger) in enumerate(twins):
        world = World(flights, days, answers[champion], answers[challenger])
        runs += [world.run(seed) for seed in range(50 * at, 50 * at + 50)]
    shadows = [left for _, _, _, left in runs if left is not None]

    assert ended(runs)[Verdict.FAIL] / 200 <= PLAN.quality.alpha
    assert not any(judgement.fault for _, judgement, _, _ in runs)
    assert len(shadows) >= 100 and np.median(shadows) <= 17  # 14 complete days, and the two of their last labels


@pytest.mark.parametrize("champion", ["labels mixed", "baseline"])
def test_a_better_model_leaves_shadow_at_the_first_look(flights, answers, days, champion):
    world = World(flights, days, answers[champion], answers["model"])
    runs = [world.run(seed) for seed in range(20)]

    assert ended(runs)[Verdict.FAIL] == 0
    assert sum(left == 16 for _, _, _, left in runs) >= 18


@pytest.mark.parametrize(
    ("challenger", "share", "within"), [("labels mixed", 0.9, 30), ("baseline", 1.0, 16), ("nonsense", 1.0, 6)]
)
def test_a_worse_model_is_rolled_back_from_shadow(flights, answers, days, challenger, share, within):
    world = World(flights, days, answers["model"], answers[challenger])
    runs = [world.run(seed) for seed in range(20)]
    failed = [took for _, judgement, took, _ in runs if judgement.verdict is Verdict.FAIL]

    assert {stage for stage, *_ in runs} == {Stage.SHADOW}
    assert len(failed) >= share * 20
    assert np.median(failed) <= within
