"""Runs the scenarios of the files beside this one, each in a process of its own, a few at a time."""
import concurrent.futures
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

AT_ONCE = int(os.environ.get("JOBS", "3"))
ROUNDS = int(os.environ.get("ROUNDS", "1"))
LIMIT_S = int(os.environ.get("LIMIT_S", "280"))  # of one scenario
HERE = pathlib.Path(__file__).parent
PREFIX = "test_"


def scenarios():
    """Name to (file, class, method), the slow ones first."""
    found = {}
    for path in sorted(HERE.glob("scenarios_*.py")):
        module = importlib.import_module(path.stem)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == path.stem:
                for method in unittest.TestLoader().getTestCaseNames(value):
                    name = method.removeprefix(PREFIX)
                    assert name not in found, f"two scenarios are named {name}"
                    found[name] = (path.stem, value.__name__, method, getattr(value, method))
    return dict(sorted(found.items(), key=lambda item: -getattr(item[1][3], "seconds", 0)))


def run_one(name, place):
    """In a folder of its own that is removed; what the scenario leaves running is ended."""
    start = time.monotonic()
    words = [sys.executable, "-m", "unittest", ".".join(place[:3])]
    with tempfile.TemporaryDirectory(prefix="pegmove-scenario-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(words, cwd=HERE, env={**os.environ, "TMPDIR": folder}, process_group=0,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            output, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # its cleanups run
            try:
                output, _ = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                output = b""
            output += b"\nnot done within %d s" % LIMIT_S
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # what is left of its group, most often nothing
            except ProcessLookupError:
                pass
            process.wait()
    return name, process.returncode == 0, time.monotonic() - start, output.decode(errors="replace")


def main(words):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.path.insert(0, str(HERE))
    known = scenarios()
    if words == ["--list"]:
        print("\n".join(known))
        return 0
    wanted = {name: place for name, place in known.items()
              if not words or any(name == word or (word not in known and name.startswith(word)) for word in words)}
    start, failed = time.monotonic(), []
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    try:
        items = list(wanted.items()) * ROUNDS
        for one in concurrent.futures.as_completed([pool.submit(run_one, *item) for item in items]):
            name, passed, seconds, output = one.result()
            print(f"{name}: {'ok' if passed else 'FAILED'}, {seconds:.1f} s", flush=True)
            for line in output.splitlines():
                if not passed or line.startswith("note: "):
                    print("  " + line.removeprefix("note: "), flush=True)
            if not passed:
                failed.append(name)
    finally:
        pool.shutdown(cancel_futures=True)  # none is begun any more when this is to end
    result = f"failed: {' '.join(failed)}" if failed else "all passed" if wanted else "none has such a name"
    print(f"scenario: {len(items)} scenarios in {time.monotonic() - start:.0f} s, {result}")
    return 1 if failed or not wanted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
