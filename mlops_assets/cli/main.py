"""`mlops`: what `dagster` does not do.

Exit code 0 = done, 1 = a run failed, data was refused or bytes are damaged, 2 = usage.
"""

import sys

import typer

from mlops_assets.cli import (
    backfill,
    backtest,
    conformance,
    demo,
    doctor,
    events,
    files,
    history,
    lookup,
    quarantine,
    replay,
    report,
    reproduce,
    retraining,
    rollback,
    rollout,
    serve,
    store,
    trace,
    traffic,
    training_set,
    why,
)
from mlops_assets.cli.printing import refuse
from mlops_assets.declare.errors import MlopsError

app = typer.Typer(
    help="Which data was this model trained on? Every artifact of a model's life as a content-hashed Dagster asset.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("backfill")(backfill.backfill)
app.command("backtest")(backtest.backtest)
app.command("hash")(files.hash_file)
app.command("fsck")(store.fsck)
app.command("quarantine")(quarantine.quarantine)
app.command("events")(events.events)
app.command("lookup")(lookup.lookup)
app.command("conformance")(conformance.conformance)
app.command("training-set")(training_set.training_set)
app.command("why")(why.why)
app.command("trace")(trace.trace)
app.command("reproduce")(reproduce.reproduce)
app.command("history")(history.history)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)
app.command("serve")(serve.serve)
app.command("traffic")(traffic.traffic)
app.command("replay")(replay.replay)
app.command("replay-one", hidden=True)(replay.replay_one)
app.command("replay-against", hidden=True)(replay.replay_against)
app.command("rollback")(rollback.rollback)
app.add_typer(rollout.app, name="rollout")
app.add_typer(retraining.app, name="retraining")


def main() -> None:
    """The entry point: our own errors become one clear line, anything else keeps its traceback."""
    try:
        app()
    except MlopsError as error:
        refuse(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
