"""`mlops serve`: the gateway of a use case."""

import os
from typing import Annotated

import typer

from mlops_assets.cli.printing import out
from mlops_assets.cli.use_case import declared_named


def serve(
    use_case: Annotated[str, typer.Argument(help="e.g. flight_delays")],
    host: Annotated[str, typer.Option("--host", help="the address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8080,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="processes that answer")] = 1,
    open_to_others: Annotated[
        bool,
        typer.Option("--open-to-others", help="listen on an address that other machines reach; reading needs no token"),
    ] = False,
) -> None:
    """Answer predictions with the champion, roll challengers out. Ctrl-C ends it in order, twice at once."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # before numpy is imported: threads of small rows wait for each other
    import logging

    from mlops_assets.gateway.serve import Options
    from mlops_assets.gateway.serve import serve as run
    from mlops_assets.stores.settings import settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options = Options(host=host, port=port, workers=workers, open_to_others=open_to_others)
    declared = declared_named(use_case)
    out.print(f"{declared.name} on http://{host}:{port} (docs: /docs)")
    run(declared, settings(os.environ), options, os.environ)
