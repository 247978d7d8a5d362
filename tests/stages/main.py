"""The stages of the whole test, and of the long one; script/test and script/test-long run them."""
import os
import pathlib
import shutil
import sys

from scheduler import Scheduler, Stage, Step, choose

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEMORY = "/dev/shm"
MEMORY_ROOM = 8 << 30


def stage(name, *steps, needs="", shown=False):
    return Stage(name, steps, tuple(needs.split()), shown)


def builds(command):
    return Step(command, compiles=True)


TEST = [
    stage("bootstrap", Step("script/bootstrap")),
    stage("build", builds("script/build release"), needs="bootstrap"),
    stage("lint", Step("script/lint"), needs="bootstrap"),
    stage("tools", Step("python3 -B tools/tidy_test.py"),
          Step("python3 -B -m unittest discover --start-directory tests/stages"), needs="bootstrap"),
    stage("peers", Step("python3 -B tests/peers/peers.py install", cores=0), needs="bootstrap"),
    stage("scenario", Step("tests/scenario/run", cores=1), needs="build"),
    stage("journals", Step("tests/journals/run", cores=0.5), needs="build"),
    stage("stores", Step("tests/blockstore/run", cores=0.5), needs="build peers", shown=True),
    stage("spark", Step("tests/spark/run", cores=0.5), needs="build peers"),
    stage("unit", Step("script/unit release", cores=1), needs="build"),
    stage("cli", Step("tests/cli/run", cores=1), needs="build"),
    stage("kill", Step("tests/kill/run", cores=0.5), needs="build", shown=True),
    stage("readers", Step("tests/readers/run", cores=0.5), needs="build peers"),
    stage("shell", Step("tests/shell/run", cores=0.5), needs="build"),
    stage("python", Step("tests/python_client/run", cores=0.5), needs="build"),
    stage("metaproxy", Step("tests/metaproxy/run", cores=1), needs="build"),
    stage("conformance", Step("tests/conformance/run", cores=0.5), needs="build"),
    stage("replay", Step("tests/replay/run", cores=0.5), needs="build"),
    stage("install", Step("tests/install/run"), needs="build"),
    stage("setup", Step("tests/setup/run", cores=0.5), needs="build"),
    stage("asan", builds("script/build asan unit_tests"), Step("script/unit asan", cores=2), needs="bootstrap"),
    stage("tsan", builds("script/build tsan async_test net_test client_test server_replica_test"),
          Step("script/unit tsan -R ^(async|net|client|server_replica)_test$", cores=1), needs="bootstrap"),
    stage("fuzz", builds("script/fuzz --build"), Step("script/fuzz --seconds 15", cores=2), needs="bootstrap",
          shown=True),
    stage("bench", Step("script/bench --short", cores=2), needs="build peers", shown=True),
]

LONG = [
    stage("bootstrap", Step("script/bootstrap")),
    stage("build", builds("script/build release"), needs="bootstrap"),
    stage("peers", Step("python3 -B tests/peers/peers.py install", cores=0), needs="bootstrap"),
    stage("bench", Step("script/bench", cores=64), needs="build peers", shown=True),
    stage("fuzz", builds("script/fuzz --build"), Step("script/fuzz --seconds 600", cores=2), needs="bootstrap",
          shown=True),
    stage("kill", Step("env KILLS=3000 LIMIT_S=7200 tests/kill/run"), needs="build", shown=True),
    stage("scenario", Step("env ROUNDS=5 tests/scenario/run", cores=1), needs="build"),
    stage("duplication", Step("env KILLS=1000 LIMIT_S=7200 tests/scenario/run dup_source_killed", cores=1),
          Step("env ROUNDS_OF_WRITES=300 LIMIT_S=7200 tests/scenario/run dup_mutual_property", cores=1), needs="build",
          shown=True),
    stage("hot", Step("env KILLS=all tests/metaproxy/run -k Kills", cores=1),
          Step("env PEGMOVE_CUTOVER_SEEDS=5000 build/release/cutover_test --gtest_filter=CutoverSim.*", cores=1),
          needs="build", shown=True),
    stage("tsan", builds("script/build tsan unit_tests"), Step("script/unit tsan", cores=2), needs="bootstrap"),
]


def use_memory():
    """Temporary files go to memory where there is room, unless TMPDIR says where: tests wait for the disk otherwise,
    and so does everything beside them."""
    if "TMPDIR" not in os.environ and os.path.isdir(MEMORY) and shutil.disk_usage(MEMORY).free >= MEMORY_ROOM:
        os.environ["TMPDIR"] = MEMORY


def main(words):
    use_memory()
    stages = {"test": TEST, "test-long": LONG}[words[0]]
    return Scheduler(choose(stages, words[1:]), ROOT, ROOT / "build" / "stages", len(os.sched_getaffinity(0))).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
