"""Sabotage at work in a replay: who is spoiled when, and what became of it, in the words of whoever met it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mlops_assets.core.account import Sabotage
from mlops_assets.core.online.ordered import instant_us, moment
from mlops_assets.core.rollout.events import Kind as Told
from mlops_assets.core.rollout.words import Stage
from mlops_assets.replay.landing import BROKEN_FEED
from mlops_assets.replay.local_slots import Fault, Spoil
from mlops_assets.replay.sabotage import LATE, OF_MODELS, Deed, Kind
from mlops_assets.replay.scenario import Scenario
from mlops_assets.replay.tower import Tower
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.serving.rollouts import Rollouts
from mlops_assets.stores.settings import Settings

_MICROSECOND = timedelta(microseconds=1)
_HALF = timedelta(days=3, hours=12)  # into the week: a crash
_SPOIL = {
    Kind.WRONG_MODEL: Spoil(Fault.WRONG, Stage.SHADOW),
    Kind.BROKEN_MODEL: Spoil(Fault.BROKEN, Stage.CANARY),
    Kind.SLOW_MODEL: Spoil(Fault.SLOW, Stage.CANARY),
}
_DONE = {
    Kind.WRONG_MODEL: "the answers of {version} were turned the wrong way round, whenever it was asked since",
    Kind.BROKEN_MODEL: "{version} was to throw at every call, from its first canary on",
    Kind.SLOW_MODEL: "every call of {version} was to take 10 s, from its first canary on",
    Kind.BROKEN_FEED: "its file landed in another unit than declared, and mended with that of the next week",
    Kind.LABEL_DELAY: f"its outcomes were told, and its files landed, {LATE.days // 7} weeks late",
    Kind.CRASH: "gateway and controller were killed in the middle of the week",
}


class Deeds:
    """The deeds of a scenario in the world at `places`; `kept` is what an earlier one left."""

    def __init__(self, scenario: Scenario, places: Settings, kept: Mapping[str, Any]) -> None:
        self._scenario, self._places = scenario, places
        self._version: dict[str, int] = dict(kept.get("version", {}))  # deed -> the version it spoils
        self._since: dict[str, int] = dict(kept.get("since", {}))  # deed -> since when (us)
        self._met: dict[str, str] = dict(kept.get("met", {}))
        self._done: list[str] = list(kept.get("done", ()))

    @property
    def kept(self) -> dict[str, Any]:
        """Plain, for the next one."""
        return {"version": self._version, "since": self._since, "met": self._met, "done": self._done}

    # --- feeds and outcomes -----------------------------------------------------------------------------------------

    @property
    def delayed_us(self) -> dict[str, int]:
        """By how much later the outcomes of a week are told."""
        return {deed.week: LATE // _MICROSECOND for deed in self._of(Kind.LABEL_DELAY)}

    def due(self, week: str) -> datetime:
        """When the files of a week land: no earlier than those of the weeks before, for which it would wait."""
        scenario = self._scenario
        late = {deed.week for deed in self._of(Kind.LABEL_DELAY)}
        return max(
            scenario.lands_at(one) + (LATE if one in late else timedelta(0)) for one in scenario.weeks if one <= week
        )

    def faults(self, week: str) -> tuple[str, ...]:
        """What is wrong with a week's files."""
        return tuple(BROKEN_FEED for deed in self._of(Kind.BROKEN_FEED) if deed.week == week)

    def mended_with(self, week: str) -> list[str]:
        """The weeks whose files land again, mended, together with those of this one."""
        return [
            d.week for d in self._of(Kind.BROKEN_FEED) if self._scenario.use_case.partitions.shift(d.week, 1) == week
        ]

    def landed(self, week: str) -> None:
        """Note what the reports said of a week that something was done to."""
        for deed in self._of(Kind.BROKEN_FEED, Kind.LABEL_DELAY):
            if deed.week == week:
                self._met[str(deed)] = self._said(deed)

    def _said(self, deed: Deed) -> str:
        asset = f"{self._scenario.use_case.name}/response"
        store = AssetStore(self._places.store)
        ref = store.latest(asset, deed.week)
        if ref is None:
            return "the week was refused: nothing of it was published"
        record = store.load_ref(ref).records["response"]
        if deed.kind is Kind.LABEL_DELAY:
            return f"nothing was judged by it before {self.due(deed.week):%Y-%m-%d}; then: {record['performance']}"
        return f"{record['response']}: {record['reason']}"

    # --- models -----------------------------------------------------------------------------------------------------

    def wants_challenger(self, week: str, tower: Tower) -> bool:
        """Whether a challenger is to be trained by hand, now that `week` has landed: it is to be spoiled, and there is

        none on its way.
        """
        return bool(self._due(week)) and tower.row.stage.terminal

    def spoil(self, tower: Tower) -> None:
        """Spoil the challenger that is on its way, when one is due."""
        row = tower.row
        if row.challenger is None or row.stage.terminal:
            return
        week = self._scenario.use_case.partitions.week_of(moment(tower.clock.us))
        for deed in self._of(*OF_MODELS):
            if deed.week <= week and str(deed) not in self._version and row.challenger not in self._version.values():
                self._version[str(deed)], self._since[str(deed)] = row.challenger, tower.clock.us
                tower.spoils[row.challenger] = _SPOIL[deed.kind]

    @property
    def spoils(self) -> dict[int, Spoil]:
        """Version -> how it is spoiled."""
        kinds = {str(deed): deed.kind for deed in self._scenario.sabotage}
        return {version: _SPOIL[kinds[deed]] for deed, version in self._version.items()}

    def _due(self, landed: str) -> list[Deed]:
        """Deeds to models that are due in the week in which `landed` has landed, and spoil nobody yet."""
        at = self._scenario.use_case.partitions.week_of(self._scenario.lands_at(landed))
        return [deed for deed in self._of(*OF_MODELS) if deed.week <= at and str(deed) not in self._version]

    # --- crashes ----------------------------------------------------------------------------------------------------

    def crashes(self, at_us: int) -> bool:
        """Whether gateway and controller are to be killed now; each deed asks for it once."""
        axis = self._scenario.use_case.partitions
        due = [
            str(deed) for deed in self._of(Kind.CRASH)
            if str(deed) not in self._done and instant_us(axis.bounds(deed.week)[0] + _HALF) <= at_us
        ]  # fmt: skip
        self._done += due
        return bool(due)

    # --- what became of it ------------------------------------------------------------------------------------------

    def told(self) -> tuple[Sabotage, ...]:
        """What was done, and what came of it."""
        return tuple(
            Sabotage(
                week=deed.week,
                kind=deed.kind.value,
                done=_DONE[deed.kind].format(version=self._name(deed)),
                met=self._outcome(deed),
            )
            for deed in self._scenario.sabotage
        )

    def _name(self, deed: Deed) -> str:
        version = self._version.get(str(deed))
        return f"{self._scenario.use_case.name}@{version}" if version else "the next challenger"

    def _outcome(self, deed: Deed) -> str:
        if deed.kind in OF_MODELS:
            return self._end_of(deed)
        if deed.kind is Kind.CRASH:
            return "others went on in their place" if str(deed) in self._done else "the replay ended before"
        return self._met.get(str(deed), "the replay ended before")

    def _end_of(self, deed: Deed) -> str:
        """The last decision about the version that was spoiled, since it was."""
        version = self._version.get(str(deed))
        if version is None:
            return "no challenger that was not spoiled already was nominated since"
        with Rollouts(self._places.serving, self._scenario.use_case.name) as rollouts:
            standing, last = 0, "it was on its way still when the replay ended"
            for event in rollouts.events():
                if event.kind is Told.OPENED:
                    standing = int(event.facts["version"])
                if standing == version and event.at_us >= self._since[str(deed)]:
                    last = (
                        f"{event.kind.value.lower().replace('_', ' ')} on {moment(event.at_us):%Y-%m-%d}: {event.why}"
                    )
        return last

    def _of(self, *kinds: Kind) -> list[Deed]:
        return [deed for deed in self._scenario.sabotage if deed.kind in kinds]
