"""Orders from stdin, a JSON line each: a forked child carries one out, is killed when ordered, its exit status told.

Forking from a process that has imported everything and opened nothing yet keeps a kill test at the price of the kill.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

Order = dict[str, Any]


def serve(work: Callable[[Order], str | None], warm: Callable[[Order], None] = lambda _: None) -> None:
    """Have every order carried out; `work` returns what failed. `warm` gets the first order, before any child.

    Of an order `crash_at` is the child's MLOPS_CRASH_AT, `kill_after_s` when to kill it.
    """
    for number, line in enumerate(sys.stdin):
        order = json.loads(line)
        if number == 0:
            warm(order)
        child = os.fork()
        if child == 0:
            os.environ["MLOPS_CRASH_AT"] = order.get("crash_at", "")
            try:
                failed = work(order)
            except BaseException as error:
                failed = repr(error)
            sys.stderr.write(f"{failed}\n" if failed else "")
            sys.stderr.flush()
            os._exit(1 if failed else 0)
        if "kill_after_s" in order:
            time.sleep(order["kill_after_s"])
            os.kill(child, signal.SIGKILL)  # if it has ended, its number is still its own until waited for
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
