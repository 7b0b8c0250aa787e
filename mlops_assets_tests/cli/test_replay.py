"""`mlops replay`: what it refuses before anything is played, and an account as people see it."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mlops_assets.cli import replayed
from mlops_assets.core.account import Sabotage
from mlops_assets_tests.cli.conftest import SHIPPED, Mlops
from mlops_assets_tests.core.accounts import account


@pytest.fixture
def replay(mlops: Mlops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mlops:
    """`mlops replay flight_delays ...` on the shipped files; what it says when it plays nothing."""
    monkeypatch.setenv("MLOPS_LANDING", str(SHIPPED.parent))
    return lambda *args: mlops("replay", "flight_delays", "--to", "2013-03-11", *args)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--sabotage", "2013-03-04:meteor"), "must be WEEK:KIND, where KIND is one of wrong_model, broken_model"),
        (("--sabotage", "2013-03-05:crash"), "'2013-03-05' is no week of the replay, a Monday from 2013-02-25"),
        (("--sabotage", "soon:crash"), "is no week of the replay"),
        (("--from", "2013-02-18"), "must begin with 2013-02-25 or later, since a first model takes 8 weeks"),
        (("--from", "2013-03-06"), "partition key '2013-03-06' does not exist"),
    ],
)
def test_a_replay_that_cannot_be_is_refused_with_the_reason(
    replay: Mlops, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    answer = replay(*given)

    assert (answer.code, answer.out) == (1, "")
    assert said in answer.said
    assert not (tmp_path / "replay" / "flight_delays" / "history").exists()


@pytest.mark.parametrize("name", ["history", "models", "against", "account.json", "declared.checkpoint"])
def test_no_policy_is_called_like_a_file_of_the_replays_own(replay: Mlops, tmp_path: Path, name: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f'name = "{name}"\n[retraining]\nmost = 2\n')

    answer = replay("--policy", str(policy))

    assert answer.code == 1 and f"name == '{name}'" in answer.said


def test_a_place_where_no_folder_can_be_is_refused(replay: Mlops, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    answer = replay("--out", str(tmp_path / "file"))

    assert answer.code == 1 and "no folder can be made there" in answer.said


def test_an_account_is_told_in_order_with_every_policy_and_what_it_is_held_against(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replayed, "out", Console(width=200, highlight=False))
    year = account(weeks=12)
    done = Sabotage(week=year.begin, kind="crash", done="killed", met="others went on")
    policies = (replace(year.policies[0], sabotage=(done,)), *year.policies[1:])
    replayed.print_account(replace(year, policies=policies, most=50), tmp_path, tmp_path / "replay.html", 61.0)
    told = capsys.readouterr().out

    first, sabotage = told.index("v1 trained on the weeks to"), told.index("sabotage, crash: killed; others went on")
    assert min(first, sabotage) < told.index("rolled back")
    for name in (*(one.name for one in policies), *(one.name for one in year.against)):
        assert f"\n{name}" in told
    assert "requests (at most 50 a week, drawn) under 2 policies in 61 s" in told
