"""An account like that of a year of flights: two policies, every stage of a rollout, sabotage. Made up, seeded."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from mlops_assets.core.account import Account, Against, Costs, Policy, Sabotage, Stage, Told, Version, Week
from mlops_assets.core.gain import NEVER

BEGIN = datetime(2013, 3, 4)
EVERY = "trained every four weeks"
COLUMNS = (
    *(f"{place}_{what}" for place in ("origin", "dest") for what in (
        "wind_mph", "gust_mph", "visib_miles", "precip_in", "late_share_6h", "cancelled_share_6h", "departures_1h",
    )),
    *(f"{who}_{what}" for who in ("carrier", "tail", "route", "airport_hour") for what in (
        "late_share_7d", "late_share_28d", "mean_delay_7d", "flights_7d",
    )),
    "dep_hour", "dep_weekday", "distance_miles", "seats", "plane_age_years", "schedule_minutes", "carrier", "dest",
)  # fmt: skip
_HARD = {17: 0.09, 23: 0.06, 25: 0.08, 26: 0.16, 27: 0.12, 28: 0.1, 30: 0.09, 39: -0.09, 40: -0.07, 50: 0.06, 51: 0.08}
_LADDER = (("PREPARING", 0.0, 0.02), ("SHADOW", 0.0, 14.0), ("CANARY", 0.05, 1.6), ("CANARY", 0.25, 1.2),
           ("CANARY", 0.5, 1.0), ("SOAK", 1.0, 2.0))  # fmt: skip


def account(seed: int = 2013, weeks: int = 45) -> Account:
    """Two policies over so many weeks, from 2013-03-04, beside two comparators. The same arguments, the same account.

    "drift" trains when the signals ask for it, "monthly" every four weeks; a model of the former is turned round on
    purpose and rolled back, a feed breaks, labels come late, a gateway is killed.
    """
    asked = {BEGIN: ("first", "final"), _day(6, 4): ("concept", "final"), _day(11, 2): ("data", "rolled back"),
             _day(16, 2): ("concept", "final"), _day(20, 5): ("concept", "rejected"), _day(24, 2): ("data", "held"),
             _day(31, 2): ("data", "short"), _day(39, 1): ("concept", "running")}  # fmt: skip
    monthly = {BEGIN: ("first", "final")} | {
        _day(week, 2): ("age", "short" if week == 31 else "final") for week in range(3, weeks, 4)
    }
    end = BEGIN + timedelta(weeks=weeks)
    plans = {"drift": asked, "monthly": monthly}
    return Account(
        use_case="flight_delays",
        metric="log_loss",
        higher=False,
        first="2013-02-18",
        begin=f"{BEGIN:%Y-%m-%d}",
        end=f"{end - timedelta(weeks=1):%Y-%m-%d}",
        seed=seed,
        policies=tuple(
            _policy(name, {at: one for at, one in plan.items() if at < end}, weeks, seed)
            for name, plan in plans.items()
        ),
        against=(_against(NEVER, 0.0, weeks, 0), _against(EVERY, 0.024, weeks, 1 + weeks // 4)),
    )


def empty() -> Account:
    """An account of a replay that was stopped before its first week: a policy of which nothing is known."""
    whole = account(weeks=1)
    nothing = replace(
        whole.policies[0], changes={}, weeks=(), versions=(), stages=(), told=(), sabotage=(), metrics={}, ledger="",
        costs=Costs(runs=0, trainings=0, rollouts=0, finalized=0, rolled_back=0, shadow=0, exposed=0, harmed=0,
                    failed=0, seconds=0.0),
    )  # fmt: skip
    return replace(whole, policies=(nothing,), against=())


def hostile(name: str) -> Account:
    """An account that says this name wherever a name or a sentence can stand."""
    whole = account(weeks=8)
    first = whole.policies[0]
    week = replace(
        first.weeks[0], by_version={name: 3}, metrics={name: 0.4}, data=name, prediction=name, concept=name,
        response=name, reason=name, drift={name: 1.2, f"{name}.": 0.1}, faults=(name,),
    )  # fmt: skip
    policy = replace(
        first,
        name=name,
        changes={name: name},
        weeks=(week, *first.weeks[1:]),
        versions=tuple(replace(one, cause=name, why=name, verdict=name, judged=name) for one in first.versions),
        stages=tuple(
            replace(one, stage=name if at == 1 else one.stage, why=name) for at, one in enumerate(first.stages)
        ),
        ledger=name,
        told=tuple(replace(one, kind=name, subject=name, who=name, why=name) for one in first.told),
        sabotage=(Sabotage(week="2013-03-11", kind=name, done=name, met=name),),
        metrics={name: 0.4},
    )
    against = Against(name=name, weeks={"2013-03-11": {name: 0.5}}, metrics={name: 0.5}, trainings=1)
    return replace(whole, use_case=name, metric=name, first=name, policies=(policy,), against=(against,))


def _day(week: int, day: int) -> datetime:
    return BEGIN + timedelta(weeks=week, days=day, hours=6)


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _policy(name: str, plan: dict[datetime, tuple[str, str]], weeks: int, seed: int) -> Policy:
    luck = random.Random(f"{seed} {name}")
    versions, stages = _rollouts(plan, BEGIN + timedelta(weeks=weeks))
    finals = [one for one in stages if one.stage == "FINALIZED"]
    told = tuple(sorted((*_asked(plan), *map(_decided, stages)), key=lambda one: one.at))
    seen = tuple(_week(at, luck, finals, stages) for at in range(weeks))
    labelled = sum(week.labelled for week in seen)
    sabotage = _SABOTAGE if name == "drift" else ()
    return Policy(
        name=name,
        changes={} if name == "drift" else {"retraining.max_age": "28 days", "retraining.cooldown": "0 days"},
        weeks=seen,
        versions=versions,
        stages=stages,
        ledger=f"{luck.getrandbits(256):064x}",
        told=told,
        sabotage=tuple(one for one in sabotage if one.week < f"{BEGIN + timedelta(weeks=weeks):%Y-%m-%d}"),
        costs=Costs(
            runs=9 * weeks + 3 * len(versions), trainings=len(versions), rollouts=len(versions), finalized=len(finals),
            rolled_back=sum(one.stage == "ROLLED_BACK" for one in stages), shadow=12_900 * len(versions),
            exposed=2_140 * len(versions), harmed=310 if name == "drift" else 0, failed=4 if name == "drift" else 0,
            seconds=412.3,
        ),
        metrics={
            metric: sum((week.metrics[metric] or 0.0) * week.labelled for week in seen) / labelled
            for metric in ("log_loss", "auc")
        },
    )  # fmt: skip


_SABOTAGE = (
    Sabotage(week="2013-05-20", kind="wrong_model", done="The answers of the next challenger are turned round.",
             met="Version 3 was rolled back at 5 % after 310 answers to users: its rate of errors was certified above "
             "the champion's."),
    Sabotage(week="2013-07-22", kind="slow_model", done="The next challenger takes 10 s a call.",
             met="Version 5 never got beyond the probe: it was rejected."),
    Sabotage(week="2013-08-12", kind="broken_feed", done="The week's file has kilometres for miles.",
             met="A feed fault was reported on distance_miles, and nothing was trained on it."),
    Sabotage(week="2013-08-19", kind="label_delay", done="Outcomes are told three weeks late.",
             met="The rollout of version 6 was held until they came."),
    Sabotage(week="2013-10-21", kind="crash", done="Gateway and controller are killed on Wednesday noon.",
             met="4 requests got no answer; everything went on from the database."),
)  # fmt: skip
_WHY = {
    "first": "The first model.",
    "concept": "concept drift: the alarm's bound was reached after 3,412 labels, and the model is wrong more often.",
    "data": "the inputs have moved for 2 weeks in a row and no outcome says that the model still holds",
    "age": "The model is 28 days old, the policy's most.",
}
_MET = {
    "final": (6, "FINALIZED", "Certified at every step: it is not worse by more than the margin."),
    "held": (6, "FINALIZED", "Certified at every step: it is not worse by more than the margin."),
    "rolled back": (3, "ROLLED_BACK", "Its rate of errors is 4.1 times the champion's, beyond chance."),
    "rejected": (1, "REJECTED", "The gateway could not load it: the probe took 10.0 s."),
    "running": (2, "", ""),
}


def _rollouts(plan: dict[datetime, tuple[str, str]], end: datetime) -> tuple[tuple[Version, ...], tuple[Stage, ...]]:
    versions: list[Version] = []
    stages: list[Stage] = []
    champion = 0
    begun = [at for at, (_, fate) in plan.items() if fate != "short"]
    for number, (at, (cause, fate)) in enumerate(plan.items(), start=1):
        versions.append(Version(
            version=number, week=f"{at - timedelta(days=10 + at.weekday()):%Y-%m-%d}", registered_at=_instant(at),
            cause=cause, why=_WHY[cause], verdict="FAIL" if fate == "short" else "PASS",
            judged="log loss 0.4711 against 0.4702 of the champion: shown to be worse by 0.0009 [0.0002, 0.0016]."
            if fate == "short" else "log loss 0.4611 against 0.4792 of the champion: not shown to fall short.",
        ))  # fmt: skip
        if fate == "short":
            continue
        steps, final, why = _MET[fate]
        following = min((later for later in begun if later > at), default=None)
        since = at
        for stage, share, days in (
            *_LADDER[:steps],
            *([(final, 1.0 if final == "FINALIZED" else 0.0, None)] if final else []),
        ):
            until = (
                following
                if days is None
                else since + timedelta(days=days * (2.4 if fate == "held" and days == 14 else 1))
            )
            until = min(until or end, end)
            said = why if days is None else f"{stage} at {share:.0%} began: the step before was certified."
            lasts = until >= end or (fate == "running" and stage == "SHADOW")
            stages.append(Stage(version=number, champion=champion, stage=stage, share=share, since=_instant(since),
                                until="" if lasts else _instant(until), why=said))  # fmt: skip
            since = until
            if lasts:
                break
        if stages[-1].stage == "FINALIZED":
            champion = number
    return tuple(versions), tuple(stages)


def _asked(plan: dict[datetime, tuple[str, str]]) -> Iterator[Told]:
    for number, (at, (cause, fate)) in enumerate(plan.items(), start=1):
        if cause != "first":
            sensor = "concept_drift_sensor" if cause == "concept" else "drift_sensor"
            yield Told(at=_instant(at - timedelta(minutes=9)), kind="retrain_requested",
                       subject=f"flight_delays {at:%Y-%m-%d}", who=sensor, why=_WHY[cause])  # fmt: skip
        yield Told(
            at=_instant(at), kind="registered", subject=f"flight_delays {number}", who="trained_model", why="A model."
        )
        if fate == "held":
            held = at + timedelta(days=9)
            yield Told(at=_instant(held), kind="held", subject=f"flight_delays {number}", who="controller",
                       why="Outcomes are missing: the newest label is 8 days old.")  # fmt: skip
            yield Told(at=_instant(held + timedelta(days=13)), kind="resumed", subject=f"flight_delays {number}",
                       who="controller", why="Outcomes came: the evidence is whole again.")  # fmt: skip


def _decided(stage: Stage) -> Told:
    kinds = {
        "PREPARING": "rollout_opened",
        "FINALIZED": "finalized",
        "ROLLED_BACK": "rolled_back",
        "REJECTED": "rejected",
    }
    return Told(at=stage.since, kind=kinds.get(stage.stage, "stage_advanced"), subject=f"flight_delays {stage.version}",
                who="controller", why=stage.why)  # fmt: skip


def _week(at: int, luck: random.Random, finals: list[Stage], stages: tuple[Stage, ...]) -> Week:
    begin = BEGIN + timedelta(weeks=at)
    newest = max((stage for stage in finals if stage.since <= _instant(begin)), key=lambda one: one.since, default=None)
    champion = newest.version if newest else 0
    age = at if newest is None else (begin - datetime.fromisoformat(newest.since).replace(tzinfo=None)).days / 7
    asked = 6_300 + luck.randrange(500)
    canary = [one for one in stages if one.stage in ("CANARY", "SOAK") and one.since[:10] >= f"{begin:%Y-%m-%d}"
              and one.since < _instant(begin + timedelta(weeks=1))]  # fmt: skip
    exposed = int(asked * sum(one.share for one in canary) / 7)
    by = {str(champion): asked - exposed} | ({str(canary[0].version): exposed} if exposed else {})
    loss, hard = _loss(at), _HARD.get(at + 10, 0.0)
    gain = 0.0 if champion == 0 else max(0.0, 0.024 - 0.0012 * age)
    drift = {
        column: round(abs(math.sin(place * 7.3) * 0.5 + luck.gauss(0, 0.18) + abs(hard) * 9 * (place % 3 == 0)), 4)
        for place, column in enumerate(COLUMNS)
    }
    faults = ("distance_miles: 1.61 times what it was, as miles read as kilometres.",) if at == 23 else ()
    if faults:
        drift["distance_miles"] = 6.2
    over = sum(ratio >= 1 for ratio in drift.values())
    data = "feed fault" if faults else "act" if over >= 9 else "watch" if over else "quiet"
    concept = (
        "insufficient labels"
        if at in (24, 25)
        else "concept drift"
        if hard > 0.085
        else "watch"
        if hard > 0.05
        else "ok"
    )
    response = ("check the feed" if faults else "retrain" if concept == "concept drift" else
                "watch" if data != "quiet" or concept != "ok" else "nothing")  # fmt: skip
    labelled = 0 if concept == "insufficient labels" else int(asked * 0.972)
    return Week(
        week=f"{begin:%Y-%m-%d}",
        asked=asked,
        answered=asked - (4 if at == 33 else 0),
        labelled=labelled,
        by_version=by,
        metrics={"log_loss": None, "auc": None} if not labelled else {
            "log_loss": round(loss - gain + (0.035 if champion == 0 else 0) + luck.gauss(0, 0.002), 6),
            "auc": round(0.712 + gain + luck.gauss(0, 0.01), 6),
        },
        predicted=round(0.24 + hard / 3, 4) if labelled else None,
        actual=round(0.237 + hard, 4) if labelled else None,
        data=data if champion else "",
        prediction=("inconclusive" if faults else "drift" if abs(hard) > 0.11 else "stable") if champion else "",
        concept=concept if champion else "",
        response=response if champion else "",
        reason=_REASONS.get(response, "something has moved") if champion else "",
        drift=drift if champion else {},
        faults=faults if champion else (),
    )  # fmt: skip


_REASONS = {"retrain": "the model is wrong more often than when it was made", "nothing": "all is as it was",
            "check the feed": "a feed is broken: a model trained on it would learn the fault"}  # fmt: skip


def _loss(at: int) -> float:
    """Of a model that is never trained again: the year, and its growing age."""
    return 0.472 + 0.9 * max(_HARD.get(at + 10, 0.0), -0.06) + 0.025 * math.sin(at / 5) + 0.0003 * at


def _against(name: str, gain: float, weeks: int, trainings: int) -> Against:
    luck = random.Random(name)
    seen = {
        f"{BEGIN + timedelta(weeks=at):%Y-%m-%d}": None if at in (24, 25) else {
            "log_loss": round(_loss(at) - gain * min(1.0, at / 9) + luck.gauss(0, 0.002), 6),
            "auc": round(0.712 + gain * min(1.0, at / 9) + luck.gauss(0, 0.01), 6),
        }
        for at in range(weeks)
    }  # fmt: skip
    known = [week for week in seen.values() if week]
    return Against(
        name=name,
        weeks={week: found or {"log_loss": None, "auc": None} for week, found in seen.items()},
        metrics={metric: sum(week[metric] for week in known) / len(known) for metric in ("log_loss", "auc")},
        trainings=trainings,
    )
