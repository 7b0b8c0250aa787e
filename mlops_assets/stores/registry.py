"""The registry: which trainings became versions, by what they are found, and which alias points where.

Here belong registered versions, their tags, their files' hashes, aliases. MLflow searches versions by tags alone, so
tags carry everything one may ask for. An alias is a label, never the authority on who serves (that is the ledger).
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlops_assets.declare.errors import DamagedError, DataError
from mlops_assets.declare.names import check_name
from mlops_assets.stores.tracking import LoggedModel, Tracking, check_metrics

CHAMPION, CHALLENGER = "champion", "challenger"
ALIASES = (CHAMPION, CHALLENGER)
_HASH = "sha256/"  # + path: the tag that holds the hash of one file
_METRIC = "metric/"  # + name: the tag that holds one metric


@dataclass(frozen=True, kw_only=True)
class RegisteredVersion:
    """One version of a registered model. `tags` are all of its tags, hashes and metrics included.

    `source` is where its files lie. `created` is False when the training had been registered before.
    """

    name: str
    version: int
    run_id: str
    source: str
    tags: Mapping[str, str]
    created: bool = False

    @property
    def files(self) -> dict[str, str]:
        """sha256 by path of every file of the model, as recorded at registration."""
        return {tag.removeprefix(_HASH): value for tag, value in self.tags.items() if tag.startswith(_HASH)}

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics recorded at registration."""
        return {tag.removeprefix(_METRIC): float(v) for tag, v in self.tags.items() if tag.startswith(_METRIC)}


class Registry(Tracking):
    """The registered models of one MLflow, and the runs they come from (`tracking.py`).

    >>> registry = Registry.local(Path("/srv/mlflow"))
    >>> registry.tracking_uri, registry.artifact_root
    ('sqlite:////srv/mlflow/mlflow.db', 'file:///srv/mlflow/artifacts')
    """

    @classmethod
    def local(cls, folder: Path) -> "Registry":
        """The default: an SQLite tracker and its files below one folder."""
        folder = folder.resolve()
        return cls(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts")

    def register(
        self,
        name: str,
        model: LoggedModel,
        *,
        data_version: str,
        model_digest: str,
        partition: str,
        commit: str,
        dirty: str,
        metrics: Mapping[str, float],
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> RegisteredVersion:
        """The version of this training: a new one, or the one it was registered as before.

        The same training is the same `data_version` and `model_digest`. Tags of a new version: these two, `partition`,
        `commit`, `dirty`, `model_id`, `metric/<name>`, `sha256/<path>` of every model file, and `tags`; all at once.
        Raises DataError for a metric that is not finite.
        """
        check_name("registered model", name)
        check_metrics(metrics)
        same = {"data_version": data_version, "model_digest": model_digest}
        for tag, value in same.items():
            check_name(tag, value, error=DataError)
        if before := self.find(name, **same):
            return before[0]
        own = same | {"partition": partition, "commit": commit, "dirty": dirty, "model_id": model.model_id}
        own |= {f"{_METRIC}{metric}": repr(float(value)) for metric, value in metrics.items()}
        own |= {f"{_HASH}{path}": value for path, value in model.files.items()}
        if taken := sorted(set(own) & set(tags)):
            raise DataError(f"tags {taken} are the registry's own: rename them.")
        self._ensure_model(name)
        # the source is a place: for "models:/..." MLflow would ask the process's tracker, which may be another
        made = self.client.create_model_version(
            name, source=model.location, run_id=model.run_id, model_id=model.model_id, tags={**tags, **own}
        )
        return _version(made, created=True)

    def set_tags(self, version: RegisteredVersion, tags: Mapping[str, str]) -> RegisteredVersion:
        """The version with these tags set (the gate's verdict, a ledger entry); identity and hashes never change."""
        fixed = [tag for tag in tags if tag.startswith((_HASH, _METRIC)) or tag in ("data_version", "model_digest")]
        if fixed:
            raise DataError(f"tags {sorted(fixed)} of {version.name}@{version.version} are fixed at registration.")
        for tag, value in sorted(tags.items()):
            self.client.set_model_version_tag(version.name, str(version.version), tag, value)
        return self.get(version.name, version.version)

    def get(self, name: str, version: int) -> RegisteredVersion:
        """One version; DataError when there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return _version(self.client.get_model_version(check_name("registered model", name), str(version)))
        except MlflowException as lacking:
            _only_missing(lacking)
            raise DataError(f"{name}@{version} is not registered: `mlops history {name}` tells which are.") from lacking

    def find(self, name: str, **tags: str) -> list[RegisteredVersion]:
        """Versions of the model that have all these tags, oldest first; none when the model is unknown."""
        asked = [f"name = '{check_name('registered model', name)}'"]
        for tag, value in tags.items():
            if "'" in value or "`" in tag or "\\" in value:
                raise DataError(f"tag {tag!r} == {value!r}, must hold no quotes or backslashes: search by another tag.")
            asked.append(f"tags.`{tag}` = '{value}'")
        found: list[RegisteredVersion] = []
        token = None
        while True:
            page = self.client.search_model_versions(" and ".join(asked), page_token=token)
            found.extend(_version(one) for one in page)
            token = page.token
            if not token:
                return sorted(found, key=lambda one: one.version)

    def set_alias(self, alias: str, version: RegisteredVersion) -> None:
        """Point `champion` or `challenger` to the version."""
        self.client.set_registered_model_alias(version.name, _alias(alias), str(version.version))

    def get_alias(self, name: str, alias: str) -> RegisteredVersion | None:
        """The version the alias points to; None when it points nowhere."""
        from mlflow.exceptions import MlflowException

        _alias(alias)
        try:
            model = self.client.get_registered_model(check_name("registered model", name))
        except MlflowException as lacking:
            _only_missing(lacking)
            return None
        number = model.aliases.get(alias)
        return None if number is None else self.get(name, int(number))

    def delete_alias(self, name: str, alias: str) -> None:
        """Let the alias point nowhere; nothing happens when it already does."""
        if self.get_alias(name, alias) is not None:
            self.client.delete_registered_model_alias(name, alias)

    def read(self, version: RegisteredVersion) -> dict[str, bytes]:
        """Every file of the version by path, each equal to the hash recorded at registration.

        Raises DamagedError naming the first file that differs, is missing, or was added. Nothing is executed or parsed.
        """
        from mlflow.artifacts import download_artifacts

        where = f"{version.name}@{version.version}"
        with tempfile.TemporaryDirectory() as outer:
            folder = Path(
                download_artifacts(artifact_uri=version.source, dst_path=outer, tracking_uri=self.tracking_uri)
            )
            files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        recorded = version.files
        for path in sorted({*files, *recorded}):
            if path not in files or path not in recorded:
                fault = "is missing" if path in recorded else "was added after registration"
                raise DamagedError(f"{where}: file {path!r} {fault}: restore the model's folder.")
            if (met := sha256(files[path]).hexdigest()) != recorded[path]:
                raise DamagedError(
                    f"{where}: file {path!r} has sha256 {met[:12]}..., registered with {recorded[path][:12]}...: "
                    "it was changed after registration, restore it."
                )
        return files

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(name)
        except MlflowException as taken:
            if taken.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _version(found: Any, created: bool = False) -> RegisteredVersion:
    return RegisteredVersion(
        name=str(found.name),
        version=int(found.version),
        run_id=str(found.run_id),
        source=str(found.source),
        tags=MappingProxyType(dict(found.tags)),
        created=created,
    )


def _alias(alias: str) -> str:
    if alias not in ALIASES:
        raise DataError(f"alias == {alias!r}, must be one of {ALIASES}: who serves is decided by the ledger.")
    return alias


def _only_missing(error: Any) -> None:
    """Raises every error of the tracker again that does not say "there is no such thing"."""
    if error.error_code != "RESOURCE_DOES_NOT_EXIST":
        raise error
