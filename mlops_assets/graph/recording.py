"""What a registration decides, written down in ledger and lineage; and the tracker's aliases, which are labels.

Every entry names its decision (`once`), so a step that was killed and runs again decides nothing twice.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from textwrap import shorten
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from mlops_assets.core.artifact import Artifact
from mlops_assets.core.verdicts import Verdict
from mlops_assets.core.versions import record_version
from mlops_assets.declare import UseCase
from mlops_assets.graph.clock import now
from mlops_assets.graph.steps import TrackerDown
from mlops_assets.graph.tracking import Tracker
from mlops_assets.stores.assets import AssetStore
from mlops_assets.stores.locks import alone
from mlops_assets.stores.records import Records
from mlops_assets.stores.records.entry import NOMINATED, REGISTERED, VERDICT, WAITING
from mlops_assets.stores.records.registered import lineage_of
from mlops_assets.stores.ref import Ref
from mlops_assets.stores.registry import CHALLENGER, CHAMPION, RegisteredVersion


class Books(dg.ConfigurableResource):
    """The database of records: `where` is a path or a URL; `pages` where Dagster's own pages are served, for links."""

    where: str
    pages: str

    def opened(self) -> Records:
        """To be closed by whoever asked."""
        return Records(self.where)

    def alone(self, use_case: UseCase) -> AbstractContextManager[None]:
        """One registration of a use case at a time: two at once would both be judged against the same leader."""
        folder = Records(self.where).database.path.parent
        return alone(folder / f"{use_case.name}.lock", f"the registration of {use_case.name}")

    def page(self, asset: str, partition: str) -> str:
        """The page of an asset's partition."""
        return f"{self.pages}/assets/{asset}?view=partitions&partition={partition}"


def is_registered(records: Records, entry: Artifact) -> bool:
    """True when the candidate of a stored entry is in the records under its number."""
    record: Mapping[str, Any] = entry.records["entry"]
    use_case, _, number = str(record["candidate"]).partition("@")
    row = records.lineage.get(use_case, int(number))
    return row is not None and row.model_digest == record["candidate_digest"]


def is_nominated(entry: Mapping[str, Any]) -> bool:
    """True when the candidate of an entry may try its luck in a rollout: it was not shown to fall short."""
    return entry["judgement"]["verdict"] in (Verdict.PASS.value, Verdict.INCONCLUSIVE.value)


def is_settled(records: Records, entry: Artifact) -> bool:
    """True when the ledger has what a stored entry, the newest of its use case, decided: its candidate is nominated."""
    record: Mapping[str, Any] = entry.records["entry"]
    use_case = str(record["candidate"]).partition("@")[0]
    nominated = [e.subject for e in records.ledger.entries(use_case) if e.kind == NOMINATED]
    return not is_nominated(record) or nominated[-1:] == [record["candidate"]]


def write_down(
    records: Records,
    store: AssetStore,
    tracker: Tracker,
    trained: Ref,
    entry: Artifact,
    version: RegisteredVersion,
    *,
    run: str,
    page: str,
    later: Sequence[str],
) -> str:
    """Registration, verdict and nomination of a candidate; in words, what became of it.

    `later` are the weeks after it that have entries: making an old week anew nominates nobody.
    """
    record: Mapping[str, Any] = entry.records["entry"]
    use_case, name, judgement = version.name, f"{version.name}@{version.version}", record["judgement"]
    told = {"at": now(), "use_case": use_case, "who": f"registry_entry, run {run}"}
    model = {"model_digest": record["candidate_digest"], "data_version": record["data_version"],
             "trained_model": trained.data_version, "partition": trained.partition}  # fmt: skip
    # the same model from the same data is one version, whatever other evidence or pictures were made of it since
    first = version.tags["trained_model"]
    records.ledger.append(
        **told, kind=REGISTERED, subject=name, evidence={**model, "trained_model": first},
        once=f"registered {name} {first}", why=f"a model was trained on {version.tags['trained_on']}",
    )  # fmt: skip
    url = f"{tracker.ui}/#/models/{version.name}/versions/{version.version}"
    records.register(
        lineage_of(
            store,
            version,
            registered_at=told["at"],
            trained=trained if trained.data_version == first else None,
            mlflow_url=url,
            dagster_url=page,
        )
    )
    evidence = {"judgement": judgement, "against": record["against"], "slices": record["slices"]["sentence"], **model}
    seal = record_version(evidence)[:16]
    records.ledger.append(
        **told, kind=VERDICT, subject=name, why=judgement["sentence"], evidence=evidence, once=f"verdict {name} {seal}"
    )
    if later:
        return f"untouched: {len(later)} later entries stand, the next of {later[0]}; make them anew in order"
    if not is_nominated(record):
        return "not nominated"
    nominated = [e.subject for e in records.ledger.entries(use_case) if e.kind == NOMINATED]
    if nominated[-1:] != [name]:  # it may come back after another: that is a nomination of its own
        records.ledger.append(
            **told, kind=NOMINATED, subject=name, evidence=model, why=f"may try a rollout: {judgement['sentence']}",
            once=f"nominated {name} {seal} after {len(nominated)}",
        )  # fmt: skip
    return "nominated"


def follow(records: Records, tracker: Tracker, use_case: str) -> str:
    """Set the tracker's aliases as the ledger has them, also one that was lost or moved by someone; in words."""
    decided, registry = records.aliases(use_case), tracker.registry
    for alias in (CHAMPION, CHALLENGER):
        if alias in decided:
            registry.set_alias(alias, registry.get(use_case, decided[alias]))
        else:
            registry.delete_alias(use_case, alias)
    return ", ".join(f"{alias} is {use_case}@{number}" for alias, number in decided.items()) or "none"


@contextmanager
def waiting(records: Records, use_case: UseCase, trained: Ref, run: str) -> Iterator[None]:
    """A tracker that does not answer loses no training: that it waits is written down, and the step fails.

    `registrations` (`sensors.py`) asks again, and once the tracker is back the step runs; by hand it is the same job.
    """
    try:
        yield
    except Exception as error:
        if not unreachable(error):
            raise
        records.ledger.append(
            at=now(), use_case=use_case.name, kind=WAITING, subject=f"{trained.asset}@{trained.partition}",
            who=f"registry_entry, run {run}", why=f"the tracker does not answer: {_first_line(error)}",
            evidence={"partition": trained.partition, "trained_model": trained.data_version},
            once=f"waiting {trained.asset}@{trained.partition} {trained.data_version} {run}",
        )  # fmt: skip
        raise TrackerDown(
            f"MLflow does not answer ({_first_line(error)}). The trained model is stored and nothing is lost: it is "
            f"registered when the tracker is back, by the sensor `{use_case.name}_registrations`, or by "
            f"`mlops backfill {use_case.name} --job train --from {trained.partition} --to {trained.partition}`."
        ) from error


def unreachable(error: BaseException) -> bool:
    """True for what MLflow raises when its server or database does not answer, not for what it refuses."""
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import OperationalError

    if isinstance(error, MlflowException):
        return error.error_code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
    return isinstance(error, requests.RequestException | OperationalError | ConnectionError | TimeoutError)


def _first_line(error: BaseException) -> str:
    """What went wrong, in one line without credentials; of a request, whom it asked and the innermost reason."""
    import requests

    chain = [error]
    while (deeper := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(deeper)
    urls = [urlsplit(str(e.request.url)) for e in chain if isinstance(e, requests.RequestException) and e.request]
    asked = f"{urls[0].scheme}://{urls[0].netloc.rpartition('@')[2]}: " if urls else ""
    told = chain[-1] if urls else error
    line = (str(told).strip().splitlines() or [type(told).__name__])[0]
    return asked + shorten(re.sub(r"//[^/@\s]*@", "//", line), 300, placeholder=" ...")
