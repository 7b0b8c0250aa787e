"""The page of a replay: it stands alone, says every sentence, and believes no name."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.account import Account
from mlops_assets.core.gain import NEVER
from mlops_assets.core.pages.document import is_report
from mlops_assets.core.pages.replay import replay_page
from mlops_assets.core.pages.replay_tables import fate
from mlops_assets.declare.errors import DataError
from mlops_assets_tests.core.accounts import account, empty, hostile
from mlops_assets_tests.core.pages.seen import Seen
from mlops_assets_tests.core.pages.world import HOSTILE

YEAR = account()
SHORT = account(weeks=6)


def page(told: Account) -> Seen:
    return Seen(replay_page(told).encode())


def without_figures(told: Account) -> Account:
    """The account of answers none of which has a label."""
    policies = [
        replace(one, metrics=dict.fromkeys(one.metrics), weeks=tuple(
            replace(week, labelled=0, metrics=dict.fromkeys(week.metrics), predicted=None, actual=None)
            for week in one.weeks
        )) for one in told.policies
    ]  # fmt: skip
    against = [replace(one, metrics={}, weeks={}) for one in told.against]
    return replace(told, policies=tuple(policies), against=tuple(against))


def test_the_same_account_gives_the_same_page_which_is_a_report_s() -> None:
    made = replay_page(YEAR)

    assert made == replay_page(Account.from_json(YEAR.to_json()))
    assert is_report(made.encode())


def test_what_was_replayed_comes_first_then_the_policies_beside_each_other_then_each_of_them() -> None:
    text = page(YEAR).text

    places = [text.index(said) for said in (
        "45 weeks of flight_delays, 2013-03-04 to 2014-01-06, replayed under 2 policies: monthly did best",
        "Side by side", "What each policy changes", "Timeline", "Live log loss", "Drift of the inputs",
        "What was broken on purpose", "Models", "Decisions", "All 45 weeks", "What it cost", "What the words mean",
    )]  # fmt: skip
    assert places == sorted(places)


def test_policies_and_comparators_stand_in_one_table_with_their_share_of_the_gain() -> None:
    html = replay_page(YEAR).replace("\N{NO-BREAK SPACE}", " ")
    rows = re.findall(r"<tr(?: class=\"[a-z ]+\")?><td class=\"name\"><bdi>(.*?)</bdi></td>(.*?)</tr>", html)
    cells = {name: re.findall(r"<td[^>]*>(.*?)</td>", row) for name, row in rows[:4]}

    assert cells["drift"] == ["0.4862", "0.728", "77 %", "8", "8", "4", "1", "103,200", "17,120", "310", "4"]
    assert cells[NEVER][:5] == ["0.5002", "0.7127", "0 %", "0", "–"]
    assert cells["trained every four weeks"][2] == "100 %"


def test_what_a_policy_changes_is_told() -> None:
    text = re.sub(r"\s+", " ", page(YEAR).text)

    assert "retraining.max_age = 28 days" in text
    assert "the use case as it is declared" in text


def test_every_sentence_of_the_account_is_on_the_page() -> None:
    text = page(YEAR).text
    policy = YEAR.policies[0]

    assert all(one.why in text for one in policy.told)
    assert all(one.judged in text and one.why in text for one in policy.versions)
    assert all(one.done in text and one.met in text for one in policy.sabotage)
    assert all(week.reason in text for week in policy.weeks)
    assert all(stage.why in text for stage in policy.stages)
    assert policy.ledger in text


def test_the_ledger_is_told_oldest_first_and_folded_where_it_is_long() -> None:
    html = replay_page(YEAR)
    whole = html[html.index("entries of the ledger</summary>") :].split("</details>")[0]

    found = re.findall(r"<tr><td class=\"name\"><time>(.*?)</time>", whole)
    assert len(found) == len(YEAR.policies[0].told) and found == sorted(found)
    assert "entries of the ledger" not in replay_page(SHORT)


def test_how_a_model_ended_is_told_with_the_sentence_of_that_decision() -> None:
    stages = YEAR.policies[0].stages

    assert fate(3, stages).startswith("was rolled back, 2013-06-06 20:52: Its rate of errors")
    assert fate(5, stages).startswith("was rejected")
    assert fate(7, stages) == "no rollout was opened"
    assert fate(8, stages).startswith("is in shadow")


def test_how_a_policy_did_is_told_in_its_sentence() -> None:
    assert "77\N{NO-BREAK SPACE}% of the gain of “trained every four weeks”" in page(YEAR).text
    bad = [replace(week, metrics={YEAR.metric: 9.0}) for week in YEAR.policies[0].weeks]
    worse = replace(YEAR, policies=(replace(YEAR.policies[0], weeks=tuple(bad)),))
    assert f"worse than {NEVER}" in page(worse).text


@pytest.mark.parametrize("told", [
    empty(), SHORT, without_figures(SHORT), replace(SHORT, against=()), replace(SHORT, policies=()),
    replace(SHORT, policies=(replace(SHORT.policies[0], stages=(), versions=(), told=()),)),
    replace(SHORT, metric="auc", higher=True), replace(SHORT, metric="brier"),
])  # fmt: skip
def test_whatever_is_not_known_yet_leaves_a_page(told: Account) -> None:
    seen = page(told)

    assert "Side by side" in seen.text
    assert not re.search(r"\bNone\b|\bnan\b", seen.text)


def test_nothing_is_loaded_and_nothing_runs() -> None:
    seen = page(YEAR)

    links = [value for _, attributes in seen.elements for key, value in attributes.items() if key in ("src", "href")]
    assert links == ["data:,"]
    assert not {"script", "iframe", "object", "form", "base", "img", "use"} & {tag for tag, _ in seen.elements}
    assert not [key for _, attributes in seen.elements for key in attributes if key == "style" or key.startswith("on")]


def test_the_policy_of_the_page_allows_its_own_style_sheet_alone() -> None:
    html = replay_page(SHORT)
    sheets = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(sheets[0].encode()).digest()).decode()

    assert len(sheets) == 1
    assert f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;" in html.replace("'", "&#x27;")


def test_every_look_a_picture_uses_is_in_the_style_sheet() -> None:
    html = replay_page(YEAR)
    sheet = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)[0]
    used = {name for names in re.findall(r'class="([a-z0-9 ]+)"', html) for name in names.split()}

    assert {name for name in used if f".{name}" not in sheet} == set()


def test_a_year_of_two_policies_stays_small() -> None:
    html = replay_page(YEAR)

    assert len(html.encode()) < 1_000_000
    assert max(map(len, re.findall(r"<svg.*?</svg>", html, re.DOTALL))) < 150_000


def test_a_year_of_many_restless_columns_stays_small() -> None:
    wild = {f"a_column_with_a_name_that_is_long_{at}": 1.7 for at in range(120)}
    policies = tuple(
        replace(one, weeks=tuple(replace(week, drift=wild) for week in one.weeks)) for one in YEAR.policies
    )
    html = replay_page(replace(YEAR, policies=policies))

    assert len(html.encode()) < 2_000_000
    assert max(map(len, re.findall(r"<svg.*?</svg>", html, re.DOTALL))) < 150_000


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(name: str) -> None:
    assert page(hostile(name)).skeleton == page(hostile("t" * len(name))).skeleton


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=30))
def test_no_text_changes_the_elements_of_the_page(name: str) -> None:
    assert page(hostile(f"x{name}")).skeleton == page(hostile(f"x{'t' * len(name)}")).skeleton


def test_what_is_no_instant_is_refused_by_name() -> None:
    broken = replace(SHORT.policies[0], stages=(replace(SHORT.policies[0].stages[0], since="yesterday"),))

    with pytest.raises(DataError, match="'yesterday'"):
        replay_page(replace(SHORT, policies=(broken,)))
