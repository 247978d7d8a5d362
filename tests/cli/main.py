"""Runs the test files beside this one, a few at a time: they mostly wait. Arguments go to unittest."""
import concurrent.futures
import pathlib
import re
import signal
import subprocess
import sys
import time

AT_ONCE = 3
HERE = pathlib.Path(__file__).parent


def run_file(path):
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "unittest", "discover", "--verbose", "--start-directory", str(HERE),
                           "--pattern", path.name, *sys.argv[1:]],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return path.name, done.returncode, done.stdout, time.monotonic() - start


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    failed, tests = [], 0
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    try:
        # The longest first, so that none is left to run alone at the end.
        files = sorted(HERE.glob("test_*.py"), key=lambda path: path.stat().st_size, reverse=True)
        for one in concurrent.futures.as_completed([pool.submit(run_file, path) for path in files]):
            name, code, output, seconds = one.result()
            print(f"{name}: {seconds:.0f} s\n{output}", flush=True)
            tests += int(re.search(r"(?m)^Ran (\d+) tests?", output + "\nRan 0 tests")[1])
            if code != 0:
                failed.append(name)
    finally:
        pool.shutdown(cancel_futures=True)  # none is begun any more when this is to end
    result = f"failed: {' '.join(failed)}" if failed else "all passed" if tests else "no test has such a name"
    print(f"cli: {tests} tests in {time.monotonic() - start:.0f} s, {result}")
    return 1 if failed or tests == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
