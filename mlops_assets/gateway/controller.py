"""The controller of a rollout: reads what the gateways logged, judges it, and writes at most one decision a tick.

Here belongs acting on decisions; which one it is says `core/rollout/decide.py`. Every worker of every gateway has a
controller, the one that holds the lease acts. Whatever goes wrong is told in the log of the process and changes
nothing: without a controller that is heard of, the gateways let the champion answer everything.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from mlops_assets.core.rollout.decide import Facts, decide
from mlops_assets.core.rollout.events import Event
from mlops_assets.core.rollout.judge import judge
from mlops_assets.core.rollout.standing import Standing
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare.errors import MlopsError
from mlops_assets.gateway.reading import Log, Reading
from mlops_assets.stores.serving.lease import NOBODY, Lease, Silence
from mlops_assets.stores.serving.ledgered import Mirror
from mlops_assets.stores.serving.rollouts import Rollouts, Stale

_BEFORE_A_PLAN_S = 10.0
_LOG = logging.getLogger(__name__)


class Controller:
    """The controller `name`, which is one of all gateways' controllers. For one thread.

    `clock_us` is the wall clock (us since 1970), `monotonic` a clock in seconds that never goes back. `mirror` tells
    the ledger of what was decided, None: nobody does.
    """

    def __init__(
        self,
        rollouts: Rollouts,
        log: Log,
        mirror: Mirror | None,
        *,
        clock_us: Callable[[], int],
        monotonic: Callable[[], float],
        name: str,
    ) -> None:
        self.name = name
        self._rollouts, self._mirror = rollouts, mirror
        self._reading = Reading(rollouts, log, monotonic)
        self._clock_us, self._monotonic = clock_us, monotonic
        self._lease: Lease | None = None
        self._refused = ""
        self._leases, self._gateways = Silence(monotonic), Silence(monotonic)

    def tick(self) -> Event | None:
        """Do what there is to do, and return the event that was written. Raises nothing that can be told."""
        try:
            standing = self._rollouts.standing()
            self._refused = ""
            if not self._leads(standing):
                return None
            if self._mirror is not None:
                self._mirror.nudge(standing.row.epoch)
            if self._rollouts.mend():
                _LOG.warning(
                    "%s: the row was changed by hand, it is written anew from its events", standing.row.use_case
                )
            return self._decided(standing)
        except Stale as late:
            _LOG.warning("%s: %s", self.name, late)
        except MlopsError as refused:
            if str(refused) != self._refused:  # once, not at every tick
                _LOG.error("%s: %s", self.name, refused)
            self._refused = str(refused)
        self._reading.forget()
        return None

    def close(self) -> None:
        """Let go of the lease, so that another need not wait for silence."""
        if self._lease is not None:
            lease, self._lease = self._lease, None
            self._rollouts.leases.release(lease)

    def _leads(self, standing: Standing) -> bool:
        """True while the lease is ours; takes one that is free or has been silent for as long as the plan says."""
        if self._lease is not None:
            self._lease = self._rollouts.leases.beat(self._lease)
            if self._lease is None:
                _LOG.warning("%s: the lease is another's by now", self.name)
                self._reading.forget()
        else:
            seen = self._rollouts.leases.look()
            patience_s = standing.terms.plan.silence.total_seconds() if standing.terms else _BEFORE_A_PLAN_S
            free = seen is None or seen.holder == NOBODY
            if free or self._leases.unchanged("lease", seen) >= patience_s:
                self._lease = self._rollouts.leases.take(self.name, seen)
        return self._lease is not None

    def _decided(self, standing: Standing) -> Event | None:
        row, terms = standing.row, standing.terms
        evidence = judgement = None
        facts = Facts(who=self.name, at_us=self._clock_us(), slots=self._live(standing))
        if terms is not None and row.stage in (Stage.SHADOW, Stage.CANARY, Stage.SOAK):
            evidence, exposed, fault, fresh = self._reading.read(standing, lambda: self._leads(standing))
            judgement = judge(terms.plan, row.stage, row.step, evidence)
            facts = replace(facts, exposed=exposed, fault=fault, fresh=fresh)
        event = decide(standing, evidence, judgement, facts)
        if event is not None:
            self._rollouts.write(event, expect=row.epoch, lease=self._lease)
            _LOG.info("%s %s: %s", row.use_case, event.kind.value, event.why)
        return event

    def _live(self, standing: Standing) -> dict[str, dict[int, str]]:
        """What each gateway says of its slots that was heard of within the plan's silence.

        One that was not heard of yet, or does not know of this rollout yet, says nothing; it may be loading.
        """
        row, terms = standing.row, standing.terms
        if terms is None:
            return {}
        silence_s, live, heard = terms.plan.silence.total_seconds(), {}, False
        for gateway in self._rollouts.heartbeats.all():
            if self._gateways.unchanged(gateway.name, gateway.beats) > silence_s:
                continue
            speaks = self._gateways.of(gateway.name, gateway.beats) <= silence_s
            heard |= speaks
            live[gateway.name] = dict(gateway.slots) if speaks and gateway.epoch >= row.rollout else {}
        return live if heard else {}
