"""From scores to an answer: into the prediction log first, then to whoever waits.

Here belong the log's records and what is made of its word: an id that was answered before gets the answer it got then,
one that was used for another question a refusal. Where the log cannot be written, nothing is answered.
"""

from collections.abc import Callable, Sequence

from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway.asked import Answer, Asked, Part
from mlops_assets.gateway.refusals import Refused, not_now
from mlops_assets.gateway.stats import Stats
from mlops_assets.stores.serving.log_records import BESIDE
from mlops_assets.stores.serving.predictions import Answered, Outcome, PredictionLog, Told

_REASON = 200  # characters


class Settling:
    """How answered requests are settled."""

    def __init__(self, log: PredictionLog, stats: Stats, clock_us: Callable[[], int]) -> None:
        self._log, self._stats, self._clock_us = log, stats, clock_us

    async def settle(self, requests: Sequence[Asked]) -> list[Asked]:
        """Log the answers of all rows of these requests, then give them. Those that were given for the first time."""
        open_ = [asked for asked in requests if not asked.over]
        records = [record for asked in open_ for part in asked.parts for record in self._records(asked, part)]
        if not records:
            return []
        try:
            outcomes = await self._log.write(records)
        except MlopsError as unwritten:
            for asked in open_:
                _refuse(asked, not_now("log", f"the prediction log takes no records: {unwritten}"))
            return []
        first, at = [], 0
        for asked in open_:
            told = outcomes[at : at + asked.question.rows]
            at += asked.question.rows
            if all(outcome.told is Told.WRITTEN for outcome in told):
                first.append(asked)
                self._give(asked, {})
            else:
                self._give_again(asked, told)
        return first

    def _records(self, asked: Asked, part: Part) -> list[Answered]:
        now, question, row = self._clock_us(), asked.question, part.routing.row
        rollout, stage, assigned, reason = str(row.rollout), row.stage.value, part.assigned.value, part.reason[:_REASON]
        status = "fallback" if part.fell_back else "ok"
        made = []
        beside = (BESIDE, BESIDE if part.challenger_bad else "")
        lead = (part.bad if part.lead else BESIDE, part.challenger_bad if part.challenger_lead else beside[1])
        for place, (n, score) in enumerate(zip(part.rows, part.scores, strict=True)):
            bad, challenger_bad = beside if place else lead
            id_, unit = asked.id_of(n), question.units[n]
            made.append(
                Answered(
                    id=id_, request=asked.id, row=n, unit=id_ if unit is None else unit, rollout=rollout,
                    epoch=row.epoch, stage=stage, share=row.share, assigned=assigned, version=part.version,
                    champion=row.champion, challenger=row.challenger, as_of_us=question.as_of_us[n],
                    received_us=asked.received_us, answered_us=now, score=score,
                    status="error" if score is None else status, reason=reason, latency_us=part.took_us,
                    challenger_bad=challenger_bad, bad=bad, content=asked.content,
                    features=question.features[n],
                )
            )  # fmt: skip
        return made

    def _give_again(self, asked: Asked, outcomes: Sequence[Outcome]) -> None:
        """The answers that were given to these ids before."""
        if any(outcome.told is Told.CONFLICT for outcome in outcomes):
            told = f"request id {asked.id!r} was used for another question: send a new id."
            _refuse(asked, Refused(409, "conflict", told))
            return
        rows = [row for part in asked.parts for row in part.rows]
        stored = {row: one.stored for row, one in zip(rows, outcomes, strict=True) if isinstance(one.stored, Answered)}
        self._give(asked, stored)

    def _give(self, asked: Asked, stored: dict[int, Answered]) -> None:
        scores: list[float | None] = [None] * asked.question.rows
        versions: dict[int, str] = {}
        for part in asked.parts:
            for row, score in zip(part.rows, part.scores, strict=True):
                scores[row] = score
            versions[part.version] = part.arm.value
            self._stats.add("rows_total", part.arm.value, by=len(part.rows))
        for row, answered in stored.items():
            scores[row] = answered.score
        if stored:
            versions = {answered.version: answered.arm for answered in stored.values()}
        given = [score for score in scores if score is not None]
        if asked.over:  # it gave up waiting; its answer stands in the log
            return
        if len(given) < len(scores):
            why = "; ".join(dict.fromkeys(part.reason for part in asked.parts if part.reason))
            _refuse(asked, Refused(422, "no_answer", f"the model has no answer to these values: {why}"))
        else:
            asked.done.set_result(
                Answer(
                    scores=given, versions=sorted(versions), arms=[versions[version] for version in sorted(versions)]
                )
            )


def _refuse(asked: Asked, refused: Refused) -> None:
    if not asked.over:
        asked.done.set_exception(refused)
