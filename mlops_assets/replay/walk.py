"""The walk through a use case's history: each week monitored, answered and decided upon as the sensors would have.

Time is that of the data. A week is looked at when its labels have matured; a model is trained on the window that ends
with it, stands in the shadow of the next weeks, and answers from the first week after it passed. One that the judge
cannot decide about stays in the shadow, as in a rollout; a newer one takes its place there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from mlops_assets.core.cohort import live_features
from mlops_assets.core.drift import DriftReport
from mlops_assets.core.performance.detector import Detector
from mlops_assets.core.performance.report import PerformanceReport, performance_report
from mlops_assets.core.reference import judge_week
from mlops_assets.core.retraining.cause import Cause, Signal
from mlops_assets.core.retraining.facts import Facts, Outcome, Training
from mlops_assets.core.retraining.policy import Decision, decide
from mlops_assets.core.row_selection import Selection
from mlops_assets.core.signals import Answer, Concept, Data, Signals, respond
from mlops_assets.core.verdicts import Verdict
from mlops_assets.declare import UseCase
from mlops_assets.replay.candidates import Candidate, Trainer
from mlops_assets.replay.shadow import Shadow


@dataclass(frozen=True, kw_only=True)
class WeekSeen:
    """One week of the walk. `model` answered it, `shadow` was beside it ("": none); both are named by their last week.

    `predicted` and `actual` are means over the `labelled` rows, `metric` is the promotion metric with its interval;
    None where there is no label. `drifted`: the columns that drifted, the worst first. `retrain` and `decision`: what
    the policy said, None and "" where no signal asked it.
    """

    week: str
    model: str
    shadow: str
    rows: int
    labelled: int
    predicted: float | None
    actual: float | None
    metric: float | None
    low: float | None
    high: float | None
    drift: str
    drifted: tuple[str, ...]
    faults: tuple[str, ...]
    data: str
    prediction: str
    concept: str
    concept_said: str
    response: str
    reason: str
    retrain: bool | None
    decision: str


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """A training the policy asked for, and what became of it: since when it stands ("": it does not), and why."""

    week: str
    signal: str
    reason: str
    since: str
    fate: str


class Walk:
    """`frames` as `Trainer` takes them; `first` is the last week the first model learns from."""

    def __init__(self, use_case: UseCase, frames: Mapping[str, pd.DataFrame], trainer: Trainer, first: str) -> None:
        self._use_case, self._frames, self._trainer = use_case, frames, trainer
        self._trainings = [Training(partition=first, key="", signal=None, outcome=Outcome.NOMINATED)]
        self.retrained: list[Retrained] = []
        self._shadow: Shadow | None = None
        self._standing = trainer.candidate(first)
        self._detector: Detector | None = None  # of the model that stands; a new one has seen nothing
        self._acting = 0  # windows in a row whose inputs drifted from its reference

    def weeks(self, begin: str, end: str, told: Callable[[str], None]) -> Iterator[WeekSeen]:
        """Every week from `begin` to `end`, both of them included; `told` hears which."""
        for week in self._frames:
            if begin <= week <= end:
                told(week)
                yield self._week(week)

    def _week(self, week: str) -> WeekSeen:
        frame, shadow = self._frames[week], self._judged(week)
        standing = self._standing
        drift, _ = judge_week(self._use_case, standing.profile, frame, standing.scorer, standing.importances)
        cohort = live_features(self._use_case, frame).cohort(self._use_case, standing.scorer)
        report = self._performance(week, cohort)
        signals = Signals(data=drift.data, prediction=drift.prediction, concept=report.state)
        answer = respond(signals)
        self._acting = self._acting + 1 if signals.data is Data.ACT else 0
        asked = self._asked(week, signals, answer)
        if shadow is not None:
            shadow.see(week, frame)
        if asked is not None and asked[1].yes:
            self._train(*asked)
        return _seen(self._use_case, week, cohort, drift, report, signals, answer, asked, standing, shadow)

    def _performance(self, week: str, cohort: pd.DataFrame) -> PerformanceReport:
        standing = self._standing
        report = performance_report(
            self._use_case,
            cohort,
            model=standing.name,
            level=standing.level,
            before=self._detector,
            reference_metrics=standing.trained.metrics,
            matured=True,
            matures_at=Selection.declared(self._use_case).label_cutoff(week).isoformat(),
        )
        self._detector = report.detector
        return report

    def _judged(self, week: str) -> Shadow | None:
        """The shadow that goes on in this week, after what is beside the model was judged, if it may be."""
        if self._shadow is None or (measure := self._shadow.judged(self._frames[week])) is None:
            return self._shadow
        if measure.verdict is Verdict.INCONCLUSIVE:
            self._settle(measure.sentence)
            return self._shadow
        candidate, self._shadow = self._shadow.candidate, None
        if measure.verdict is Verdict.PASS:
            self._standing, self._detector, self._acting = candidate, None, 0
            self._settle(measure.sentence, since=week)
        else:
            self._settle(measure.sentence, outcome=Outcome.FELL_SHORT)
        return None

    def _settle(self, fate: str, *, since: str = "", outcome: Outcome = Outcome.NOMINATED) -> None:
        self.retrained[-1] = replace(self.retrained[-1], fate=fate, since=since)
        self._trainings[-1] = replace(self._trainings[-1], outcome=outcome)

    def _asked(self, week: str, signals: Signals, answer: Answer) -> tuple[Cause, Decision] | None:
        """The cause that the policy says yes to, else the first that it says no to; None when nothing asks."""
        standing, found = self._standing, []
        for signal in self._asking(signals):
            cause = Cause(
                use_case=self._use_case.name, model=standing.name, model_digest=standing.digest,
                reference=standing.reference, window=week, signal=signal,
            )  # fmt: skip
            found.append((cause, decide(self._use_case, cause, answer, self._facts(week))))
        return next((asked for asked in found if asked[1].yes), found[0] if found else None)

    def _asking(self, signals: Signals) -> Iterator[Signal]:
        if signals.concept is Concept.DRIFT:
            yield Signal.CONCEPT
        if signals.data is Data.ACT:
            yield Signal.DATA
        if self._use_case.retraining.max_age is not None:
            yield Signal.AGE

    def _facts(self, week: str) -> Facts:
        last = max(training.partition for training in self._trainings)
        label = self._use_case.label.column
        return Facts(
            newest=week,
            trained_to=self._standing.week,
            fresh_rows=sum(int(self._frames[w][label].notna().sum()) for w in self._frames if last < w <= week),
            act_windows=self._acting,
            rollout=f"the model of {self._shadow.candidate.week} is in its shadow" if self._shadow else "",
            trainings=tuple(self._trainings),
        )

    def _train(self, cause: Cause, decision: Decision) -> None:
        if self._shadow is not None:
            self._settle(f"superseded by the model of {cause.window}", outcome=Outcome.FELL_SHORT)
        self._shadow = Shadow(self._use_case, self._trainer.candidate(cause.window), self._standing)
        self._trainings.append(
            Training(partition=cause.window, key=cause.key, signal=cause.signal, outcome=Outcome.NOMINATED)
        )
        self.retrained.append(
            Retrained(
                week=cause.window,
                signal=cause.signal.value,
                reason=decision.reason,
                since="",
                fate="its shadow was not over",
            )
        )


def _seen(
    use_case: UseCase,
    week: str,
    cohort: pd.DataFrame,
    drift: DriftReport,
    report: PerformanceReport,
    signals: Signals,
    answer: Answer,
    asked: tuple[Cause, Decision] | None,
    standing: Candidate,
    shadow: Shadow | None,
) -> WeekSeen:
    labelled = cohort[cohort["label"].notna()]
    metric = next((m for m in report.metrics if m.name == use_case.promotion.metric), None)
    return WeekSeen(
        week=week,
        model=standing.week,
        shadow=shadow.candidate.week if shadow else "",
        rows=len(cohort),
        labelled=len(labelled),
        predicted=float(labelled["prediction"].mean()) if len(labelled) else None,
        actual=float(labelled["label"].mean()) if len(labelled) else None,
        metric=metric.value if metric else None,
        low=metric.low if metric else None,
        high=metric.high if metric else None,
        drift=drift.verdict.value,
        drifted=drift.drifted,
        faults=tuple(f"{', '.join(fault.columns)} {fault.kind.value}" for fault in drift.faults),
        data=signals.data.value,
        prediction=signals.prediction.value,
        concept=signals.concept.value,
        concept_said=report.sentence,
        response=answer.response.value,
        reason=answer.reason,
        retrain=asked[1].yes if asked else None,
        decision=asked[1].reason if asked else "",
    )
