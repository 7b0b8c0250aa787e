"""Totals as bytes: what comes back is what went in, and bytes sort like (instant, row)."""

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.core.online.ordered import ordered
from mlops_assets.core.online.totals import Total
from mlops_assets.declare import Kind
from mlops_assets.stores.online import members

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
OF = {
    Kind.INT: INT64,
    Kind.CLOCK: st.integers(0, 2400),
    Kind.BOOL: st.booleans(),
    Kind.FLOAT: st.floats(allow_nan=False),
    Kind.STRING: TEXT,
    Kind.INSTANT: st.datetimes(timezones=st.just(UTC)),
}
VALUES = st.none() | INT64 | st.floats(allow_nan=False) | TEXT | st.booleans()


@st.composite
def row_keys(draw: st.DrawFn, several: int) -> list[bytes]:
    """Keys of rows of one table: the same kinds, any values, nulls among them."""
    kinds = draw(st.lists(st.sampled_from(list(OF)), min_size=1, max_size=3))
    rows = st.tuples(*(st.none() | OF[kind] for kind in kinds))
    return [ordered(draw(rows), kinds) for _ in range(several)]


@given(keys=row_keys(2))
def test_no_row_key_is_the_beginning_of_another(keys):
    one, other = keys

    assert one == other or not other.startswith(one)


@given(t=INT64, n=INT64, s=INT64, value=VALUES, keys=row_keys(1))
def test_a_total_comes_back_as_it_was(t, n, s, value, keys):
    total = Total(t, keys[0], n, s, value)

    assert repr(members.total_of(members.member(total))) == repr(total)


NEAR = st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1])


@given(
    keys=row_keys(2), ts=st.tuples(NEAR, NEAR), rest=st.lists(st.tuples(INT64, INT64, VALUES), min_size=2, max_size=2)
)
def test_members_sort_by_instant_and_row_whatever_stands_behind(keys, ts, rest):
    one, other = (Total(t, key, *behind) for t, key, behind in zip(ts, keys, rest, strict=True))
    if one[:2] != other[:2]:
        assert (members.member(one) < members.member(other)) == (one[:2] < other[:2])


@given(keys=row_keys(2), ts=st.tuples(NEAR, NEAR), n=INT64, value=VALUES)
def test_bounds_part_the_members_where_they_say(keys, ts, n, value):
    kept, place = Total(ts[0], keys[0], n, n, value), (ts[1], keys[1])
    bytes_ = members.member(kept)

    assert (bytes_ < members.until(ts[1])[1:]) == (kept.t <= ts[1])
    assert (bytes_ >= members.after(ts[1])[1:]) == (kept.t > ts[1])
    assert (bytes_ >= members.at(place)[1:]) == (kept[:2] >= place)
    assert (bytes_ < members.before(place)[1:]) == (kept[:2] < place)
