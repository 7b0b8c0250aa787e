"""The tables of a replayed policy: its models, what was broken, its decisions, its weeks. Every sentence is there."""

from collections.abc import Mapping, Sequence
from itertools import chain

from mlops_assets.core.account import Policy, Stage, Week
from mlops_assets.core.pages.document import number
from mlops_assets.core.pages.markup import NOTHING, Html, el, joined, named
from mlops_assets.core.plots.lanes import day
from mlops_assets.core.plots.timeline import letter
from mlops_assets.core.rollout.words import Stage as Word

TURNS = ("retrain_requested", "retrain_failed", "retraining_closed", "held", "finalized", "rolled_back", "rejected",
         "restored")  # fmt: skip  # of the ledger's kinds those that a reader in a hurry looks for
_TIED = "\N{NO-BREAK SPACE}"
_FEW = 20  # decisions that need not be folded
_ENDED = {
    Word.FINALIZED.value: "became champion",
    Word.ROLLED_BACK.value: "was rolled back",
    Word.REJECTED.value: "was rejected",
}


def told_table(heads: Sequence[str], rows: Sequence[Sequence[str]], said: Sequence[str] = ()) -> Html:
    """Rows under their heads, the first cell naming the row; `said`: columns of sentences, not figures."""
    kinds = ["name", *("said" if head in said else None for head in heads[1:])]
    top = el("tr", *(el("th", head, scope="col", class_=kind) for head, kind in zip(heads, kinds, strict=True)))
    body = [
        el("tr", *(
            el("td", cell, class_="none" if cell == "–" and kind is None else kind,
               data_head=head if kind != "name" else None)
            for cell, head, kind in zip(row, heads, kinds, strict=True)
        )) for row in rows
    ]  # fmt: skip
    return el("table", el("thead", top), el("tbody", *body))


def folded(summary: str, *content: Html) -> Html:
    """Content that is there for whoever asks."""
    return el("details", el("summary", summary), *content)


def versions(policy: Policy) -> Html:
    """Every model: why it was trained, what the gate said, how it ended."""
    heads = ("model", "learned to", "trained at", "why", "the gate", "what became of it")
    rows = [
        (
            named(f"v{one.version}"), when(one.week), when(one.registered_at),
            because(said(one.cause), one.why), because(said(one.verdict), one.judged),
            fate(one.version, policy.stages),
        )
        for one in policy.versions
    ]  # fmt: skip
    return told_table(heads, rows, heads[1:])


def fate(version: int, stages: Sequence[Stage]) -> str:
    """How a model's rollout ended, or where it stands, with the sentence of that decision."""
    own = [stage for stage in stages if stage.version == version and stage.stage != Word.IDLE.value]
    if not own:
        return "no rollout was opened"
    last = next((stage for stage in reversed(own) if stage.stage in _ENDED), own[-1])
    ended = _ENDED.get(last.stage, f"is in {said(last.stage)}")
    return f"{ended}, {day(last.since)}: {last.why}"


def sabotaged(policy: Policy) -> Html:
    """What was broken on purpose, and what came of it, by the letters of the timeline."""
    heads = ("sabotage", "week", "what was done", "what came of it")
    rows = [
        (named(f"{letter(at)} {said(one.kind)}"), when(one.week), one.done, one.met)
        for at, one in enumerate(policy.sabotage)
    ]  # fmt: skip
    return told_table(heads, rows, heads[1:])


def decisions(policy: Policy) -> Html:
    """The ledger's entries, newest last: those that turned something, then all of them, folded where they are many."""
    heads = ("when", "decision", "about", "by", "why")

    def rows(kinds: Sequence[str] | None) -> list[tuple[str, ...]]:
        return [
            (when(one.at), said(one.kind).replace(" ", _TIED), one.subject, one.who, one.why)
            for one in policy.told if kinds is None or one.kind in kinds
        ]  # fmt: skip

    every = told_table(heads, rows(None), heads[1:])
    if len(policy.told) <= _FEW:
        return every
    turns = rows(TURNS)
    return joined(
        told_table(heads, turns, heads[1:]) if turns else NOTHING,
        folded(f"All {len(policy.told):,} entries of the ledger", every),
    )


def weeks(policy: Policy, metrics: Mapping[str, str]) -> Html:
    """Every week of requests. `metrics`: name -> how it is called."""
    heads = ("week", "asked", "labelled", *metrics.values(), "predicted", "actual", "answered by", "inputs",
             "predictions", "outcomes", "what it asks for")  # fmt: skip
    rows = [
        (
            when(week.week), f"{week.asked:,}", f"{week.labelled:,}",
            *(number(week.metrics.get(metric), ".4g") for metric in metrics),
            number(week.predicted, ".4g"), number(week.actual, ".4g"), answered(week),
            "; ".join(filter(None, (week.data, *week.faults))) or "–", week.prediction or "–", week.concept or "–",
            because(week.response, week.reason),
        )
        for week in policy.weeks
    ]  # fmt: skip
    return told_table(heads, rows, heads[-5:])


def answered(week: Week) -> str:
    """Who answered how many, and how many requests got no answer.

    >>> answered(Week(week="2013-03-04", asked=9, answered=8, labelled=0, by_version={"10": 1, "9": 7}, metrics={}))
    'v9\xa07 · v10\xa01 · none\xa01'
    """
    ordered = sorted(week.by_version.items(), key=lambda one: (len(one[0]), one[0]))
    parts = [f"{'baseline' if version == '0' else f'v{version}'}{_TIED}{many:,}" for version, many in ordered]
    failed = week.asked - week.answered
    return " · ".join(chain(parts, [f"none{_TIED}{failed:,}"] if failed > 0 else [])) or "–"


def because(word: str, sentence: str) -> str:
    """A word and the sentence behind it, what there is of them.

    >>> because("watch", "something has moved"), because("", "")
    ('watch: something has moved', '–')
    """
    return ": ".join(filter(None, (word, sentence))) or "–"


def when(instant: str) -> Html:
    """An instant or a date in a cell of its own."""
    return el("time", day(instant))


def said(word: str) -> str:
    """A word of the records as people say it.

    >>> said("ROLLED_BACK"), said("retrain_requested")
    ('rolled back', 'retrain requested')
    """
    return word.replace("_", " ").lower()
