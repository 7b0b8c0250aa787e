"""What is shown of a rollout: plain values in reading order, already in words where words are wanted.

Page, JSON and command line show the same record. It holds nothing secret, and decides nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from mlops_assets.declare.errors import DataError

LIVE_S = 60.0  # the span of the live numbers


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """A model version that answers, and which share (0..1) of the requests."""

    arm: str
    version: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One stage of the ladder, with the challenger's share (0..1) there, and whether it is behind or ahead."""

    name: str
    share: float
    place: Literal["done", "now", "ahead"]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One measure: what it says so far and how far (1.0: there) the evidence is on its way to either bound.

    `champion` and `challenger` are the measured values, None where there is none, over `count` answers or pairs.
    """

    name: str
    verdict: str
    count: int
    champion: float | None
    challenger: float | None
    toward_pass: float
    toward_fail: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Live:
    """The calls of one model in one arm in the last LIVE_S: how many, the share (0..1) of bad ones, scoring in ms.

    `mirrored`: nobody waited for them (shadow).
    """

    arm: str
    version: int
    mirrored: bool
    calls: int
    bad_share: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """An event in words. `at_us` is microseconds since 1970."""

    epoch: int
    at_us: int
    kind: str
    who: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A gateway: the epoch it has seen, for how many seconds it was not heard of, model version -> what its slot is.

    `heard` is False while no sign of life was met since one looks: it may be dead for longer.
    """

    name: str
    epoch: int
    heard: bool
    silent_s: float
    slots: Mapping[int, str]

    @property
    def sign(self) -> str:
        """When it was last heard of, in words."""
        return f"{span(self.silent_s)} ago" if self.heard else f"not in the last {span(self.silent_s)}"


@dataclass(frozen=True, kw_only=True)
class Status:
    """A rollout as it stands at `at_us`. `faults` come first: what is wrong, in whole sentences.

    `standing` says where it stands and `waits_for` what the next step needs. `controller` is who holds the lease,
    heard of `controller_s` seconds ago; "" and None where nobody does.
    """

    use_case: str
    at_us: int
    epoch: int
    stage: str
    step: int
    since_us: int
    standing: str
    waits_for: str
    faults: tuple[str, ...]
    answerers: tuple[Answerer, ...]
    ladder: tuple[Rung, ...]
    bars: tuple[Bar, ...]
    live: tuple[Live, ...]
    decisions: tuple[Decision, ...]
    peers: tuple[Peer, ...]
    controller: str
    controller_s: float | None
    waiting: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """By field, as JSON values."""
        return asdict(self)


def status_of(record: Mapping[str, Any]) -> Status:
    """The status of what `to_json` gave. Raises DataError for anything else."""
    parts = {"answerers": Answerer, "ladder": Rung, "bars": Bar, "live": Live, "decisions": Decision, "peers": Peer}
    try:
        made = {name: tuple(kind(**one) for one in record[name]) for name, kind in parts.items()}
        told = {name: tuple(record[name]) for name in ("faults", "waiting")}
        made["peers"] = tuple(replace(peer, slots={int(v): s for v, s in peer.slots.items()}) for peer in made["peers"])
        return Status(**{**record, **told, **made})
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise DataError(f"this is no status of a rollout ({wrong}): is it a gateway of this project?") from wrong


def version_name(version: int) -> str:
    """A model version as it is called.

    >>> version_name(0), version_name(7)
    ('the baseline', 'version 7')
    """
    return f"version {version}" if version else "the baseline"


def percent(share: float) -> str:
    """A share as a percentage that is never rounded to all or nothing.

    >>> percent(0.05), percent(1.0), percent(0.9999), percent(0.0001)
    ('5 %', '100 %', '99.99 %', '0.01 %')
    """
    return f"{100 * share:.4g} %"


def span(seconds: float) -> str:
    """A span of time in the largest unit of which there is more than one and a half.

    >>> span(0.42), span(59.9), span(3600), span(9000), span(200_000)
    ('0.4 s', '59 s', '60 min', '2.5 h', '2.3 d')
    """
    found = ""
    for size, unit in ((1, "s"), (60, "min"), (3600, "h"), (86_400, "d")):
        number = max(seconds, 0.0) / size
        if not found or number >= 1.5:
            found = f"{int(number)} {unit}" if number >= 10 else f"{number:.1f} {unit}"
    return found
