"""The one place where tests wait for what another process does: they ask until it is so, and fail when it is not in
time. `tools/tidy.py` lets nobody else sleep. That something has not happened after a while proves nothing: wait for
what comes after it instead."""
import time

LIMIT_S = 60  # long, so that a busy machine fails no test
PAUSE_S = 0.005  # between two looks


def until(condition, what, limit_s=LIMIT_S, pause_s=PAUSE_S):
    """Asks until the answer is true, and returns it; AssertionError when that is not so within the limit."""
    end = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} has not happened within {limit_s} s")
        time.sleep(pause_s)
    return found
