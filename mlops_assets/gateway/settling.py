"""From scores to an answer: into the prediction log first, then to whoever waits.

Here belong the log's records and what is made of its word: an id that was answered before gets the answer it got then,
one that was used for another question a refusal. Where the log cannot be written, nothing is answered.
"""

from collections.abc import Callable, Sequence

from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway.asked import Asked, Given
from mlops_assets.gateway.refusals import Refused, not_now
from mlops_assets.gateway.stats import Stats
from mlops_assets.stores.serving.predictions import Answered, Outcome, PredictionLog, Told

_REASON = 200  # characters


class Settling:
    """How answered requests are settled."""

    def __init__(self, log: PredictionLog, stats: Stats, clock_us: Callable[[], int]) -> None:
        self._log, self._stats, self._clock_us = log, stats, clock_us

    async def settle(self, requests: Sequence[Asked]) -> list[Asked]:
        """Log the answers of all rows of these requests, then give them. Those that were given for the first time."""
        open_ = [asked for asked in requests if not asked.over]
        records = [record for asked in open_ for record in self._records(asked)]
        try:
            outcomes = iter(await self._log.write(records)) if records else iter(())
        except MlopsError as unwritten:
            for asked in open_:
                _refuse(asked, not_now("log", f"the prediction log takes no records: {unwritten}"))
            return []
        first = []
        for asked in open_:
            told = [next(outcomes) for _ in asked.given]
            if self._give(asked, told):
                first.append(asked)
        return first

    def _records(self, asked: Asked) -> list[Answered]:
        now, question = self._clock_us(), asked.question
        made = []
        for row, (id_, given) in enumerate(zip(asked.ids, _all(asked), strict=True)):
            standing = given.routing.row
            unit = question.units[row]
            made.append(
                Answered(
                    id=id_, request=asked.id, row=row, unit=id_ if unit is None else unit[:1000],
                    rollout=str(standing.rollout), epoch=standing.epoch, stage=standing.stage.value,
                    share=standing.share, assigned=given.assigned.value, version=given.version,
                    champion=standing.champion, challenger=standing.challenger, as_of_us=question.as_of_us[row],
                    received_us=asked.received_us, answered_us=now, score=given.score,
                    status="error" if given.score is None else "fallback" if given.fell_back else "ok",
                    reason=given.reason[:_REASON], latency_us=given.latency_us, challenger_bad=given.challenger_bad,
                    bad=given.bad, content=asked.content, features=question.features[row],
                )
            )  # fmt: skip
        return made

    def _give(self, asked: Asked, outcomes: Sequence[Outcome]) -> bool:
        if asked.over:  # it gave up waiting; its answer stands in the log
            return False
        given = _all(asked)
        if any(outcome.told is Told.CONFLICT for outcome in outcomes):
            _refuse(
                asked,
                Refused(409, "conflict", f"request id {asked.id!r} was used for another question: send a new id."),
            )
            return False
        for one, outcome in zip(given, outcomes, strict=True):
            if isinstance(outcome.stored, Answered):  # sent again: the answer it got then
                one.score, one.version, one.reason = outcome.stored.score, outcome.stored.version, outcome.stored.reason
        for one in given:
            if one.score is None:
                _refuse(asked, Refused(422, "no_answer", f"the model has no answer to these values: {one.reason}"))
                return False
        for one in given:
            self._stats.add("rows_total", one.arm.value)
        asked.done.set_result(given)
        return all(outcome.told is Told.WRITTEN for outcome in outcomes)


def _refuse(asked: Asked, refused: Refused) -> None:
    if not asked.over:
        asked.done.set_exception(refused)


def _all(asked: Asked) -> list[Given]:
    return [given for given in asked.given if given is not None]
