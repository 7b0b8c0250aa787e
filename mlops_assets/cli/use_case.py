"""Names a user types: a use case, a week. Wrong ones are usage errors that list what exists."""

from datetime import UTC, datetime

import typer

from mlops_assets.declare.errors import DataError
from mlops_assets.declare.use_case import UseCase


def use_case_named(name: str) -> UseCase:
    """The declared use case of that name; a usage error listing all when there is none."""
    from mlops_assets.definitions import USE_CASES

    by_name = {u.name: u for u in USE_CASES}
    if name not in by_name:
        raise typer.BadParameter(f"use case {name!r} is not declared, must be one of {sorted(by_name)}.")
    return by_name[name]


def week(use_case: UseCase, key: str) -> str:
    """A partition key that exists; a usage error otherwise."""
    try:
        return use_case.partitions.check(key, datetime.now(UTC))
    except DataError as error:
        raise typer.BadParameter(str(error)) from error
