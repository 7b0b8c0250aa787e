"""Where rollouts and predictions are kept: a folder, and a database of a real PostgreSQL server."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from mlops_assets_tests.stores.serving.postgres import PostgresServer, running_postgres

_NUMBERS = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for the whole session, or the test is skipped; do not stop it. Every test takes its own database."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_database(postgres: PostgresServer) -> str:
    """The URL of an empty database of this test's own."""
    import psycopg2

    name = f"serving_{next(_NUMBERS)}"
    connection = psycopg2.connect(postgres.url.replace("+psycopg2", ""))
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    return f"{postgres.url.rpartition('/')[0]}/{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def serving(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """`Settings.serving`, of both kinds."""
    if request.param == "sqlite":
        return str(tmp_path / "serving")
    return str(request.getfixturevalue("postgres_database"))
