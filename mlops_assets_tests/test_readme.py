"""The README is a contract: its commands run word for word in a fresh copy, its snippets and links stand."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from mlops_assets.definitions import USE_CASES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "data" / "README.md", *(ROOT / "docs").rglob("*.md")])
DECLARATIONS = sorted((ROOT / "mlops_assets" / "use_cases").glob("*.py"))
DATA = ("raw_data", "validated_dataset", "online_features", "feature_table", "feature_catalogue")
TRAIN = ("trained_model", "registry_entry", "rollout", "feature_catalogue")
MONITOR = ("predictions", "drift_report", "performance_report", "response")
TIMEOUT_S = 240  # of one command; the slowest took 30 s on two shared cores
# what stands beside the tracked files in a folder that was worked in
MADE = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "store", "mlflow", "*.db")


@dataclass(frozen=True)
class Block:
    """One fenced block: under which heading, in which language, what it holds."""

    heading: str
    language: str
    text: str


def blocks(language: str) -> list[Block]:
    """All blocks of a language in order."""
    found, heading, lines, opened = [], "", [], None
    for line in README.splitlines():
        if opened is None and line.startswith("#"):
            heading = line.lstrip("# ")
        elif opened is None and line.startswith("```"):
            opened, lines = line[3:], []
        elif line == "```":
            found.append(Block(heading, opened or "", "\n".join(lines)))
            opened = None
        elif opened is not None:
            lines.append(line)
    return [block for block in found if block.language == language]


def after_installation(command: str) -> str:
    """What a set-up line does once everything is installed."""
    steps = command.split(" && ")
    return " && ".join(s for s in steps if not s.startswith("python3 -m venv ") and ".venv/bin/pip install" not in s)


COMMANDS = blocks("bash")
RUN_IT = next(b for b in COMMANDS if b.heading == "Run it")
TEST_IT = next(b for b in COMMANDS if b.heading == "Test it")
DEV = next(b for b in COMMANDS if "dagster dev" in b.text)
TRACKER = next(b for b in COMMANDS if "mlflow ui" in b.text)
GATEWAY = next(b for b in COMMANDS if "mlops serve" in b.text)
ASKS = [b for b in COMMANDS if b.heading == GATEWAY.heading and b is not GATEWAY]  # while the gateway runs


# --- a copy in which nothing has run, and what its commands said ---------------------------------------------------


Shown = dict[str, set[str]]


@dataclass(frozen=True)
class Served:
    """What a server showed by kind, the addresses it listened on, how it ended."""

    shown: Shown
    listening: set[str]
    seconds_to_stop: float
    output: str


@dataclass(frozen=True)
class Told:
    """What the README's commands answered, by their text; `again` is the second demo."""

    answers: dict[str, "subprocess.CompletedProcess[str]"]
    again: "subprocess.CompletedProcess[str]"
    served: Served
    tracker: Served
    gateway: Served


def copy_of_the_project(to: Path) -> Path:
    """What a clone would hold, with today's changes, and the installed environment."""
    everything = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(everything, cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0:
        for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
            if (ROOT / name).is_file():  # not where it was removed and the removal is not committed yet
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, to / name)
    else:  # an unpacked archive has no git
        shutil.copytree(ROOT, to, ignore=MADE, dirs_exist_ok=True)
    (to / ".venv").symlink_to(sys.prefix)
    return to


def shell(copy: Path, command: str) -> "subprocess.CompletedProcess[str]":
    """The command as it would be pasted, in the copy."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], cwd=copy, env=environment(copy), text=True, capture_output=True,
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


def environment(copy: Path) -> dict[str, str]:
    """No settings of this project, no colours, and its code from the copy."""
    ours = ("MLOPS_", "DAGSTER_", "MLFLOW_", "PYTEST_", "FORCE_COLOR")
    rest = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return rest | {"PYTHONPATH": str(copy), "COLUMNS": "120", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Every command of the README, once and in order; the demo twice."""
    copy = copy_of_the_project(tmp_path_factory.mktemp("readme") / "mlops_assets")
    answers = {}
    demo = after_installation(RUN_IT.text)
    again = served = tracker = gateway = None
    for block in COMMANDS:
        if block is TEST_IT or block in ASKS:
            continue  # the one is running now, the others are run while the gateway does
        if block is DEV:
            served = serve(copy, block.text, graph_of)
        elif block is TRACKER:
            tracker = serve(copy, block.text, models_of)
        elif block is GATEWAY:
            gateway = serve(copy, block.text, partial(asked, copy=copy, answers=answers))
        elif block is RUN_IT:
            answers[block.text] = shell(copy, demo)
            again = shell(copy, f"{demo} --json")
        else:
            answers[block.text] = shell(copy, block.text)
    assert again is not None
    assert served is not None
    assert tracker is not None
    assert gateway is not None
    yield Told(answers, again, served, tracker, gateway)
    shutil.rmtree(copy, ignore_errors=True)


def serve(copy: Path, command: str, look: Callable[[str, "subprocess.Popen[bytes]", Path], Shown]) -> Served:
    """Start a server, `look` at it until it shows what it should, stop it as Ctrl-C would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = copy.parent / "served.log"
    with log.open("w") as out:
        here = re.sub(r"--port \d+", f"--port {port}", command)
        dev = subprocess.Popen(
            ["bash", "-c", here], cwd=copy, env=environment(copy), stdout=out, stderr=out, start_new_session=True
        )
        try:
            shown = look(f"http://127.0.0.1:{port}", dev, log)
            listening = addresses_of_session(dev.pid)
        finally:
            seconds = stop(dev)
    return Served(
        shown=shown,
        listening=listening,
        seconds_to_stop=seconds,
        output=log.read_text(),
    )


def asked(
    url: str, process: "subprocess.Popen[bytes]", log: Path, *, copy: Path,
    answers: dict[str, "subprocess.CompletedProcess[str]"],
) -> Shown:  # fmt: skip
    """What the gateway shows after the commands that ask it."""
    answer_of(f"{url}/readyz", None, lambda got: got["status"] == "ready", process, log)
    for block in ASKS:
        answers[block.text] = shell(copy, block.text.replace("http://127.0.0.1:8080", url))
    with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310  our own http address
        return {"page": {page.headers["content-type"], *re.findall(r"<h1>(.*?)</h1>", page.read().decode())}}


QUERY = """{
  assetNodes { assetKey { path } }
  repositoriesOrError { ... on RepositoryConnection { nodes { name jobs { name } schedules { name } } } }
}"""


def graph_of(url: str, dev: "subprocess.Popen[bytes]", log: Path) -> Shown:
    """Asset keys, jobs and schedules that `dagster dev` lists once the code is loaded."""
    data = answer_of(f"{url}/graphql", {"query": QUERY}, lambda got: got["data"]["assetNodes"], dev, log)["data"]
    (location,) = [node for node in data["repositoriesOrError"]["nodes"] if node["name"] != "__none__"]
    return {
        "assets": {"/".join(node["assetKey"]["path"]) for node in data["assetNodes"]},
        "jobs": {job["name"] for job in location["jobs"]},
        "schedules": {schedule["name"] for schedule in location["schedules"]},
    }


def models_of(url: str, ui: "subprocess.Popen[bytes]", log: Path) -> Shown:
    """Registered models that MLflow's UI lists."""
    search = f"{url}/ajax-api/2.0/mlflow/registered-models/search"
    found = answer_of(search, None, lambda got: got["registered_models"], ui, log)["registered_models"]
    return {"models": {model["name"] for model in found}}


def answer_of(
    url: str, question: Any, enough: Callable[[Any], Any], server: "subprocess.Popen[bytes]", log: Path
) -> dict[str, Any]:
    """What an address answers once it is enough; fails with the log when it never is."""
    body = None if question is None else json.dumps(question).encode()
    ask = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  our own http address
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(ask, timeout=10) as answer:  # noqa: S310  the same
                got: dict[str, Any] = json.load(answer)
            if enough(got):
                return got
        except (URLError, OSError, KeyError, TypeError, json.JSONDecodeError):
            pass
        time.sleep(0.5)
    pytest.fail(f"{url} never showed what it should: {log.read_text()[-3000:]}")


def stop(dev: "subprocess.Popen[bytes]") -> float:
    """Ctrl-C to its whole group, and after two minutes the hard way; how long it took, in seconds.

    Dagster waits up to a minute for a run that a sensor has launched.
    """
    began = time.monotonic()
    os.killpg(dev.pid, signal.SIGINT)
    try:
        dev.wait(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(dev.pid, signal.SIGKILL)
        dev.wait(timeout=10)
    return time.monotonic() - began


def addresses_of_session(leader: int) -> set[str]:
    """The addresses on which any process of a session listens for TCP, from /proc; empty where there is none."""
    inodes = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            session = int((process / "stat").read_text().rpartition(")")[2].split()[3])
            links = [str(fd.readlink()) for fd in (process / "fd").iterdir()] if session == leader else []
        except OSError:  # it ended meanwhile
            continue
        inodes.update(link[8:-1] for link in links if link.startswith("socket:["))
    found = set()
    for table in ("tcp", "tcp6"):
        file = Path("/proc/net") / table
        for line in file.read_text().splitlines()[1:] if file.exists() else ():
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:  # 0A: listening
                found.add(address(fields[1].partition(":")[0]))
    return found


def address(hexadecimal: str) -> str:
    """An address of /proc/net/tcp, words in the machine's order, as people write it."""
    words = [hexadecimal[i : i + 8] for i in range(0, len(hexadecimal), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(int(w, 16).to_bytes(4, sys.byteorder) for w in words))


# --- commands ------------------------------------------------------------------------------------------------------

PLAIN = [block for block in COMMANDS if block not in (TEST_IT, DEV, TRACKER, GATEWAY)]


def test_the_set_up_lines_install_and_then_do_one_thing() -> None:
    assert after_installation(RUN_IT.text) == ".venv/bin/mlops demo"
    assert re.fullmatch(r"\.venv/bin/pytest( --?\w+ [\w\"][^\"\s]*| -m \"[^\"]*\")*", after_installation(TEST_IT.text))
    for block, lock in ((RUN_IT, "requirements.lock"), (TEST_IT, "requirements-dev.lock")):
        assert len(block.text.splitlines()) == 1
        assert f"--require-hashes -r {lock} " in block.text
        assert (ROOT / lock).is_file()


@pytest.mark.parametrize("block", [RUN_IT, TEST_IT], ids=["Run it", "Test it"])
def test_ci_runs_the_readmes_set_up_lines_word_for_word(block: Block) -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    (function,) = re.findall(r"^block\(\) \{.*\}$", ci, re.MULTILINE)
    (variable,) = re.findall(rf"^(\w+)=\"\$\(block '{block.heading}'\)\"$", ci, re.MULTILINE)
    read = subprocess.run(
        ["bash", "-c", f"{function}\nblock '{block.heading}'"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert read.stdout.rstrip("\n") == block.text
    assert re.search(rf'^bash -euo pipefail -c "\${variable}"$', ci, re.MULTILINE)


@pytest.mark.parametrize("block", PLAIN, ids=lambda block: block.text.splitlines()[0][-50:])
def test_a_command_of_the_readme_ends_well(told: Told, block: Block) -> None:
    answer = told.answers[block.text]

    assert answer.returncode == 0, f"{block.text}\n{answer.stdout[-2000:]}\n{answer.stderr[-3000:]}"
    assert "Traceback" not in answer.stdout + answer.stderr


LINE = re.compile(r"flight_delays/(\w+) +(\d{4}-\d\d-\d\d) .* ([0-9a-f]{12}) +\d+\.\d s(?:  reused)?(?:  [A-Za-z ]+)?")


def test_the_demo_prints_a_line_for_each_asset_and_week(told: Told) -> None:
    lines = [found.groups() for found in map(LINE.fullmatch, told.answers[RUN_IT.text].stdout.splitlines()) if found]
    made = [(asset, week) for asset, week, _ in lines]
    weeks = sorted({week for _, week in made})

    assert len(weeks) == 10
    assert sorted(made) == sorted(
        [(asset, week) for asset in DATA for week in weeks]
        + [(asset, weeks[7]) for asset in TRAIN]
        + [(asset, week) for asset in MONITOR for week in weeks[8:]]
    )


def test_a_second_demo_gives_the_same_data_versions(told: Told) -> None:
    lines = [found.groups() for found in map(LINE.fullmatch, told.answers[RUN_IT.text].stdout.splitlines()) if found]
    first = {(f"flight_delays/{asset}", week): version for asset, week, version in lines}
    runs = json.loads(told.again.stdout)["runs"]
    second = {(made["asset"], made["partition"]): made["data_version"] for run in runs for made in run["made"]}

    assert all(run["success"] for run in runs)
    assert {key: version[:12] for key, version in second.items()} == first


def test_a_second_demo_does_no_work_again_that_is_known(told: Told) -> None:
    runs = json.loads(told.again.stdout)["runs"]
    again = {
        (made["asset"].partition("/")[2], made["partition"])
        for run in runs
        for made in run["made"]
        if not made["reused"]
    }
    trained = next(run["partition"] for run in runs if run["job"] == "flight_delays_train")

    # the online store is asked, not us; a catalogue tells of models registered before its week
    assert {asset for asset, _ in again} <= {"online_features", "feature_catalogue", "predictions"}
    assert all(week > trained for asset, week in again if asset == "feature_catalogue")


def test_all_four_proofs_of_a_second_demo_hold(told: Told) -> None:
    proofs = json.loads(told.again.stdout)["proofs"]

    assert [proof["passed"] for proof in proofs] == [True] * 4


def test_what_the_readme_shows_is_what_the_demo_prints(told: Told) -> None:
    (shown,) = [block.text for block in blocks("text") if block.heading == "Run it"]
    printed = iter([timeless(line) for line in told.answers[RUN_IT.text].stdout.splitlines()])
    for line in filter(None, map(timeless, shown.splitlines())):
        if line in ("...", "…"):
            continue
        assert line in printed, f"the demo does not print, here and in this order: {line}"


def timeless(line: str) -> str:
    """A line of output without how long it took. Versions of data stay, they are the same everywhere; what is made of
    a model holds metrics, whose last digit may differ on another processor."""
    line = re.sub(r"\b\d+(\.\d)? s\b", "# s", line)
    if re.search(
        r"/(trained_model|registry_entry|rollout|predictions|drift_report|performance_report|response) ", line
    ):
        line = re.sub(r"\b[0-9a-f]{12}\b", "#", line)
    return " ".join(line.split())


def test_the_ui_lists_every_asset_of_every_use_case(told: Told) -> None:
    artifacts = {*DATA, *TRAIN, *MONITOR}

    assert told.served.shown["assets"] == {f"{case.name}/{a}" for case in USE_CASES for a in artifacts}


def test_the_gateway_shows_its_status_page(told: Told) -> None:
    assert told.gateway.shown["page"] == {"text/html; charset=utf-8", "flight_delays"}


def test_mlflows_pages_list_the_model(told: Told) -> None:
    assert told.tracker.shown["models"] == {"flight_delays"}


def test_the_jobs_and_the_schedule_the_readme_names_exist(told: Told) -> None:
    jobs = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    schedules = set(re.findall(r"schedule `(\w+)`", README))

    assert jobs
    assert jobs == {job for job in told.served.shown["jobs"] if not job.startswith("__")}
    assert schedules == told.served.shown["schedules"]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="listening sockets are read from /proc")
def test_the_ui_listens_on_loopback_only(told: Told) -> None:
    for server in (told.served, told.tracker, told.gateway):
        assert server.listening
        assert server.listening <= {"127.0.0.1", "::1"}


def test_the_ui_stops_when_it_is_told_to(told: Told) -> None:
    assert told.served.seconds_to_stop < 90, told.served.output[-2000:]


def test_the_week_whose_rows_the_readme_shows_has_some(told: Told) -> None:
    (block,) = [b for b in PLAIN if re.search(r"mlops quarantine \w+ \d", b.text)]
    (rows,) = re.findall(r"^([\d,]+) rows? quarantined in ", told.answers[block.text].stdout, re.MULTILINE)

    assert int(rows.replace(",", "")) > 0


# --- snippets, links, paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.text[:40])
def test_a_snippet_parses_and_its_lines_stand_in_the_declaration(block: Block) -> None:
    compile(block.text, "README.md", "exec")
    declared = "".join("".join(path.read_text().split()) for path in DECLARATIONS)
    for line in block.text.splitlines():
        start = "".join(line.split()).rstrip("),")  # the README may leave out what a call says further on

        assert start in declared, f"no use case holds {line.strip()!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]
    gone = [link for link in inside if not leads_somewhere(page, link)]

    assert gone == []


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    if not anchor or target.suffix != ".md":
        return True
    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


# written in halves, so that this file does not match itself
OF_ONE_MACHINE = tuple(
    "".join(halves).encode()
    for halves in (
        ("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/"), ("C:\\Us", "ers"), ("/op", "t/wheels"),
        ("/op", "t/pypi"), ("site-", "packages/"), ("py", "pi.org"), ("python", "hosted.org"), ("anaconda", ".org"),
        ("npm", "js.org"), ("proxy.golang", ".org"), ("crates", ".io"), ("find-", "links"), ("index-", "url"),
    )
)  # fmt: skip


def test_no_file_names_a_place_of_one_machine_or_a_package_registry() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("an unpacked archive has no list of tracked files")
    files = [ROOT / name for name in os.fsdecode(listed.stdout).split("\0") if name and (ROOT / name).is_file()]
    met = {
        (str(file.relative_to(ROOT)), pattern.decode())
        for file in files
        for pattern in OF_ONE_MACHINE
        if pattern in file.read_bytes()
    }

    assert met == set()
