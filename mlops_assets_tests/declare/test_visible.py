"""A declaration seen through a slit shows what was named, and refuses the rest."""

import dataclasses
from collections.abc import Callable

import pytest

from mlops_assets.declare import Count, DeclarationError, Model, Sum, UseCase, hours
from mlops_assets.declare.visible import visible
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets.use_cases.parking import PARKING

FIELDS = [field.name for field in dataclasses.fields(UseCase)]


def test_what_is_named_is_there() -> None:
    seen = visible(FLIGHT_DELAYS, ("name", "tables", "promotion.metric", "model.estimator.path"))

    assert isinstance(seen, UseCase)
    assert isinstance(seen.model, Model)
    assert seen.tables is FLIGHT_DELAYS.tables
    assert seen.promotion.metric == "log_loss"
    assert seen.model.estimator.path == FLIGHT_DELAYS.model.estimator.path


@pytest.mark.parametrize("hidden", FIELDS)
def test_every_field_that_is_not_named_is_refused(hidden: str) -> None:
    seen = visible(FLIGHT_DELAYS, [name for name in FIELDS if name != hidden])

    with pytest.raises(DeclarationError) as refused:
        getattr(seen, hidden)

    assert str(refused.value) == (
        f"flight_delays.{hidden} is not among the fields this step declares to read: name it in its `sees`."
    )


@pytest.mark.parametrize("field", dataclasses.fields(Model), ids=lambda field: field.name)
def test_no_default_of_a_class_shows_through(field: dataclasses.Field[object]) -> None:
    other = "seed" if field.name != "seed" else "estimator"
    seen = visible(FLIGHT_DELAYS, (f"model.{other}",))

    with pytest.raises(DeclarationError, match=rf"^flight_delays\.model\.{field.name} is not among the fields"):
        getattr(seen.model, field.name)
    with pytest.raises(DeclarationError):  # no AttributeError, which these two would swallow
        getattr(seen.model, field.name, None)
    with pytest.raises(DeclarationError):
        hasattr(seen.model, field.name)


@pytest.mark.parametrize(
    ("sees", "ask"),
    [
        (("features", "model.excluded"), lambda u: u.model_features),
        (("tables",), lambda u: u.table("flights")),
        (("tables", "requests.table"), lambda u: u.request_table),
        (("tables", "features", "requests"), lambda u: u.lookback_weeks),
        (("tables",), lambda u: [u.kind_of(feature) for feature in FLIGHT_DELAYS.features]),
        (("partitions",), lambda u: u.partitions.keys()),
    ],
)
def test_properties_and_methods_work_on_the_fields_they_use(
    sees: tuple[str, ...], ask: Callable[[UseCase], object]
) -> None:
    assert ask(visible(FLIGHT_DELAYS, sees)) == ask(FLIGHT_DELAYS)
    for left_out in sees:
        with pytest.raises(DeclarationError, match="is not among the fields"):
            ask(visible(FLIGHT_DELAYS, ["name", *(path for path in sees if path != left_out)]))


def test_a_field_named_whole_is_whole_whatever_is_named_below_it() -> None:
    assert visible(FLIGHT_DELAYS, ("model", "model.seed")).model is FLIGHT_DELAYS.model


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (("promo",), "flight_delays: path == 'promo', names nothing that is declared: use one of"),
        (("promotion.metrics",), "flight_delays.promotion: path == 'metrics', names nothing that is declared"),
        (("tables.name",), "flight_delays.tables: paths == ['name'], only a record has fields"),
        (("name.x",), "flight_delays.name: paths == ['x'], only a record has fields"),
        ("model", "flight_delays: paths == 'model', must be a collection of paths: write ('model',)"),
    ],
)
def test_a_path_that_names_nothing_is_refused(paths: tuple[str, ...], said: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        visible(FLIGHT_DELAYS, paths)

    assert said in str(refused.value)


def test_a_slit_of_a_slit_shows_no_more_than_the_first() -> None:
    seen = visible(FLIGHT_DELAYS, ("name", "label"))

    assert visible(seen, ("label",)).label is FLIGHT_DELAYS.label
    with pytest.raises(DeclarationError, match="names nothing that is declared"):
        visible(seen, ("model",))
    model = visible(visible(FLIGHT_DELAYS.model, ("seed", "excluded")), ("seed",))
    with pytest.raises(DeclarationError, match=r"Model\.threads is not among the fields"):
        _ = model.threads


def test_copies_are_compared_hashed_and_shown_by_what_they_show() -> None:
    one, same = (visible(FLIGHT_DELAYS, ("name", "promotion.metric")) for _ in range(2))

    assert one == same
    assert hash(one) == hash(same)
    assert one != visible(FLIGHT_DELAYS, ("name",))
    assert one != visible(PARKING, ("name", "promotion.metric"))
    assert one != FLIGHT_DELAYS
    count, total = (sort(name="x", table="t", key=("k",), column="c", window=hours(1)) for sort in (Count, Sum))
    assert visible(count, ("name",)) != visible(total, ("name",))
    assert visible(FLIGHT_DELAYS, FIELDS) != FLIGHT_DELAYS
    assert repr(one) == "UseCase(name='flight_delays', promotion=Promotion(metric='log_loss', ...), ...)"


def test_a_copy_is_frozen_and_replaced_within_what_it_shows() -> None:
    seen = visible(FLIGHT_DELAYS, ("name", "model.seed"))

    with pytest.raises(dataclasses.FrozenInstanceError):
        seen.name = "other"  # type: ignore[misc]
    changed = dataclasses.replace(seen, model=dataclasses.replace(seen.model, seed=8))
    assert (changed.name, changed.model.seed) == ("flight_delays", 8)
    with pytest.raises(DeclarationError, match=r"flight_delays\.label is not among the fields"):
        dataclasses.replace(seen, label=FLIGHT_DELAYS.label)
