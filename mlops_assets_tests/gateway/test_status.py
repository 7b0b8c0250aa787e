"""The status: what it says while a challenger climbs and after it fell, and that no word of anybody becomes markup."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.status.gathering import Gathering
from mlops_assets.gateway.status.page import page, policy
from mlops_assets.gateway.status.record import Status, status_of
from mlops_assets.stores.serving.watch import Routing
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS
from mlops_assets_tests.gateway.rolling import NOW_US, Client, Rolling, gateway_of
from mlops_assets_tests.stores.serving.logged import answered, mirrored

HOSTILE = "</style></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp; {{7*7}} \x00 ${1}"


def seen(gateway: Gateway, *, alive: bool = True, fault: str = "") -> Status:
    standing = gateway.rollouts.standing()
    row = standing.row if alive and not fault else standing.row.alone()
    routing = Routing(row, standing.terms and standing.terms.plan, alive, not fault, fault)
    return Gathering(gateway.rollouts, gateway.log.recent, gateway.clock_us, gateway.monotonic).status(routing)


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.text = ""
        self._silent = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._silent = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._silent else f" {data}"


def test_during_a_canary_it_says_who_answers_what_and_what_the_next_step_waits_for(
    gateway: Gateway, rolling: Rolling
) -> None:
    gateway.log.put([answered("a", answered_us=gateway.clock_us()), mirrored("a", at_us=gateway.clock_us())]).result(30)
    rolling.rollouts.heartbeats.beat("here:1", 11, {0: "ready", 1: "ready", 2: "ready"})

    found = seen(gateway)

    assert [(one.arm, one.version, one.share) for one in found.answerers] == [
        ("champion", 1, 0.75),
        ("challenger", 2, 0.25),
    ]
    assert found.standing.startswith("Version 2 answers 25 % of the requests, version 1 the rest, since ")
    assert [(rung.name, rung.share) for rung in found.ladder if rung.place == "now"] == [("canary", 0.25)]
    assert found.faults == ()
    assert {bar.name for bar in found.bars} >= {"calls", "error", "slow", "invalid"}
    assert found.waits_for.startswith("The next step, 50 %, waits for ")
    live = [(one.arm, one.mirrored, one.calls) for one in found.live]
    assert live == [("champion", False, 1), ("challenger", True, 1)]
    assert found.decisions[0].kind == "ADVANCED"
    assert found.decisions[0].epoch == found.epoch


def test_after_a_rollback_the_champion_answers_everything_and_the_reason_is_there(
    gateway: Gateway, rolling: Rolling
) -> None:
    rolling.rollouts.abort(who="operator at 10.0.0.7", why="it is wrong about snow", at_us=NOW_US)

    found = seen(gateway)

    assert [(one.arm, one.share) for one in found.answerers] == [("champion", 1.0)]
    assert found.standing.startswith("Version 1 answers everything again, since ")
    assert (found.decisions[0].kind, found.decisions[0].why) == ("ROLLED_BACK", "it is wrong about snow")
    assert found.bars == ()
    assert {rung.place for rung in found.ladder} == {"ahead"}


def test_a_silent_controller_is_told_in_plain_words_at_the_top(gateway: Gateway) -> None:
    found = seen(gateway, alive=False)

    assert "The controller has not been heard of" in found.faults[0]
    assert "version 1 answers everything" in found.faults[0]
    assert [one.share for one in found.answerers] == [1.0, 0.0]
    html = page(found, "n")
    assert html.index('role="alert"') < html.index("Who answers")


def test_a_controller_that_let_go_is_nobody(gateway: Gateway, rolling: Rolling) -> None:
    lease = rolling.rollouts.leases.look()
    assert lease is not None
    assert (seen(gateway).controller, seen(gateway).controller_s is None) == ("a controller", False)

    rolling.rollouts.leases.release(lease)

    assert (seen(gateway).controller, seen(gateway).controller_s) == ("", None)


def test_a_row_that_is_not_honoured_is_told_with_its_reason(gateway: Gateway) -> None:
    assert "changed by hand" in seen(gateway, fault="it was changed by hand").faults[0]


def test_a_paused_rollout_says_who_paused_it_and_how_it_goes_on(gateway: Gateway, rolling: Rolling) -> None:
    rolling.rollouts.pause(who="operator at 10.0.0.7", why="a storm comes", at_us=NOW_US)

    found = seen(gateway)

    assert "paused by operator at 10.0.0.7: a storm comes" in found.standing
    assert "mlops rollout resume flight_delays" in found.waits_for


def test_a_gateway_that_cannot_load_a_model_is_a_fault(gateway: Gateway, rolling: Rolling) -> None:
    rolling.rollouts.heartbeats.beat("there:2", 11, {2: "refused: its bytes are not those registered"})

    assert any("there:2 cannot load version 2" in fault for fault in seen(gateway).faults)


def test_a_log_that_cannot_be_read_is_a_fault_and_the_rest_is_told(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "serving" / "flight_delays.predictions.db").write_bytes(b"no database" * 100)

    found = seen(gateway)

    assert any("prediction log cannot be read" in fault for fault in found.faults)
    assert found.answerers


def test_the_record_reads_back_from_its_json(gateway: Gateway, rolling: Rolling) -> None:
    rolling.rollouts.heartbeats.beat("here:1", 11, {0: "ready", 2: "loading"})
    client = Client(gateway)

    told = client.get("/status.json")

    assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
    again = msgspec.json.decode(msgspec.json.encode(status_of(told.json()).to_json()))
    assert again == told.json()
    assert (again["stage"], again["step"]) == ("CANARY", 1)


def hostile(value: Any) -> Any:
    """The same record with every text replaced by one that would like to be markup."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = {"arm", "place", "verdict"}
        return replace(value, **{f.name: hostile(getattr(value, f.name)) for f in fields(value) if f.name not in kept})
    if isinstance(value, tuple):
        return tuple(map(hostile, value))
    if isinstance(value, Mapping):
        return {key: hostile(one) for key, one in value.items()}
    return HOSTILE if isinstance(value, str) else value


def test_no_text_becomes_markup(gateway: Gateway, rolling: Rolling) -> None:
    rolling.rollouts.heartbeats.beat("here:1", 11, {2: "refused: no"})
    gateway.log.put([answered("a", answered_us=gateway.clock_us())]).result(30)
    plain, attacked = (Parsed(page(one, "n")) for one in (seen(gateway), hostile(seen(gateway))))

    assert [tag for tag, _ in attacked.elements] == [tag for tag, _ in plain.elements]
    assert [sorted(given) for _, given in attacked.elements] == [sorted(given) for _, given in plain.elements]
    assert attacked.text.count("alert(1)") > 15
    assert attacked.text.count("⟨U+0000⟩") > 15 and "\x00" not in attacked.text
    assert not [tag for tag, given in attacked.elements if any(name.startswith("on") for name in given)]


def test_a_hostile_reason_reaches_the_page_as_text(gateway: Gateway, rolling: Rolling) -> None:
    Client(gateway, role="operator").post("/rollout/pause", json={"why": "<script>alert('snow')</script>"})

    html = Client(gateway).get("/").text

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(&#x27;snow&#x27;)&lt;/script&gt;" in html


def test_the_page_allows_itself_and_nothing_else(gateway: Gateway) -> None:
    answers = [Client(gateway).get("/") for _ in range(2)]

    nonces = []
    for answer in answers:
        allowed = answer.headers["content-security-policy"]
        (nonce,) = set(re.findall(r"'nonce-([\w-]+)'", allowed))
        assert allowed == policy(nonce)
        assert "unsafe" not in allowed
        found = Parsed(answer.text)
        assert {given.get("nonce") for tag, given in found.elements if tag in ("style", "script")} == {nonce}
        assert not [given for _, given in found.elements if "style" in given]  # the policy would not let it
        outside = [given for _, given in found.elements for name in ("src", "href") if "//" in (given.get(name) or "")]
        assert not outside
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


def test_it_renews_itself_without_scripts(gateway: Gateway) -> None:
    assert re.search(r'<noscript><meta http-equiv="refresh" content="\d+"></noscript>', Client(gateway).get("/").text)


def test_it_says_what_colours_say(gateway: Gateway) -> None:
    found = Parsed(page(seen(gateway), "n"))

    labels = [given["aria-label"] or "" for tag, given in found.elements if tag == "svg"]
    assert labels[0] == "version 1 answers 75 %, version 2 answers 25 %"
    assert all(labels)
    assert "▶" in found.text
    assert [given for tag, given in found.elements if given.get("fill") == "url(#stripes)"]
    assert [given for tag, given in found.elements if given.get("aria-current") == "step"]


def test_a_database_that_is_none_is_503_not_a_blank_page(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "flight_delays.rollout.db").write_bytes(b"no database" * 100)

    answer = Client(gateway_of(tmp_path, FLIGHT_DELAYS)).get("/")

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


def test_many_who_look_cost_one_reading(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    client, readings = Client(gateway), []
    real = gateway.rollouts.heartbeats.all
    monkeypatch.setattr(gateway.rollouts.heartbeats, "all", lambda: (readings.append(1), real())[1])
    monkeypatch.setattr("mlops_assets.gateway.status.routes.KEPT_S", 60.0)

    for _ in range(20):
        assert client.get("/").status_code == 200

    assert len(readings) == 1
