"""A name that passes is safe as one part of a path on every system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.declare.errors import DataError, DeclarationError
from mlops_assets.declare.names import check_name


@pytest.mark.parametrize("name", ["a", "0", "2013-07-08", "hour=05", "flight_delays", "v1.2.3", "console", "x" * 128])
def test_an_ordinary_name_passes(name):
    assert check_name("partition", name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a..b", "a.", "-a", "_a", ".a", "a/b", "a\\b", "a b", "a ", " a", "a\n", "a\0", "x" * 129),
        *("CON", "con", "nul.txt", "COM1", "lpt9.log", "AUX.a.b", "a:b", "a*", "~", "%2e%2e"),
        *("é", "e\u0301", "\u0661", "ａ", "\ud800", None, 1, b"a", ["a"]),
    ],
)
def test_a_name_that_could_be_more_than_a_name_is_refused(name):
    with pytest.raises(DeclarationError, match=r"^partition == "):
        check_name("partition", name)


def test_the_caller_says_whose_fault_it_is():
    with pytest.raises(DataError, match=r"rename it\.$"):
        check_name("partition", "..", error=DataError)


def test_a_long_name_is_shown_short():
    with pytest.raises(DeclarationError) as refused:
        check_name("partition", "x" * 10_000)

    assert len(str(refused.value)) < 300


@given(st.text())
def test_whatever_passes_is_one_plain_part_of_a_path(name):
    try:
        check_name("partition", name)
    except DeclarationError:
        return

    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>| \0')
