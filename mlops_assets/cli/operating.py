"""What the operator's commands share: the rollouts in their database, or a gateway that is asked over HTTP.

The database is asked directly by default: in an emergency there may be no gateway. Nothing here needs the use case's
declaration, so nothing heavy is imported.
"""

import getpass
import json
import os
import socket
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from mlops_assets.declare.errors import DataError
from mlops_assets.stores.settings import settings

if TYPE_CHECKING:
    from mlops_assets.stores.serving.rollouts import Rollouts

Name = Annotated[str, typer.Argument(help="e.g. flight_delays")]
Why = Annotated[str, typer.Option(help="what people will read later")]
Url = Annotated[str, typer.Option(help="ask this gateway, with MLOPS_OPERATOR_TOKEN, instead of the database")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of words")]
TIMEOUT_S = 10.0


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


def who() -> str:
    """Who types: user and machine, for the event log."""
    return f"{getpass.getuser()} on {socket.gethostname()}"


def rollouts_of(use_case: str) -> "Rollouts":
    """The rollouts of a use case; close them. Raises DataError where none was ever opened: asking makes no file."""
    from mlops_assets.stores.serving.rollouts import Rollouts

    serving = settings(os.environ).serving
    found = Rollouts(serving, use_case)
    path = found.database.path
    if (path is not None and not path.exists()) or found.row().epoch == 0:
        found.close()
        raise DataError(f"{use_case}: no rollout was ever opened in {shown(serving)}: is name and MLOPS_SERVING right?")
    return found


def shown(serving: str) -> str:
    """The serving place for a message: of a database no password."""
    parts = urlsplit(serving)
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if "://" in serving else serving


def ask(url: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON that a gateway answers, shown the operator's token when something is changed.

    Raises DataError with its own words when it refuses, and when nobody answers.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DataError(f"--url {url!r} is no address of a gateway: write it like http://127.0.0.1:8080.")
    headers = {"Content-Type": "application/json"}
    if method != "GET":
        from mlops_assets.gateway.tokens import Role, token

        headers["Authorization"] = f"Bearer {token(os.environ, settings(os.environ).serving, Role.OPERATOR)}"
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)  # asks no proxy and follows no redirect
    try:
        sent = None if body is None else json.dumps(body).encode()
        connection.request(method, parts.path.rstrip("/") + path, sent, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read(4 << 20))
    except (OSError, HTTPException, ValueError) as failed:
        raise DataError(f"{url} did not answer ({type(failed).__name__}: {failed}): is the gateway there?") from failed
    finally:
        connection.close()
    if answer.status != 200:
        error = told.get("error") if isinstance(told, dict) else None
        raise DataError(f"{url} refused ({answer.status}): {error['message'] if isinstance(error, dict) else told}")
    return told
