"""Trainings that wait for the tracker: what the ledger says of them."""

from collections.abc import Iterable

from mlops_assets.stores.records.entry import REGISTERED, VERDICT, WAITING, Entry


def still_waiting(entries: Iterable[Entry]) -> list[Entry]:
    """The newest entry of every week of one use case whose training waits, oldest week first.

    None waits that is registered (made again while the tracker was away), nor when another of its week was judged.
    """
    due: dict[str, Entry] = {}
    registered: set[str] = set()
    for entry in entries:
        if entry.kind not in (WAITING, REGISTERED, VERDICT):
            continue
        week, trained = entry.facts.get("partition", ""), entry.facts.get("trained_model", "")
        if entry.kind == WAITING:
            due[week] = entry
        else:
            registered.add(trained)
            due.pop(week, None)
    return [due[week] for week in sorted(due) if due[week].facts["trained_model"] not in registered]
