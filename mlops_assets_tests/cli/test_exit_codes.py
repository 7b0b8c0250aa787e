"""0 done, 1 a verdict failed or data was refused, 2 usage: in words, never with a traceback."""

import re
from pathlib import Path

import pytest

from mlops_assets_tests.cli.conftest import Mlops, as_a_program

WEEK = "2012-12-31"


def backfill(
    use_case: str = "flight_delays", *, first: str = WEEK, last: str = WEEK, job: str = "data"
) -> tuple[str, ...]:
    return ("backfill", use_case, "--from", first, "--to", last, "--job", job)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (backfill("gone"), "use case 'gone' is not declared, must be one of ['flight_delays', 'parking']."),
        (("quarantine", "gone", WEEK), "use case 'gone' is not declared, must be one of ['flight_delays', 'parking']."),
        (backfill(job="gone"), "must be one of ['data', 'train', 'rollout', 'monitor', 'lifecycle']."),
        (backfill(first="2013-01-09"), "that day lies in week '2013-01-07'. Nothing was run."),
        (backfill(last="2031-01-06"), "keys are Mondays '2012-12-31' .. '2013-12-30' (53 weeks). Nothing was run."),
        (backfill(first="../../etc"), "partition key '../../etc' does not exist: keys are Mondays '2012-12-31' .."),
        (("quarantine", "flight_delays", "2013-02-12"), "that day lies in week '2013-02-11'."),
        (backfill(first="2013-01-07"), "--from 2013-01-07 lies after --to 2012-12-31: swap them."),
        (("hash",), "Missing argument"),
        (("backfill", "flight_delays"), "Missing option '--from'"),
        (("fsck", "--gone"), "No such option: --gone"),
        (("gone",), "No such command 'gone'"),
    ],
)
def test_wrong_use_is_exit_code_2_and_says_what_exists(
    mlops: Mlops, tmp_path: Path, args: tuple[str, ...], said: str
) -> None:
    answer = mlops(*args)

    assert (answer.code, answer.out) == (2, "")
    assert said in answer.said
    assert "Traceback" not in answer.err
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_command(mlops: Mlops) -> None:
    answer = mlops("--help")

    assert answer.code == 0
    for command in ("demo", "backfill", "hash", "fsck", "quarantine"):
        assert re.search(rf"\b{command}\b", answer.out)
        assert mlops(command, "--help").code == 0


@pytest.mark.parametrize(
    ("args", "code"), [(("hash", "gone.csv"), 1), (("hash",), 2), (("fsck",), 0)], ids=["refused", "usage", "done"]
)
def test_the_process_ends_with_the_code(tmp_path: Path, args: tuple[str, ...], code: int) -> None:
    (tmp_path / "store").mkdir()  # an empty store is sound, an absent one is not
    answer = as_a_program(tmp_path, *args)

    assert answer.code == code
    assert "Traceback" not in answer.err
