"""The world of `lived.py`, made once for all tests that start from it; and code that is another one from now on."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_assets.stores import code
from mlops_assets_tests.graph.lived import build, copied
from mlops_assets_tests.graph.world import World


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of worlds in which weeks have lived; not to be changed."""
    folder = tmp_path_factory.mktemp("built")
    build(folder)
    return folder


@pytest.fixture
def world(built: Path, tmp_path: Path) -> Iterator[World]:
    """A copy of the one in which four weeks have lived."""
    with copied(built, tmp_path) as made:
        yield made


Edit = Callable[[str], str]
Edited = Callable[[str, Edit], None]


@pytest.fixture
def edited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Edited]:
    """`edited(module, edit)`: from now on the module's source is another one, as far as actions see."""
    read = code._reader

    def edit_module(module: str, edit: Edit) -> None:
        def reader(inside: object) -> Callable[[str], str | None]:
            plain = read(inside)  # type: ignore[arg-type]
            changed = edit(plain(module) or "")
            return lambda name: changed if name == module else plain(name)

        monkeypatch.setattr(code, "_reader", reader)
        code._code.cache_clear()

    yield edit_module
    code._code.cache_clear()


def in_function(name: str) -> Edit:
    """A statement more in a function, and everything printed anew."""

    def edit(text: str) -> str:
        tree = ast.parse(text)
        (found,) = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name]
        found.body.append(ast.parse("edited = True").body[0])
        return ast.unparse(tree)

    return edit
