"""Where a rollout stands, in sentences: what users get, what the next step waits for, what is wrong.

Pure: the row and what is known of it in, words out.
"""

from collections.abc import Sequence

from mlops_assets.core.rollout.state import Row
from mlops_assets.core.rollout.words import Stage
from mlops_assets.declare.rollout import RolloutPlan
from mlops_assets.gateway.status.record import Bar, Peer, Rung, percent, span, version_name
from mlops_assets.stores.serving.heartbeats import READY
from mlops_assets.stores.serving.watch import Routing

_LONG_GONE_S = 600.0  # a gateway that was killed is news for ten minutes, then only a line in the list


def standing(row: Row, share: float, now_us: int) -> str:
    """Who answers what, and since when. `share` is the challenger's share in force, which may be below the row's."""
    champion, challenger = version_name(row.champion), version_name(row.challenger or 0)
    said = {
        Stage.IDLE: f"{champion} answers everything: no model has been on its way yet",
        Stage.PREPARING: f"{champion} answers everything while the gateways load {challenger}",
        Stage.SHADOW: f"{champion} answers everything; {challenger} answers in shadow, where nobody sees it",
        Stage.CANARY: f"{challenger} answers {percent(share)} of the requests, {champion} the rest",
        Stage.SOAK: f"{challenger} answers everything; {champion} answers in shadow, ready to take over",
        Stage.FINALIZED: f"{champion} is final and answers everything",
        Stage.ROLLED_BACK: f"{champion} answers everything again",
        Stage.REJECTED: f"{champion} answers everything; what was on its way could not be loaded",
    }[row.stage]
    if row.share != share:
        said = f"{champion} answers everything, though {challenger} has come as far as {percent(row.share)}"
    since = f", since {span((now_us - row.since_us) / 1e6)}" if row.since_us else ""
    held = f" The share is frozen: {row.held}." if row.held else ""
    return f"{said[0].upper()}{said[1:]}{since}.{held}"


def waits_for(row: Row, plan: RolloutPlan | None, bars: Sequence[Bar], peers: Sequence[Peer]) -> str:
    """What must happen for the next step."""
    if row.stage.terminal or plan is None:
        return f"Version {row.waiting[-1]} waits and comes next." if row.waiting else "Nothing is on its way."
    if row.paused:
        return f"It goes on when an operator says so: `mlops rollout resume {row.use_case}`."
    if row.held:
        left = f"{span(plan.hold.total_seconds())} after it was frozen it is rolled back"
        return f"It goes on when the fault is gone; {left}."
    if row.stage is Stage.PREPARING:
        ready = sum(peer.slots.get(row.challenger or 0) == READY for peer in peers)
        return f"The shadow begins when every gateway has loaded it: {ready} of {len(peers)} have."
    goal = _next(row, plan)
    missing = [f"{bar.name.replace('_', ' ')} ({100 * min(bar.toward_pass, 0.99):.0f} % of the way)"
               for bar in bars if bar.verdict != "PASS"]  # fmt: skip
    if not bars:
        return f"{goal} waits for the first answers to judge by."
    if not missing:
        return f"All that {goal} asks for is shown: the controller takes the step next."
    return f"{goal[0].upper()}{goal[1:]} waits for {', '.join(missing)}."


def _next(row: Row, plan: RolloutPlan) -> str:
    if row.stage is Stage.SOAK:
        return "being final"
    step = 0 if row.stage is Stage.SHADOW else row.step + 1
    return f"the next step, {percent(plan.steps[step].share if step < len(plan.steps) else 1.0)},"


def ladder(row: Row, plan: RolloutPlan | None) -> tuple[Rung, ...]:
    """The stages of the plan in order; where no rollout runs, all of them are ahead, or behind when it is final."""
    if plan is None:
        return ()
    steps = [("canary", step.share) for step in plan.steps]
    names = [("preparing", 0.0), ("shadow", 0.0), *steps, ("soak", 1.0), ("final", 1.0)]
    now = {
        Stage.PREPARING: 0,
        Stage.SHADOW: 1,
        Stage.CANARY: 2 + row.step,
        Stage.SOAK: 2 + len(steps),
        Stage.FINALIZED: 3 + len(steps),
    }.get(row.stage, -1)
    return tuple(
        Rung(name=name, share=share, place="now" if n == now else "done" if n < now else "ahead")
        for n, (name, share) in enumerate(names)
    )


def faults(routing: Routing, row: Row, controller_s: float | None, peers: Sequence[Peer]) -> tuple[str, ...]:
    """What is wrong, worst first."""
    found = []
    answers = f"{version_name(row.champion)} answers everything"
    if not routing.honoured:
        found.append(f"The rollout's row is not honoured, so {answers}: {routing.fault}")
    if not routing.alive and routing.plan is not None and (row.challenger is not None or row.waiting):
        heard = "has not been heard of" if controller_s is None else f"has not been heard of for {span(controller_s)}"
        found.append(f"The controller {heard}: {answers}, and nothing moves on until one is back.")
    if row.held and not row.paused:
        found.append(f"The share is frozen: {row.held}.")
    silent = 10.0 if routing.plan is None else routing.plan.silence.total_seconds()
    for peer in peers:
        if silent < peer.silent_s < _LONG_GONE_S:
            found.append(f"Gateway {peer.name} has not been heard of for {span(peer.silent_s)}.")
        for version, slot in sorted(peer.slots.items()):
            if slot.startswith("refused") and version in row.warm:
                found.append(f"Gateway {peer.name} cannot load {version_name(version)}: {slot}.")
    return tuple(found)
