"""The table of transitions as a picture: the state diagram of `docs/architecture.md`, in Mermaid's words."""

from collections.abc import Iterable

from mlops_assets.core.rollout.events import Kind
from mlops_assets.core.rollout.transitions import table
from mlops_assets.core.rollout.words import Stage

Transition = tuple[Stage, Kind, Stage]


def mermaid() -> str:
    """A Mermaid `stateDiagram-v2`: each stage with the events that leave it as it is, an arrow for all that lead on.

    >>> print(mermaid().splitlines()[0])
    stateDiagram-v2
    """
    moves, stays = _parted(table())
    lines = [f"{stage.value} : stays at {_names(stays, stage, stage)}" for stage in Stage]
    lines += [f"[*] --> {Stage.IDLE.value}"]
    arrows = dict.fromkeys((stage, to) for stage, _, to in moves)
    lines += [f"{stage.value} --> {to.value} : {_names(moves, stage, to)}" for stage, to in arrows]
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in lines)])


def _parted(transitions: Iterable[Transition]) -> tuple[list[Transition], list[Transition]]:
    """Those of events that lead somewhere, and those of events that change no stage wherever they come."""
    known = list(transitions)
    moving = {kind for stage, kind, to in known if stage is not to}
    return [one for one in known if one[1] in moving], [one for one in known if one[1] not in moving]


def _names(transitions: Iterable[Transition], stage: Stage, to: Stage) -> str:
    return ", ".join(kind.value for here, kind, there in transitions if (here, there) == (stage, to))
