"""The status of a rollout, read from where it is kept: the same for a gateway and for the command line.

Here belongs reading. What is shown follows from the events, never from a row that somebody may have changed.
"""

import math
import threading
from collections.abc import Callable, Sequence

from mlops_assets.core.rollout.judge import judge
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway.status import wording
from mlops_assets.gateway.status.record import LIVE_S, Answerer, Bar, Decision, Live, Peer, Status
from mlops_assets.stores.serving.heartbeats import Gateway
from mlops_assets.stores.serving.lease import NOBODY, Silence
from mlops_assets.stores.serving.log_reader import Recent
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.watch import Routing

_DECISIONS = 12


class Gathering:
    """Reads the status whenever it is asked; from any thread, one at a time.

    `recent` gives the calls since an instant (us), `clock_us` is the wall clock, `monotonic` one in seconds by which
    silence is measured: between two readings.
    """

    def __init__(
        self,
        rollouts: Rollouts,
        recent: Callable[[int], Sequence[Recent]],
        clock_us: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self._rollouts, self._recent, self._clock_us = rollouts, recent, clock_us
        self._silence = Silence(monotonic)
        self._turn = threading.Lock()

    def status(self, routing: Routing) -> Status:
        """The status now; `routing` is what a gateway does. Raises Unavailable when the database does not answer."""
        with self._turn:
            return self._gathered(routing)

    def _gathered(self, routing: Routing) -> Status:
        now = self._clock_us()
        standing, lease = self._rollouts.standing(), self._rollouts.leases.look()
        lease = None if lease is None or lease.holder == NOBODY else lease
        row, plan = standing.row, standing.terms.plan if standing.terms else None
        peers = tuple(map(self._peer, self._rollouts.heartbeats.all()))
        controller_s = self._silence.unchanged("controller", lease) if lease else None
        bars, unfit = self._bars(standing)
        live, unread = self._live(now)
        share = 0.0 if row.challenger is None else routing.row.share
        answerers = [Answerer(arm="champion", version=row.champion, share=1.0 - share)]
        if row.challenger is not None:
            answerers.append(Answerer(arm="challenger", version=row.challenger, share=share))
        events = self._rollouts.events(max(row.epoch - _DECISIONS, 0))
        return Status(
            use_case=row.use_case,
            at_us=now,
            epoch=row.epoch,
            stage=row.stage.value,
            step=row.step,
            since_us=row.since_us,
            standing=wording.standing(row, share, now),
            waits_for=wording.waits_for(row, plan, bars, peers),
            faults=(*wording.faults(routing, row, controller_s, peers), *unfit, *unread),
            answerers=tuple(answerers),
            ladder=wording.ladder(row, plan),
            bars=bars,
            live=live,
            decisions=tuple(Decision(epoch=e.epoch, at_us=e.at_us, kind=e.kind.value, who=e.who, why=e.why)
                            for e in reversed(events)),
            peers=peers,
            controller=lease.holder if lease else "",
            controller_s=controller_s,
            waiting=row.waiting,
        )  # fmt: skip

    def _peer(self, one: Gateway) -> Peer:
        sign = f"gateway {one.name}", one.beats
        silent_s, heard = self._silence.unchanged(*sign), math.isfinite(self._silence.of(*sign))
        return Peer(name=one.name, epoch=one.epoch, heard=heard, silent_s=silent_s, slots=dict(one.slots))

    def _bars(self, standing: Standing) -> tuple[tuple[Bar, ...], tuple[str, ...]]:
        """The measures of the running stage by the evidence the controller has kept, and why it cannot be trusted."""
        row, terms = standing.row, standing.terms
        if terms is None or row.stage not in (Stage.SHADOW, Stage.CANARY, Stage.SOAK):
            return (), ()
        judgement = judge(terms.plan, row.stage, row.step, self._rollouts.checkpoints.get(standing).evidence)
        bars = tuple(Bar(**measure.to_json()) for measure in judgement.measures)
        return bars, (f"The evidence cannot be judged: {judgement.fault}.",) if judgement.fault else ()

    def _live(self, now: int) -> tuple[tuple[Live, ...], tuple[str, ...]]:
        try:
            calls = self._recent(now - int(LIVE_S * 1e6))
        except MlopsError as unread:
            return (), (f"The prediction log cannot be read: {unread}",)
        return tuple(map(_live, sorted(calls, key=lambda one: (one.arm != "champion", one.mirrored, one.version)))), ()


def _live(one: Recent) -> Live:
    return Live(
        arm=one.arm,
        version=one.version,
        mirrored=one.mirrored,
        calls=one.calls,
        bad_share=min(sum(one.bad.values()) / one.calls, 1.0),  # one call may be bad in two ways
        p50_ms=one.p50_us / 1e3,
        p99_ms=one.p99_us / 1e3,
    )
