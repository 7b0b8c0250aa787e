"""A column and a table that cannot be true are refused when they are written, in words."""

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from typing import Any

import pytest

from mlops_assets.declare import (
    ALWAYS,
    Column,
    Compute,
    DeclarationError,
    Derived,
    Every,
    Kind,
    NextClock,
    Plus,
    Table,
    Zone,
)
from mlops_assets.declare.use_case import decimals

AT = Column(name="at", kind=Kind.INSTANT, known_at=ALWAYS)
N = Column(name="n", kind=Kind.INT, known_at="at")
VISITS = Table(name="visits", landing="visits/{partition}.parquet", key=("at",), columns=(AT, N))
NAMES_THAT_ARE_PATHS = ("../x", "a/b", "a\\b", "CON", "nul.txt", "é", "ａ", "x" * 300, "", ".", "a b", "a\0")


def doubled(value: Any) -> Any:
    """Twice the value."""
    return value


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("known_at", "", "known_at == '', silence would be a leak: name an instant or ALWAYS."),
        ("kind", "int", "kind == 'int', names nothing that is declared: use one of ['Kind.BOOL', 'Kind.CLOCK',"),
        ("ge", 5, "ge == 5, must not exceed le == 3: swap the bounds."),
        ("pattern", "x", "pattern == 'x', only a STRING has a pattern: drop it."),
        ("max_null_share", 0.1, "max_null_share == 0.1, must be 0..1 on a nullable column: set nullable=True"),
        ("decimals", 2, "decimals == 2, must be 0..9 on a FLOAT: an INT is exact already."),
    ],
)
def test_a_column_that_cannot_be_true_is_refused_with_place_value_rule_and_remedy(
    field: str, value: Any, said: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        replace(N, **{"le": 3, field: value})

    assert str(refused.value).startswith(f"Column 'n': {said}")


def test_a_column_has_no_default_for_when_it_is_known() -> None:
    for silent in (lambda: Column(name="n", kind=Kind.INT), lambda: Derived(name="n", rule=Plus(of="at", minutes=1))):
        with pytest.raises(DeclarationError, match="silence would be a leak"):
            silent()


@pytest.mark.parametrize("kind", [Kind.STRING, Kind.BOOL, Kind.INSTANT, Kind.CLOCK])
def test_only_numbers_have_bounds(kind: Kind) -> None:
    with pytest.raises(DeclarationError, match=r"ge/le == \(0, None\), bounds need an INT or FLOAT: drop them"):
        Column(name="x", kind=kind, known_at=ALWAYS, ge=0)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_of_nulls_lies_between_nothing_and_all(share: float) -> None:
    with pytest.raises(DeclarationError, match="max_null_share"):
        replace(N, nullable=True, max_null_share=share)


@pytest.mark.parametrize("places", [-1, 10])
def test_decimal_places_fit_whole_numbers(places: int) -> None:
    with pytest.raises(DeclarationError, match="decimals"):
        replace(N, kind=Kind.FLOAT, decimals=places)


@pytest.mark.parametrize("name", NAMES_THAT_ARE_PATHS)
def test_a_name_that_could_be_a_path_is_refused_everywhere(name: str) -> None:
    for record in (N, VISITS, Derived(name="d", rule=Plus(of="at", minutes=1), known_at=ALWAYS)):
        with pytest.raises(DeclarationError, match=r"rename it\.$") as refused:
            replace(record, name=name)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": ()}, "Table 'visits': key == (), must name at least one column: a row needs an identity."),
        ({"key": ("who",)}, "Table 'visits': key == 'who', names nothing that is declared: use one of ['at', 'n']."),
        ({"columns": (AT, N, N)}, "Table 'visits': columns == ['n'], each name may stand once: rename or remove"),
        ({"columns": (AT, replace(N, known_at="then"))}, "['n']: known_at == 'then', names nothing that is declared"),
        ({"columns": (AT, replace(N, known_at="n"))}, "Table 'visits'['n']: known_at == 'n', names nothing"),
        ({"landing": "visits.parquet"}, "known_at == ['n'], a snapshot has no history: declare its columns known ALW"),
        ({"max_quarantined_share": 1.0}, "max_quarantined_share == 1.0, must be 0 <= x < 1"),
        ({"max_quarantined_share": float("nan")}, "max_quarantined_share == nan"),
        ({"late_by": timedelta(days=-1)}, "late_by == datetime.timedelta(days=-1), must not be negative"),
        ({"day": "n"}, "day == 'n', names nothing that is declared: use one of ['at']."),
        ({"every": Every(instant="n", step=timedelta(hours=1))}, "every.instant == 'n', names nothing"),
        ({"every": Every(instant="at", step=timedelta(hours=1), by=("who",))}, "every.by == 'who', names nothing"),
    ],
)
def test_a_table_that_cannot_be_true_is_refused_with_place_value_rule_and_remedy(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DeclarationError) as refused:
        replace(VISITS, **changes)

    assert str(refused.value).startswith("Table 'visits'")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"step": timedelta(0)}, "step"), ({"at_least": 0.0}, "at_least"), ({"at_least": 1.5}, "at_least")],
)
def test_rows_are_expected_in_steps_forward_and_as_a_share(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=f"Every: {said} == "):
        Every(**{"instant": "at", "step": timedelta(hours=1), **wrong})


def test_a_derived_column_reads_only_what_stands_before_it() -> None:
    later = Derived(name="later", rule=Plus(of="at", minutes="n"), known_at="later")
    latest = Derived(name="latest", rule=Plus(of="later", minutes=5), known_at="latest")

    assert replace(VISITS, derived=(later, latest)).instants == ("at", "later", "latest")
    with pytest.raises(DeclarationError, match=r"Table 'visits'\.derived\['latest'\]: reads == 'later', names nothing"):
        replace(VISITS, derived=(latest, later))
    with pytest.raises(DeclarationError, match=r"reads == 'gone'.*use one of \['at', 'n'\]"):
        replace(VISITS, derived=(replace(later, rule=Compute(fn=doubled, reads=("gone",))),))


def test_a_derived_column_has_the_name_of_no_landed_one() -> None:
    with pytest.raises(DeclarationError, match=r"columns == \['n'\], each name may stand once"):
        replace(VISITS, derived=(Derived(name="n", rule=Plus(of="at", minutes=1), known_at=ALWAYS),))


def test_a_derived_column_is_of_a_kind_that_exists() -> None:
    wrong: Any = "bool"
    with pytest.raises(
        DeclarationError, match=r"Derived 'd': kind == 'bool', names nothing that is declared: use one of"
    ):
        Derived(name="d", rule=Compute(fn=doubled, reads=("n",)), known_at=ALWAYS, kind=wrong)


def test_a_derived_column_says_when_it_is_known() -> None:
    with pytest.raises(DeclarationError, match=r"Derived 'd': known_at == '', silence would be a leak"):
        Derived(name="d", rule=Plus(of="at", minutes=1), known_at="")
    with pytest.raises(DeclarationError, match=r"Table 'visits'\['d'\]: known_at == 'then', names nothing"):
        replace(VISITS, derived=(Derived(name="d", rule=Plus(of="at", minutes=1), known_at="then"),))


@pytest.mark.parametrize(
    "rule",
    [
        Plus(of="at", minutes=1),
        NextClock(clock="n", after="at", zone=Zone(place="n", table="places", key="code", column="tz")),
    ],
    ids=["Plus", "NextClock"],
)
def test_arithmetic_on_instants_gives_instants(rule: Plus | NextClock) -> None:
    with pytest.raises(DeclarationError, match=r"Derived 'd': kind == .*Plus and NextClock give instants: leave kind"):
        Derived(name="d", rule=rule, known_at=ALWAYS, kind=Kind.INT)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [("share", "minutes == 'share (float)', minutes are whole numbers, an INT"), ("at", "minutes == 'at (instant)'")],
)
def test_minutes_are_a_column_of_whole_numbers(minutes: str, said: str) -> None:
    columns = (AT, N, Column(name="share", kind=Kind.FLOAT, known_at="at"))
    late = Derived(name="late", rule=Plus(of="at", minutes=minutes), known_at="late")

    with pytest.raises(DeclarationError) as refused:
        replace(VISITS, columns=columns, derived=(late,))
    assert str(refused.value).startswith(f"Table 'visits'.derived['late']: {said}")
    with pytest.raises(DeclarationError, match=r"of == 'n \(int\)', minutes are added to an INSTANT: name one"):
        replace(VISITS, derived=(Derived(name="late", rule=Plus(of="n", minutes=5), known_at="late"),))


def test_a_derived_float_may_fix_its_decimals_and_no_other_kind() -> None:
    half = Derived(name="half", rule=Compute(fn=doubled, reads=("n",)), kind=Kind.FLOAT, decimals=2, known_at="at")
    table = replace(VISITS, derived=(half, replace(half, name="free", decimals=None)))

    assert [decimals(table, name) for name in ("half", "free", "n")] == [2, None, 0]
    with pytest.raises(DeclarationError, match=r"Derived 'half': decimals == 2, must be 0\.\.9 on a FLOAT"):
        replace(half, kind=Kind.INT)


def test_only_an_instant_lands_by_the_clocks_of_a_zone() -> None:
    assert replace(AT, zone="Europe/London").zone == "Europe/London"
    with pytest.raises(DeclarationError, match=r"Column 'n': zone == 'Europe/London', only an INSTANT has a zone"):
        replace(N, zone="Europe/London")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "localtime", "posix/Europe/London", "posixrules", "right/UTC", 5])
def test_a_column_has_no_zone_of_the_machines_own(zone: Any) -> None:
    with pytest.raises(DeclarationError, match=r"Column 'at': zone == .*is no IANA zone: e\.g\. "):
        replace(AT, zone=zone)


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "America", "../../etc/passwd", "x" * 300, "a\0b", None, 5, "localtime", "Factory",
             "posix/UTC", "right/UTC", "posixrules"]
)  # fmt: skip
def test_a_zone_that_does_not_exist_is_refused(zone: Any) -> None:
    with pytest.raises(DeclarationError, match=r"Zone of 'dest': otherwise\['SJU'\] == .*is no IANA zone: e\.g\. "):
        Zone(place="dest", table="airports", key="faa", column="tzone", otherwise={"SJU": zone})


def test_records_are_frozen_to_the_bottom() -> None:
    given = {"SJU": "America/Puerto_Rico"}
    zone = Zone(place="dest", table="airports", key="faa", column="tzone", otherwise=given)
    given["SJU"] = "UTC"

    assert zone.otherwise["SJU"] == "America/Puerto_Rico"
    with pytest.raises(TypeError):
        zone.otherwise["SJU"] = "UTC"  # type: ignore[index]  # the point of the test
    for record in (N, VISITS, zone, Every(instant="at", step=timedelta(hours=1)), Plus(of="at", minutes=1)):
        first = next(iter(record.__dataclass_fields__))
        with pytest.raises(FrozenInstanceError):
            setattr(record, first, "other")


def test_lists_become_tuples_so_that_nobody_appends_to_them() -> None:
    columns, key = [AT, N], ["at"]
    lists: Any = {"key": key, "columns": columns}
    table = replace(VISITS, **lists)
    columns.clear()
    key.clear()

    assert (table.key, table.columns) == (("at",), (AT, N))


def test_a_table_says_what_it_holds_in_declared_order() -> None:
    table = replace(VISITS, derived=(Derived(name="end", rule=Plus(of="at", minutes="n"), known_at="end"),))

    assert table.kinds == {"at": Kind.INSTANT, "n": Kind.INT, "end": Kind.INSTANT}
    assert table.known_at == {"at": ALWAYS, "n": "at", "end": "end"}
    assert not table.snapshot
    assert replace(VISITS, columns=(AT,), landing="visits.parquet").snapshot
