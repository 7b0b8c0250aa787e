"""A model trained again by the code of its recorded commit: set aside, and asked by the very command that asked here.

That code compares once more and trains with what it is; so its declaration counts, too, and a commit from before there
was such a command cannot answer.
"""

import json
from collections.abc import Callable

from mlops_assets.core.reproduction import Reproduction
from mlops_assets.declare import DataError
from mlops_assets.stores.checkout import checked_out, run_with
from mlops_assets.stores.provenance import UNKNOWN
from mlops_assets.stores.recorded_model import Registered
from mlops_assets.stores.settings import Settings

COMMAND = ("mlops_assets.cli.main", "reproduce")
Tell = Callable[[str, int, int], None]  # what is being done, how many steps are done, of how many


def by_the_recorded_code(model: Registered, places: Settings, threads: int | None, tell: Tell) -> Reproduction | str:
    """The reproduction of a version by the code of its recorded commit; or why that cannot be, in words.

    The inputs are those of this store; libraries are this interpreter's, and are compared there.
    """
    sha, dirty = str(model.ref.code.get("commit", UNKNOWN)), model.ref.code.get("dirty")
    if sha == UNKNOWN or dirty is not False:
        state = UNKNOWN if sha == UNKNOWN else f"{sha[:12]} with changes that were not committed"
        return f"the recorded code cannot be fetched, its commit is {state}"
    tell(f"training with the code of commit {sha[:12]}", 0, 1)
    module, command = COMMAND
    options = ["--here", "--json", *([] if threads is None else ["--threads", str(threads)])]
    try:
        with checked_out(places.root, sha) as folder:
            exit_code, out, err = run_with(folder, module, [command, model.name, *options], _environ(places))
    except DataError as refused:
        return str(refused)
    try:
        return Reproduction.from_json(json.loads(out))
    except (ValueError, KeyError, TypeError):
        said = [line.strip(" │") for line in err.splitlines() if line.strip(" │╭╮╰╯─")] or ["it said nothing"]
        return f"the code of commit {sha[:12]} cannot do it (exit code {exit_code}): {said[-1]}"


def _environ(places: Settings) -> dict[str, str]:
    """The same places for another process, whatever folder its code lies in."""
    return {
        "MLOPS_LANDING": places.landing,
        "MLOPS_STORE": places.store,
        "MLOPS_ONLINE": places.online,
        "MLOPS_JOURNAL": places.journal,
        "MLOPS_RECORDS": places.records,
        "MLFLOW_TRACKING_URI": places.tracking_uri,
        "DAGSTER_HOME": str(places.dagster_home),
    }
