"""Who is let in, who is not, and where tokens lie."""

import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.declare.errors import DataError
from mlops_assets.gateway.refusals import Refused
from mlops_assets.gateway.tokens import Role, Tokens, tokens

OPERATOR, FEED = "operator-0123456789", "feed-0123456789abcdef"
TOKENS = Tokens(operator=OPERATOR, feed=FEED)


def shown(*values: str, **others: str) -> list[tuple[bytes, bytes]]:
    headers = [(b"authorization", value.encode("latin-1")) for value in values]
    return headers + [(name.replace("_", "-").encode(), value.encode()) for name, value in others.items()]


def status(headers: list[tuple[bytes, bytes]], wanted: Role) -> int:
    try:
        TOKENS.admit(headers, wanted)
    except Refused as refused:
        return refused.status
    return 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_each_role_may_do_its_own_and_an_operator_what_a_feed_may(scheme: str) -> None:
    assert TOKENS.admit(shown(f"{scheme} {OPERATOR}"), Role.OPERATOR) is Role.OPERATOR
    assert TOKENS.admit(shown(f"{scheme} {OPERATOR}"), Role.FEED) is Role.OPERATOR
    assert TOKENS.admit(shown(f"{scheme} {FEED}"), Role.FEED) is Role.FEED
    assert status(shown(f"{scheme} {FEED}"), Role.OPERATOR) == 403


@pytest.mark.parametrize(
    "sent",
    ["", "Bearer", "Bearer ", f"Basic {OPERATOR}", f"Token {OPERATOR}", OPERATOR, f"Bearer  {OPERATOR}",
     f"Bearer {OPERATOR} ", f"Bearer {OPERATOR[:-1]}", f"Bearer {OPERATOR}x", f"Bearer {OPERATOR.upper()}",
     f"Bearer\t{OPERATOR}",
     "Bearer eyJhbGciOiJub25lIn0.eyJleHAiOjF9.", "Bearer \xff\x00\x80", f"Bearer {OPERATOR}, Bearer {OPERATOR}"],
)  # fmt: skip
def test_anything_but_the_very_token_is_asked_for_one(sent: str) -> None:
    with pytest.raises(Refused) as refused:
        TOKENS.admit(shown(sent), Role.FEED)

    assert refused.value.status == 401
    assert refused.value.headers == [(b"www-authenticate", b'Bearer realm="mlops"')]
    assert OPERATOR.encode() not in refused.value.body


def test_two_tokens_in_one_request_are_none() -> None:
    assert status(shown(f"Bearer {OPERATOR}", f"Bearer {OPERATOR}"), Role.OPERATOR) == 401


def test_no_token_is_asked_for_one() -> None:
    assert status([], Role.FEED) == 401


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"}, 200),
        ({"origin": "http://evil.example", "host": "127.0.0.1:8080"}, 403),
        ({"origin": "http://127.0.0.1:9090", "host": "127.0.0.1:8080"}, 403),
        ({"origin": "null", "host": "127.0.0.1:8080"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"sec_fetch_site": "cross-site", "host": "127.0.0.1:8080"}, 403),
        ({"sec_fetch_site": "same-origin", "host": "127.0.0.1:8080"}, 200),
    ],
)
def test_a_page_of_another_site_is_refused_though_it_has_the_token(others: dict[str, str], expected: int) -> None:
    assert status(shown(f"Bearer {OPERATOR}", **others), Role.OPERATOR) == expected


@given(st.text(max_size=60))
def test_no_other_text_has_a_role(text: str) -> None:
    assert TOKENS.role_of(text) is None or text in (OPERATOR, FEED)


def test_tokens_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    first = tokens({}, str(tmp_path / "serving"))

    assert tokens({}, str(tmp_path / "serving")) == first
    assert {path.name for path in (tmp_path / "serving").iterdir()} == {"operator.token", "feed.token"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "serving").iterdir()} == {0o600}


def test_gateways_that_start_at_once_agree_on_the_tokens(tmp_path: Path) -> None:
    made: list[Tokens] = []
    threads = [threading.Thread(target=lambda: made.append(tokens({}, str(tmp_path)))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 16
    assert made.count(made[0]) == 16
    assert len(list(tmp_path.iterdir())) == 2


def test_the_environment_goes_before_the_files(tmp_path: Path) -> None:
    asked = {"MLOPS_OPERATOR_TOKEN": OPERATOR, "MLOPS_FEED_TOKEN": FEED}

    assert tokens(asked, str(tmp_path)) == TOKENS
    assert not list(tmp_path.iterdir())


def test_a_database_keeps_no_tokens() -> None:
    with pytest.raises(DataError, match="MLOPS_OPERATOR_TOKEN is not set"):
        tokens({}, "postgresql+psycopg2://localhost/serving")


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    tokens({}, str(tmp_path))
    (tmp_path / "operator.token").chmod(0o644)

    with pytest.raises(DataError, match="chmod 600"):
        tokens({}, str(tmp_path))


@pytest.mark.parametrize(
    ("operator", "feed", "said"),
    [("short", FEED, "too short"), (OPERATOR + " ", FEED, "odd characters"), (FEED, FEED, "are the same")],
)
def test_weak_tokens_are_refused_without_naming_them(operator: str, feed: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as refused:
        Tokens(operator=operator, feed=feed)

    assert operator not in str(refused.value).replace("too short", "")


def test_no_representation_holds_a_token() -> None:
    assert OPERATOR not in repr(TOKENS)
    assert FEED not in f"{TOKENS}"


def test_a_token_file_with_a_line_end_is_read(tmp_path: Path) -> None:
    for role, text in ((Role.OPERATOR, OPERATOR), (Role.FEED, FEED)):
        path = tmp_path / f"{role.value}.token"
        path.touch(0o600)
        path.write_text(f"{text}\n")

    assert tokens({}, str(tmp_path)) == TOKENS
