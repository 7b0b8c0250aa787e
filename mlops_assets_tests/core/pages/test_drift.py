"""The page of a drift report: it stands alone, says what to do, and believes no name."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.pages.document import POLICY, is_report
from mlops_assets.core.pages.drift import drift_page, running
from mlops_assets_tests.core.pages.seen import Seen
from mlops_assets_tests.core.pages.world import HOSTILE, hostile, report

PLOT = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
ACT = report(28, warmer=40)


def page(record: dict[str, Any], **more: Any) -> Seen:
    return Seen(drift_page(record, more.get("plots", {}), more.get("history", [])))


def test_the_same_report_gives_the_same_bytes() -> None:
    assert drift_page(ACT, {"ranked_plot": PLOT}, []) == drift_page(ACT, {"ranked_plot": PLOT}, [])


def test_the_verdict_comes_first_then_what_to_do_then_the_columns_then_the_words() -> None:
    text = page({**ACT, "use_case": "flights", "partition": "2013-01-28"}).text

    places = [text.index(said) for said in (
        "Data drift · flights · 2013-01-28", "✕ ACT", "What to do", "Columns, the most drifted first",
        "What the words mean",
    )]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize(("verdict", "said"), [
    ("ACT", "performance report"), ("WATCH", "Nothing needs to be done today"), ("QUIET", "Nothing: the inputs"),
    ("INCONCLUSIVE", "Conclude nothing"),
])  # fmt: skip
def test_every_verdict_says_what_to_do(verdict: str, said: str) -> None:
    assert said in page({**ACT, "verdict": verdict, "sentence": f"{verdict}: x."}).text


def test_a_feed_fault_stands_above_everything_but_the_verdict_and_changes_what_to_do() -> None:
    fault = {"columns": ["temp"], "kind": "unit", "sentence": "Celsius read as Fahrenheit."}
    text = page({**ACT, "faults": [fault]}).text

    assert text.index("A feed is broken") < text.index("Celsius read as Fahrenheit.") < text.index("What to do")
    assert "Mend the feed first" in text
    assert "performance report" not in text
    assert "A feed is broken" not in page(ACT).text


@pytest.mark.parametrize(("changes", "said"), [
    ({"fault": "unit", "verdict": "STABLE", "watch": False}, "✕ feed fault: unit"),
    ({"fault": "", "verdict": "DRIFT", "stable": False}, "✕ drifted"),
    ({"fault": "", "verdict": "STABLE", "watch": True}, "▲ past watch level"),
    ({"fault": "", "verdict": "STABLE", "watch": False}, "✓ stable"),
    ({"fault": "", "verdict": "INSUFFICIENT_DATA", "watch": False}, "… cannot be told"),
])  # fmt: skip
def test_a_column_is_called_what_it_is(changes: dict[str, Any], said: str) -> None:
    assert said in page({**ACT, "columns": [{**ACT["columns"][0], **changes}]}).texts


def test_a_stable_column_that_moved_is_a_fault_in_a_report_older_than_faults() -> None:
    old = {name: value for name, value in ACT["columns"][0].items() if name != "fault"} | {"stable": True}

    assert "✕ feed fault: moved" in page({**ACT, "columns": [old]}).texts


def test_every_column_is_in_the_table_and_a_flagged_one_says_why() -> None:
    seen = page(ACT)

    names = re.findall(r"<bdi>(.*?)</bdi>", drift_page(ACT, {}, []).decode())
    assert names == [column["name"] for column in ACT["columns"]]
    assert ACT["columns"][0]["sentence"] in seen.texts
    assert ACT["columns"][-1]["sentence"] not in seen.texts


def test_a_column_without_rows_is_told_as_such() -> None:
    figures = ("ratio", "psi", "ks", "js", "shift_sd", "missing_live", "unseen", "below_min", "above_max")
    nothing = dict.fromkeys(figures)
    column = {**ACT["columns"][0], **nothing, "verdict": "INSUFFICIENT_DATA", "watch": False}

    assert "no rows" in page({**ACT, "columns": [column]}).texts


def test_a_week_without_a_model_to_compare_with_is_a_page_too() -> None:
    seen = page({"verdict": "INCONCLUSIVE", "sentence": "INCONCLUSIVE: no model led before 2013-01-07."})

    assert any("no model led before 2013-01-07." in text for text in seen.texts)
    assert "table" not in [tag for tag, _ in seen.elements]


def test_how_long_a_column_has_been_flagged_is_told() -> None:
    history = [("W1", report(1)), ("W2", ACT), ("W3", ACT)]

    assert running(history)["temp"] == 2
    assert "2 weeks running" in page(ACT, history=history).texts


def test_nothing_is_loaded_and_nothing_runs() -> None:
    seen = page(ACT, plots={"ranked_plot": PLOT, "columns_plot": PLOT, "history_plot": PLOT, "other": PLOT})

    links = [value for _, attributes in seen.elements for key, value in attributes.items() if key in ("src", "href")]
    assert len(links) == 5 and all(str(link).startswith("data:") for link in links)
    assert not {"script", "iframe", "object", "form", "base"} & {tag for tag, _ in seen.elements}
    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}) in seen.elements
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in POLICY
    assert not [key for _, attributes in seen.elements for key in attributes if key == "style" or key.startswith("on")]


def test_the_pictures_with_a_caption_come_in_its_order_and_others_after_them() -> None:
    captions = [attributes["alt"] for tag, attributes in page(
        ACT, plots={"a_plot": PLOT, "history_plot": PLOT, "ranked_plot": PLOT}
    ).elements if tag == "img"]  # fmt: skip

    assert [str(caption)[:9] for caption in captions] == ["Every col", "The weeks", "a plot"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(name: str) -> None:
    record, tame = hostile(name), hostile("tame")
    found = page(record, plots={"ranked_plot": PLOT}, history=[("W1", record), ("W2", record)])

    same = page(tame, plots={"ranked_plot": PLOT}, history=[("W1", tame), ("W2", tame)])
    assert found.skeleton == same.skeleton


def test_what_cannot_be_seen_is_spelled_out() -> None:
    text = page(hostile("a\x00\N{RIGHT-TO-LEFT OVERRIDE}b\ud800")).text

    assert "a⟨U+0000⟩⟨U+202E⟩b⟨U+D800⟩" in text
    assert "\x00" not in text and "\N{RIGHT-TO-LEFT OVERRIDE}" not in text


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=30))
def test_no_text_changes_the_elements_of_the_page(name: str) -> None:
    tags = [tag for tag, _ in page(hostile(f"x{name}")).elements]

    assert tags == [tag for tag, _ in page(hostile("x")).elements]


def test_a_page_is_known_by_its_first_bytes() -> None:
    assert is_report(drift_page(ACT, {}, [])[:100])
    assert not is_report(b"<!doctype html><html><body>somebody's own</body></html>")
