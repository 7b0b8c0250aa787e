"""The house: a module may import from its own floor and those below, and only `graph` and the door know Dagster."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mlops_assets"
FLOORS = {"declare": 0, "core": 1, "conformance": 1, "stores": 2, "graph": 3, "gateway": 3,
          "use_cases": 4, "cli": 4, "replay": 4, "definitions": 4}  # fmt: skip
# what a floor may not know of the outside world
CLOSED = {0: ("pyarrow", "pandas", "dagster", "mlflow"), 1: ("dagster", "mlflow", "fsspec", "sqlite3"), 2: ("dagster",)}
# a use case declares, it wires nothing: of ours it may import the words alone
USE_CASES_MAY = {"declare"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floor"
            found.add(node.module or "")
            if node.module == "mlops_assets":
                found.update(f"mlops_assets.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_only_go_down(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "mlops_assets" or len(parts) == 1:
            continue
        there = parts[1]
        assert there in FLOORS, f"{path.name} imports {name}, which stands on no floor: name its room in FLOORS"
        assert FLOORS[there] <= FLOORS[here], f"{here}/{path.name} (floor {FLOORS[here]}) imports {name} above it"
        if {here, there} == {"graph", "gateway"}:
            pytest.fail(f"{path.name}: graph and gateway never import each other")
        if here == "use_cases":
            assert there in USE_CASES_MAY, f"{path.name}: a use case declares, it imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_floor_knows_no_more_of_the_world_than_it_may(path: Path) -> None:
    closed = CLOSED.get(FLOORS[room(path)], ())
    known = {name.split(".")[0] for name in imports(path)}

    assert not known & set(closed), f"{path.relative_to(PACKAGE)} knows {sorted(known & set(closed))}"


def test_only_the_graph_and_the_doors_know_dagster() -> None:
    know = {room(p) for p in modules() if any(n.split(".")[0].startswith("dagster") for n in imports(p))}

    assert know <= {"graph", "definitions", "cli"}
