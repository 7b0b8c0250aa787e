"""Where the prediction logs lie: an SQLite file or a PostgreSQL schema for each use case."""

from pathlib import Path

from mlops_assets.declare.errors import DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.serving.database import SERVERS, Unavailable
from mlops_assets.stores.serving.log_postgres import PostgresPlace
from mlops_assets.stores.serving.log_session import Place
from mlops_assets.stores.serving.log_sqlite import SqlitePlace

__all__ = ["Place", "PostgresPlace", "SqlitePlace", "Unavailable", "place", "places"]

_ENDING = ".predictions.db"


def place(where: str | Path, use_case: str, *, create: bool = True, synced: bool = True) -> Place:
    """The place of a use case's log below `Settings.serving`: a folder, or `postgresql+psycopg2://...`.

    In a folder, what is not `synced` is left to the operating system to bring to disk.
    """
    check_name("use case", use_case)
    text = str(where)
    if text.startswith(SERVERS):
        return PostgresPlace(text, use_case, create=create)
    if "://" in text:
        scheme = text.partition("://")[0]  # what comes after may hold a password
        raise DataError(f"serving == '{scheme}://...', must be a folder or postgresql+psycopg2://...: name one.")
    return SqlitePlace(Path(text) / f"{use_case}{_ENDING}", create=create, synced=synced)


def places(where: str | Path) -> dict[str, Place]:
    """Use case -> the place of its log, of every log there is. Raises like `place` and `Place.session`."""
    text = str(where)
    if not text.startswith(SERVERS):
        found = sorted(file.name.removesuffix(_ENDING) for file in Path(text).glob(f"*{_ENDING}"))
    else:
        session = PostgresPlace(text, "", create=False).connected()
        try:
            schemas = session.rows("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'predictions_')")
            asked = (f'SELECT use_case FROM "{schema}".log_of' for (schema,) in schemas)  # noqa: S608  a schema's name
            found = sorted(session.rows(each)[0][0] for each in asked)
        finally:
            session.close()
    return {use_case: place(where, use_case, create=False) for use_case in found}
