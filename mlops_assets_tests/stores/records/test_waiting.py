"""A training waits for the tracker until it is registered, or another of its week is judged."""

from mlops_assets.stores.records import Records
from mlops_assets.stores.records.waiting import still_waiting
from mlops_assets_tests.stores.records.clerk import decision
from mlops_assets_tests.stores.records.models import WEEKS


def tell(records: Records, *told: tuple[str, str, str]) -> list[tuple[str, str]]:
    """Week and model of what waits after (kind, week, model) was told."""
    for number, (kind, week, trained) in enumerate(told):
        evidence = {"partition": week, "trained_model": trained}
        records.ledger.append(**decision(number, kind=kind, evidence=evidence))
    due = still_waiting(records.ledger.entries())
    return [(entry.facts["partition"], entry.facts["trained_model"]) for entry in due]


def test_the_newest_of_each_week_waits_oldest_week_first(records: Records) -> None:
    waits = "registration_waiting"

    met = tell(records, (waits, WEEKS[1], "b"), (waits, WEEKS[0], "a"), (waits, WEEKS[1], "c"))

    assert met == [(WEEKS[0], "a"), (WEEKS[1], "c")]


def test_what_is_registered_or_judged_waits_no_more(records: Records) -> None:
    waits = "registration_waiting"

    met = tell(
        records, (waits, WEEKS[0], "a"), (waits, WEEKS[1], "b"), (waits, WEEKS[2], "c"), ("registered", WEEKS[0], "a"),
        ("verdict", WEEKS[1], "other"), (waits, WEEKS[0], "a"),
    )  # fmt: skip

    assert met == [(WEEKS[2], "c")]
