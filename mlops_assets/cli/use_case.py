"""Names a user types: a use case, a week. Wrong ones are usage errors that list what exists."""

from datetime import UTC, datetime
from importlib import import_module
from pkgutil import iter_modules

import typer

from mlops_assets import use_cases
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.use_case import UseCase


def use_case_named(name: str) -> UseCase:
    """The declared use case of that name; a usage error listing all when there is none."""
    from mlops_assets.definitions import USE_CASES

    by_name = {u.name: u for u in USE_CASES}
    if name not in by_name:
        raise typer.BadParameter(f"use case {name!r} is not declared, must be one of {sorted(by_name)}.")
    return by_name[name]


def declared_named(name: str) -> UseCase:
    """The same by the files of `use_cases/` alone, without Dagster: what a gateway needs is imported in a second."""
    found: dict[str, UseCase] = {}
    for module in iter_modules(use_cases.__path__, f"{use_cases.__name__}."):
        declared = vars(import_module(module.name)).values()
        found |= {one.name: one for one in declared if isinstance(one, UseCase)}
    if name not in found:
        raise typer.BadParameter(f"use case {name!r} is not declared, must be one of {sorted(found)}.")
    return found[name]


def week(use_case: UseCase, key: str) -> str:
    """A partition key that exists; a usage error otherwise."""
    try:
        return use_case.partitions.check(key, datetime.now(UTC))
    except DataError as error:
        raise typer.BadParameter(str(error)) from error
