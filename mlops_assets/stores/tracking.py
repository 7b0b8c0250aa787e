"""MLflow runs: what one training logged, and its model files. Always by explicit run id, never the active run.

Here belong experiments, runs, logged models. Versions and aliases are `registry.py`'s. MLflow's active run is per
thread and its tracker per process, so nothing here uses either. MLflow is imported at first use (4.5 s).
"""

import logging
import math
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from mlops_assets.core.encoding import Encoder
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.models import dump, trusted_types
from mlops_assets.stores.provenance import library_versions

ESTIMATOR_FILE = "model.skops"
ENCODER_FILE = "encoder.json"
_BATCH = 100  # MLflow takes no more params or tags at once
_LONGEST_PARAM, _LONGEST_TAG = 6000, 8000  # MLflow cuts longer ones off without a word
_NEEDED = ("numpy", "scikit-learn", "scipy", "skops")


@dataclass(frozen=True, kw_only=True)
class LoggedModel:
    """A model's files in the tracker: its id, the run they belong to, where they lie, sha256 by path of every file."""

    model_id: str
    run_id: str
    location: str
    files: Mapping[str, str]


class Tracking:
    """The runs of one MLflow tracker. `tracking_uri` as MLflow takes it, `artifact_root` a folder or URL for files.

    Nothing is opened or created before the first call. The first use of a new SQLite tracker takes about 5 s.
    Raises ConnectionError for an SQLite file that cannot be opened.
    """

    def __init__(self, tracking_uri: str, artifact_root: str | Path) -> None:
        self.tracking_uri = tracking_uri
        root = str(artifact_root)
        self.artifact_root = (root if "://" in root else Path(root).resolve().as_uri()).rstrip("/")

    @cached_property
    def client(self) -> Any:
        """The `MlflowClient` itself, for what this class does not cover."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # what is trained here is nobody else's business
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the step retries, too
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # making the tables is no news
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # seven files need no bar
        from mlflow import MlflowClient

        if self.tracking_uri.startswith("sqlite:///"):
            _check_opens(Path(urlsplit(self.tracking_uri).path.removeprefix("/")))
        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)

    def ensure_experiment(self, name: str) -> str:
        """The id of the experiment, made when it is not there; its files lie below `artifact_root`, never in ./mlruns.

        Raises DataError for an experiment that exists with another place for its files, or that was deleted.
        """
        from mlflow.exceptions import MlflowException

        check_name("experiment", name)
        location = f"{self.artifact_root}/{name}"
        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self.client.create_experiment(name, artifact_location=location))
            except MlflowException as taken:
                if taken.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self.client.get_experiment_by_name(name)  # another process was faster
        if found.lifecycle_stage != "active":
            raise DataError(f"experiment {name!r} was deleted in MLflow, must be active: restore it there.")
        if found.artifact_location.rstrip("/") != location:
            raise DataError(
                f"experiment {name!r} keeps its files at {found.artifact_location}, with the MLOPS_DATA of now they "
                f"would lie at {location}: set MLOPS_DATA to the folder it was made in, or MLFLOW_TRACKING_URI to a "
                "tracker that has no such experiment and register anew, oldest week first (`mlops backfill --anew`)."
            )
        return str(found.experiment_id)

    def start_run(self, experiment: str, name: str) -> str:
        """The id of a new run, for trainings outside dagster-mlflow (which opens its own)."""
        return str(self.client.create_run(self.ensure_experiment(experiment), run_name=name).info.run_id)

    def finish_run(self, run_id: str, *, failed: bool = False) -> None:
        """End the run as FINISHED, or FAILED."""
        self.client.set_terminated(run_id, status="FAILED" if failed else "FINISHED")

    def log_training(
        self,
        run_id: str,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> dict[str, str]:
        """Log hyperparameters, metrics, tags and files (plots, metrics.json) to the run; sha256 by path of each file.

        Raises DataError before anything is logged for a metric that is not finite (MLflow would store infinity as
        1.8e308), a text that MLflow would cut off, a path that is not safe.
        """
        from mlflow.entities import Metric, Param, RunTag

        texts = {name: str(value) for name, value in params.items()}
        check_metrics(metrics)
        for what, longest, given in (("param", _LONGEST_PARAM, texts), ("tag", _LONGEST_TAG, tags)):
            for name, text in given.items():
                if len(text) > longest:
                    raise DataError(
                        f"{what} {name!r} has {len(text)} characters, must have at most {longest}: log a file."
                    )
        for path in files:
            _check_path(path)
        for some in _batches(texts.items()):
            self.client.log_batch(run_id, params=[Param(*pair) for pair in some])
        for some in _batches(tags.items()):
            self.client.log_batch(run_id, tags=[RunTag(*pair) for pair in some])
        # one time stamp for all: MLflow wants one, nothing of ours reads it
        began = self.client.get_run(run_id).info.start_time
        for measured in _batches(metrics.items()):
            self.client.log_batch(run_id, metrics=[Metric(name, value, began, 0) for name, value in measured])
        if files:
            with tempfile.TemporaryDirectory() as folder:
                _write(Path(folder), files)
                self.client.log_artifacts(run_id, folder)
        return {path: sha256(data).hexdigest() for path, data in sorted(files.items())}

    def log_model(
        self,
        run_id: str,
        *,
        estimator: Any,
        encoder: Encoder,
        trusted: Iterable[str],
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> LoggedModel:
        """Save a fitted estimator as an MLflow model of the run: skops, `encoder.json`, and further `files` beside it.

        Trusted types are ours, requirements are pinned to what is installed, the signature is the encoded array
        (float64 `[rows, features]`). The skops bytes are `stores.models.dump`'s, so equal models have equal bytes.
        """
        import numpy as np
        from mlflow import sklearn as flavour
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        data = dump(estimator, trusted)
        beside = {ENCODER_FILE: encoder.to_json(), **files}
        for path in beside:
            _check_path(path)
        array = TensorSpec(np.dtype(np.float64), (-1, len(encoder.features)), name=None)
        shares = hasattr(estimator, "predict_proba")  # the columns of a classification are False and True
        answer = TensorSpec(np.dtype(np.float64), (-1, 2) if shares else (-1,), name=None)
        with tempfile.TemporaryDirectory() as outer:
            folder = Path(outer, "model")
            flavour.save_model(
                estimator,
                str(folder),
                serialization_format="skops",
                skops_trusted_types=trusted_types(trusted),
                signature=ModelSignature(inputs=Schema([array]), outputs=Schema([answer])),
                pyfunc_predict_fn="predict_proba" if shares else "predict",
                pip_requirements=[f"{name}=={number}" for name, number in library_versions(_NEEDED).items()],
            )
            if taken := [path for path in beside if (folder / path).exists()]:
                raise DataError(f"files {taken} are MLflow's own in a model's folder: rename them.")
            (folder / ESTIMATOR_FILE).write_bytes(data)
            _write(folder, beside)
            hashes = {
                path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
            run = self.client.get_run(run_id)
            model = self.client.create_logged_model(run.info.experiment_id, name="model", source_run_id=run_id)
            self.client.log_model_artifacts(model.model_id, str(folder))
            self.client.finalize_logged_model(model.model_id, "READY")
        return LoggedModel(
            model_id=str(model.model_id),
            run_id=run_id,
            location=str(model.artifact_location),
            files=MappingProxyType(hashes),
        )


def _check_opens(file: Path) -> None:
    """Raises ConnectionError at once where MLflow would try for 100 s."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA schema_version")
    except (OSError, sqlite3.OperationalError) as refused:
        raise ConnectionError(f"the tracker's database {str(file)!r} cannot be opened: {refused}") from refused


def check_metrics(metrics: Mapping[str, float]) -> None:
    """Raises DataError for a metric that is not a finite number."""
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise DataError(
                f"metric {name!r} == {value!r}, must be a finite number: a metric that is none is not logged."
            )


def _check_path(path: str) -> None:
    for part in PurePosixPath(path).parts or (path,):
        check_name(f"file {path!r}", part, error=DataError)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _batches(items: Iterable[tuple[str, Any]]) -> Iterable[list[tuple[str, Any]]]:
    waiting = iter(items)
    while some := list(islice(waiting, _BATCH)):
        yield some
