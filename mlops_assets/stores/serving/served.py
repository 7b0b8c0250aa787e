"""Which prediction log holds an answer, and what its model is recorded as: the way from a prediction to its data."""

from contextlib import closing
from pathlib import Path

from mlops_assets.core.online.ordered import moment
from mlops_assets.core.rollout.words import BASELINE
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.records.tracing import Served
from mlops_assets.stores.serving.log_places import places
from mlops_assets.stores.serving.log_reader import Reader
from mlops_assets.stores.serving.log_records import ID_LONGEST, Answered
from mlops_assets.stores.serving.rollouts import Rollouts


def served(where: str | Path, id: str) -> list[Served]:
    """The answer of that id in each use case that gave one, as soon as it was given; [] when none did.

    `where` is `Settings.serving`. Raises DataError for a request of several rows, Unavailable where one cannot look.
    """
    if not (0 < len(id) <= ID_LONGEST and id.isprintable()):
        return []
    found = []
    for use_case, place in places(where).items():
        with closing(Reader(place, "UTC")) as log:
            if (answer := log.answered(id)) is not None:
                label = log.label_of(id)
                found.append(_served(where, use_case, answer, None if label is None else label.label))
            elif rows := log.of_request(id):
                raise DataError(
                    f"{id!r} is a request of {len(rows)} rows to {use_case}: ask for one of them, {rows[0].id!r} .. "
                    f"{rows[-1].id!r}."
                )
    return found


def _served(where: str | Path, use_case: str, answer: Answered, label: float | None) -> Served:
    trained_as = answer.version
    if answer.version == BASELINE:
        with closing(Rollouts(where, use_case)) as rollouts:
            trained_as = rollouts.row().baseline_of
    return Served(
        id=answer.id, use_case=use_case, version=answer.version, arm=answer.arm, as_of=_told(answer.as_of_us),
        answered_at=_told(answer.answered_us), trained_as=trained_as, stage=answer.stage, share=answer.share,
        status=answer.status, score=answer.score, label=label,
    )  # fmt: skip


def _told(us: int) -> str:
    return moment(us).isoformat().replace("+00:00", "Z")
