"""The source of importable packages, and the versions of the libraries it uses. Nothing is imported to look at it."""

import importlib.util
import platform
import sys
from collections.abc import Callable, Collection, Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from mlops_assets.core.code import Code
from mlops_assets.declare.errors import DataError
from mlops_assets.stores.provenance import library_versions

OURS = "mlops_assets"

# import root -> the distributions whose release may change what it computes
SHAPED_BY = {
    "blake3": ("blake3",),
    "duckdb": ("duckdb",),
    "fsspec": (),  # moves bytes, which are verified
    "ibis": ("ibis-framework", "duckdb", "pyarrow"),
    "numpy": ("numpy",),
    "pandas": ("pandas", "numpy", "pyarrow"),
    "pandera": ("pandera", "pandas"),
    "pyarrow": ("pyarrow",),
    "scipy": ("scipy", "numpy"),
    "skops": ("skops", "scikit-learn"),
    "sklearn": ("scikit-learn", "scipy", "numpy"),
    # a picture is known by the record it was drawn from (`Blob.picture`); the others show, wire and measure
    "dagster": (), "dagster_mlflow": (), "dagster_pandas": (), "matplotlib": (), "mlflow": (), "redis": (),
    "requests": (), "rich": (), "sqlalchemy": (), "threadpoolctl": (), "typer": (),
}  # fmt: skip


def package_code(*roots: str) -> Code:
    """The code of our package and of `roots`, packages or modules that can be imported; one `Code` per process.

    A known library among the roots (`pyarrow`, where a declaration names one of its functions) stays a library: its
    release counts, not its source. Raises DataError for a root that cannot be found.
    """
    return _code(frozenset({OURS, *roots}).difference(SHAPED_BY, sys.stdlib_module_names))


def libraries(roots: Iterable[str]) -> dict[str, str]:
    """Distribution -> version of all that shape what these import roots compute, and "python" -> "3.11".

    A root that the table does not know counts with the distributions that bring it, "yaml" with PyYAML; of one that
    nothing installed brings the version is "unknown".
    """
    asked = set(roots)
    brought = packages_distributions() if asked - SHAPED_BY.keys() else {}  # slow: it looks at all that is installed
    shaping = {name for root in asked for name in SHAPED_BY.get(root, brought.get(root, (root,)))}
    minor = ".".join(platform.python_version_tuple()[:2])
    return {**{name: _installed(name) for name in sorted(shaping)}, "python": minor}


@cache  # milliseconds each, and every step asks
def _installed(distribution: str) -> str:
    """The version as this process first met it: what it has imported stays, whatever is installed later."""
    return library_versions((distribution,))[distribution]


@cache
def _code(inside: frozenset[str]) -> Code:
    return Code(_reader(inside), inside)


def _reader(inside: Collection[str]) -> Callable[[str], str | None]:
    places = {root: _place(root) for root in sorted(inside)}

    def read(module: str) -> str | None:
        root, *below = module.split(".")
        place = places[root]
        if not all(part.isidentifier() for part in below):
            return None
        if place.is_file():  # a module on its own
            files = [place] if not below else []
        else:
            path = place.joinpath(*below)
            files = [*([path.with_name(f"{path.name}.py")] if below else []), path / "__init__.py"]
        found = next((file for file in files if file.is_file()), None)
        return None if found is None else importlib.util.decode_source(found.read_bytes())

    return read


def _place(root: str) -> Path:
    """The folder of a package, or the file of a lone module."""
    module = sys.modules.get(root)
    file = getattr(module, "__file__", None)
    if file is None and module is None:
        spec = importlib.util.find_spec(root)
        file = None if spec is None else spec.origin
    if file is None or not file.endswith(".py"):
        raise DataError(
            f"package {root!r} has no source to read, so what a step computes with its functions cannot be told: "
            "declare functions of a package with .py files and an __init__.py."
        )
    path = Path(file)
    return path.parent if path.name == "__init__.py" else path
