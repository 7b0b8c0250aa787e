"""The terms of one rollout: its plan and the task of its use case, as they were when it was opened.

Here belongs how they are written down. The first event of a rollout records them whole, so code that is changed while
it runs changes nothing; their hash is over what was recorded, not over what today's code makes of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from typing import Any

from mlops_assets.core.versions import JSON, record_version
from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.modelling import Task
from mlops_assets.declare.rollout import Quality, RolloutPlan, Step

_MICROSECOND = timedelta(microseconds=1)
_SPAN = "us"  # a span of time is {"us": whole microseconds}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A plan and a task. `hash` names them among all; made by `terms_of` it is that of the record.

    >>> made = Terms.of(RolloutPlan(quality=Quality(loss="brier", margin=0.002)), Task.CLASSIFICATION)
    >>> terms_of(made.to_json()) == made
    True
    """

    plan: RolloutPlan
    task: Task
    hash: str

    @classmethod
    def of(cls, plan: RolloutPlan, task: Task) -> "Terms":
        """The terms a use case declares now."""
        return cls(plan=plan, task=task, hash=record_version(_recorded(plan, task)))

    def to_json(self) -> dict[str, JSON]:
        """`{"plan": {...}, "task": ...}`; what `terms_of` reads."""
        return _recorded(self.plan, self.task)


def terms_of(record: Mapping[str, JSON]) -> Terms:
    """The terms of a record. A field that the record lacks has its default. Raises DataError for what is no record."""
    try:
        told: dict[str, Any] = {name: _read(value) for name, value in record["plan"].items()}
        told["quality"] = Quality(**{name: _read(value) for name, value in told["quality"].items()})
        told["steps"] = tuple(Step(**step) for step in told["steps"])
        plan, task = RolloutPlan(**told), Task(record["task"])
    except (KeyError, TypeError, ValueError, AttributeError, DeclarationError) as wrong:
        raise DataError(f"a recorded rollout plan cannot be read ({wrong}): other code wrote it.") from wrong
    return Terms(plan=plan, task=task, hash=record_version({"plan": record["plan"], "task": record["task"]}))


def _recorded(plan: RolloutPlan, task: Task) -> dict[str, JSON]:
    return {"plan": _plain(plan), "task": task.value}


def _plain(value: Any) -> JSON:
    if isinstance(value, timedelta):
        return {_SPAN: value // _MICROSECOND}
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _read(value: JSON) -> Any:
    if isinstance(value, dict) and set(value) == {_SPAN}:
        return value[_SPAN] * _MICROSECOND
    return value
