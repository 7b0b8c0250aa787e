"""A rollout that climbs by certificates which hold, in a folder; and a gateway around it whose models do not matter."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx

from mlops_assets.core.rollout.certificate import certificate
from mlops_assets.core.rollout.events import Event, Kind
from mlops_assets.core.rollout.evidence import Evidence
from mlops_assets.core.rollout.judge import judge
from mlops_assets.core.rollout.words import Arm, Pair, Seen, Stage
from mlops_assets.declare import Quality, RolloutPlan, Task, UseCase
from mlops_assets.gateway import feeds, operate
from mlops_assets.gateway.app import build
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.status import routes as status
from mlops_assets.gateway.tokens import Tokens
from mlops_assets.stores.serving.checkpoints import Checkpoint
from mlops_assets.stores.serving.lease import Lease
from mlops_assets.stores.serving.predictions import PredictionLog
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.serving.watch import Watch
from mlops_assets.stores.settings import settings

PLAN = RolloutPlan(quality=Quality(loss="brier", margin=0.5, block=None, blocks=5), shadow_least=1, soak_least=1)
TOKENS = Tokens(operator="operator-0123456789", feed="feed-0123456789abcdef")
NOW_US = 1_400_000_000_000_000


class Rolling:
    """The rollouts of `flight_delays` in a folder, moved by whoever holds the lease: us."""

    def __init__(self, folder: Path, use_case: str = "flight_delays") -> None:
        self.rollouts = Rollouts(folder, use_case)
        self._lease: Lease | None = None
        self._at_us = count(NOW_US, 60_000_000)

    def open(self, version: int) -> None:
        """Nominate a version."""
        self.rollouts.open(version, PLAN, Task.CLASSIFICATION, baseline_of=1, who="a test", why=f"it is {version}",
                           at_us=next(self._at_us))  # fmt: skip

    def climb(self, to: Stage, step: int = 0) -> None:
        """Go on by proof until the stage, and step, is reached."""
        while (row := self.rollouts.row()).stage is not to or row.step != step:
            if row.stage is Stage.PREPARING:
                self._write(Kind.READY, {})
                continue
            terms = self.rollouts.standing().terms
            assert terms is not None
            evidence = enough(row.share)
            judgement = judge(terms.plan, row.stage, row.step, evidence)
            self.rollouts.checkpoints.keep(self.rollouts.standing(), Checkpoint(evidence, 0, 0))
            proof = {"certificate": certificate(row, evidence, judgement)}
            self._write(Kind.FINALIZED if row.stage is Stage.SOAK else Kind.ADVANCED, proof)

    def finalize(self, version: int) -> None:
        """The whole way of a version."""
        self.open(version)
        self.climb(Stage.FINALIZED)

    def beat(self) -> None:
        """A sign of life of the controller."""
        leases = self.rollouts.leases
        self._lease = leases.beat(self._lease) if self._lease else leases.take("a controller", leases.look())

    def _write(self, kind: Kind, facts: dict[str, Any]) -> None:
        if self._lease is None:
            self.beat()
        epoch = self.rollouts.row().epoch
        event = Event(epoch=epoch + 1, at_us=next(self._at_us), kind=kind, who="a controller", why="by proof",
                      once=f"{kind.value} {epoch}", facts=facts)  # fmt: skip
        self.rollouts.write(event, expect=epoch, lease=self._lease)


@cache
def enough(share: float) -> Evidence:
    """Evidence of a challenger that is as good as the champion, for any stage of PLAN."""
    seen: Sequence[Seen] = [
        Seen(1, share, arm, arm, mirrored, frozenset())
        for arm, mirrored in ((Arm.CHAMPION, share == 1), (Arm.CHALLENGER, share == 0))
        for _ in range(round(40_000 * _portion(share, arm)))
    ]
    return Evidence.start(PLAN, Task.CLASSIFICATION).fold(seen, [Pair(1, "", 1.0, 0.7, 0.7)] * 400)


def _portion(share: float, arm: Arm) -> float:
    if share in (0, 1):
        return 1.0
    return share if arm is Arm.CHALLENGER else 1 - share


def gateway_of(folder: Path, use_case: UseCase, *, environ: dict[str, str] | None = None) -> Gateway:
    """A gateway whose routes that ask no model work."""
    rollouts = Rollouts(folder / "serving", use_case.name)
    return Gateway(
        use_case=use_case,
        rollouts=rollouts,
        log=PredictionLog(folder / "serving", use_case),
        watch=Watch(rollouts, time.monotonic),
        tokens=TOKENS,
        places=settings({"MLOPS_DATA": str(folder), **(environ or {})}),
        clock_us=lambda: NOW_US + int(timedelta(days=1).total_seconds() * 1e6),
        monotonic=time.monotonic,
        new_id=iter(map(str, count())).__next__,
        **cast(Any, dict.fromkeys(("slots", "batcher", "asking", "stats"), SimpleNamespace(replied=lambda *_: None))),
    )


class Client:
    """Asks the routes that need no model, one request after the other, in one event loop."""

    def __init__(self, gateway: Gateway, role: str | None = None) -> None:
        app = build(gateway, [*operate.routes(gateway), *feeds.routes(gateway), *status.routes(gateway)])
        headers = {"Authorization": f"Bearer {getattr(TOKENS, role)}"} if role else {}
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("10.0.0.7", 4711))  # type: ignore[arg-type]
        self._client = httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers)
        self._runner = asyncio.Runner()

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask."""
        return self._runner.run(self._client.get(path, **options))

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Tell."""
        return self._runner.run(self._client.post(path, **options))
