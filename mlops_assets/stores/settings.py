"""Where things are: one record made from environment variables, everything below `data/` by default.

| variable | what | default |
|---|---|---|
| MLOPS_DATA | the folder of all defaults below | `data` of the project |
| MLOPS_LANDING | root of the landing zone (fsspec URL) | `$MLOPS_DATA/landing` |
| MLOPS_STORE | object store (fsspec URL) | `$MLOPS_DATA/store` |
| MLOPS_LENDER | a second object store that is only read: a result whose action is known there is taken from it | none |
| MLOPS_ONLINE | online store: a folder, or redis://... | `$MLOPS_DATA/online` |
| MLOPS_JOURNAL | folder of the journals of single events | `$MLOPS_DATA/online` |
| MLOPS_SERVING | rollout state and prediction log: a folder, or `postgresql+psycopg2://...` | `$MLOPS_DATA/serving` |
| MLOPS_RECORDS | ledger and lineage: an SQLite file, or its SQLAlchemy URL | `$MLOPS_DATA/records/records.db` |
| MLFLOW_TRACKING_URI | MLflow tracker and registry | SQLite in `$MLOPS_DATA/mlflow` |
| MLFLOW_UI | where MLflow's pages are served, for links | the tracker if it is a server, else `mlflow ui`'s port |
| MLOPS_DAGSTER_UI | where Dagster's pages are served, for links | `dagster dev`'s port |
| MLOPS_NOTIFY | whom alerts are sent to: the `http(s)://` address of a webhook | none: the log |
| DAGSTER_HOME | Dagster's instance | `$MLOPS_DATA/dagster` |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Absolute places; `root` is where the project's code and its git history are."""

    root: Path
    landing: str
    store: str
    online: str
    journal: str
    records: str
    serving: str
    tracking_uri: str
    artifacts: str
    tracker_ui: str
    dagster_ui: str
    dagster_home: Path
    replays: Path
    notify: str = field(repr=False)  # may hold a secret
    lender: str = ""


def settings(environ: Mapping[str, str]) -> Settings:
    """The settings an environment asks for.

    >>> s = settings({"MLOPS_DATA": "/srv/mlops", "MLOPS_STORE": "s3://bucket/store"})
    >>> s.store, s.landing, s.tracking_uri
    ('s3://bucket/store', '/srv/mlops/landing', 'sqlite:////srv/mlops/mlflow/mlflow.db')
    """
    data = Path(environ.get("MLOPS_DATA") or PROJECT / "data").absolute()
    return Settings(
        root=PROJECT,
        landing=_place(environ.get("MLOPS_LANDING"), data / "landing"),
        store=_place(environ.get("MLOPS_STORE"), data / "store"),
        online=_place(environ.get("MLOPS_ONLINE"), data / "online"),
        journal=str(Path(environ.get("MLOPS_JOURNAL") or data / "online").absolute()),
        records=_place(environ.get("MLOPS_RECORDS"), data / "records" / "records.db"),
        serving=_place(environ.get("MLOPS_SERVING"), data / "serving"),
        tracking_uri=environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{data / 'mlflow' / 'mlflow.db'}",
        tracker_ui=_pages(environ),
        dagster_ui=(environ.get("MLOPS_DAGSTER_UI") or "http://127.0.0.1:3000").rstrip("/"),
        artifacts=(data / "mlflow" / "artifacts").as_uri(),
        dagster_home=Path(environ.get("DAGSTER_HOME") or data / "dagster").absolute(),
        replays=data / "replay",
        notify=environ.get("MLOPS_NOTIFY", ""),
        lender=_place(lender, data) if (lender := environ.get("MLOPS_LENDER")) else "",
    )


def _pages(environ: Mapping[str, str]) -> str:
    tracker = environ.get("MLFLOW_TRACKING_URI", "")
    served = tracker if tracker.startswith(("http://", "https://")) else "http://127.0.0.1:5000"
    return (environ.get("MLFLOW_UI") or served).rstrip("/")


def _place(asked: str | None, default: Path) -> str:
    if not asked:
        return str(default)
    return asked if "://" in asked else str(Path(asked).absolute())
