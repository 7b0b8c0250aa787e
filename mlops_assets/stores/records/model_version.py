"""One row for each registered model version, closed over everything it was made from; and by what it is found.

Here belongs what the row holds. It knows no database and no tracker.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from mlops_assets.core.versions import canonical_json
from mlops_assets.declare.errors import DataError
from mlops_assets.declare.names import check_name

# aliases as `registry.py` names them, which takes half a second to import; a version that has one is in that stage
CHAMPION, CHALLENGER = ALIASES = ("champion", "challenger")
REGISTERED, ARCHIVED = "registered", "archived"
# of a challenger whose rollout runs: its stages (`core/rollout/words.py`)
ON_ITS_WAY = ("PREPARING", "SHADOW", "CANARY", "SOAK")
STAGES = (REGISTERED, CHALLENGER, CHAMPION, ARCHIVED, *ON_ITS_WAY)
# what a row is found by that is no hash: never by a part of it
FILE, TRAINING_SET, COMMIT = "file", "training_set", "commit"
WHOLE_KEYS = (FILE, TRAINING_SET)
_UNKNOWN = ("", "unknown")  # as provenance says it: nothing is found by that


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """A registered model version. Texts are what the registry's tags say of it.

    `weeks` is `{partition, role, feature_table, validated_dataset, raw_data}` for each week, oldest first: data
    versions, "" where the model did not read that; role is train, validation, or lookback (only a window of a feature
    reached there). `files` is `{path, sha256, partition, table}` for each landed file, `other_inputs`
    `{asset, partition, data_version}` for whatever else was read. `data_version` is of the training inputs,
    `trained_model` of the model's asset; `share` is its part of live traffic, 0 to 1.
    """

    use_case: str
    version: int
    partition: str
    registered_at: str
    model_digest: str
    trained_model: str
    data_version: str
    training_set: str
    training_set_data_version: str
    commit: str
    dirty: str
    dagster_run: str
    mlflow_run: str
    mlflow_url: str
    dagster_url: str
    seed: int
    verdict: str
    sentence: str
    metrics: Mapping[str, float]
    libraries: Mapping[str, str]
    weeks: tuple[Mapping[str, str], ...]
    files: tuple[Mapping[str, str], ...]
    other_inputs: tuple[Mapping[str, str], ...] = ()
    stage: str = REGISTERED
    share: float = 0.0

    def __post_init__(self) -> None:
        check_name("model version's use_case", self.use_case, error=DataError)
        if self.version < 1:
            raise DataError(f"{self.name}: version == {self.version}, must be 1 or more: take the registry's.")
        if self.stage not in STAGES or not 0.0 <= self.share <= 1.0:
            raise DataError(
                f"{self.name}: stage == {self.stage!r} with share == {self.share}, must be one of {STAGES} and 0 to 1."
            )

    @property
    def name(self) -> str:
        """`use_case@version`."""
        return f"{self.use_case}@{self.version}"

    def is_the_same_model_as(self, other: "ModelVersion") -> bool:
        """True when both are one training: what a version number stands for."""
        return all(getattr(self, n) == getattr(other, n) for n in ("name", "model_digest", "data_version"))

    def keys(self) -> dict[str, str]:
        """Everything it is found by -> what that is; of two meanings of one key the first stands."""
        found: dict[str, str] = {}
        for kind, key in self._keys():
            if key not in _UNKNOWN:
                found.setdefault(key, kind)
        return found

    def _keys(self) -> Iterator[tuple[str, str]]:
        yield "model_digest", self.model_digest
        yield "trained_model", self.trained_model
        yield "training_inputs", self.data_version
        yield TRAINING_SET, self.training_set
        yield TRAINING_SET, self.training_set.removeprefix(f"{self.use_case}/")
        yield "training_set_rows", self.training_set_data_version
        yield COMMIT, self.commit
        yield "dagster_run", self.dagster_run
        yield "mlflow_run", self.mlflow_run
        for week in self.weeks:
            yield from ((kind, week[kind]) for kind in ("feature_table", "validated_dataset", "raw_data"))
        for read in self.other_inputs:
            yield read["asset"].rpartition("/")[2], read["data_version"]
        for file in self.files:
            yield FILE, file["path"]
            yield "file_sha256", file["sha256"]

    def columns(self) -> dict[str, Any]:
        """The row as the database holds it: maps and lists as canonical JSON."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in DOCUMENTS:
            value = found[name]
            plain = dict(value) if isinstance(value, Mapping) else [dict(one) for one in value]
            found[name] = canonical_json(plain).decode()
        return found


DOCUMENTS = ("metrics", "libraries", "weeks", "files", "other_inputs")
