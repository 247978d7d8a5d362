"""Replays recordings of duplications with the embedded cluster in the source's or the target's place; see
tests/replay/run."""
import argparse
import os
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "cli"))

import harness  # noqa: E402
import idl as declarations  # noqa: E402
from connection import NoAnswer  # noqa: E402
from differences import DifferenceList, ListError  # noqa: E402
from replay import Report  # noqa: E402
from full_place import FullPlace  # noqa: E402
from shell_place import ShellPlace  # noqa: E402
from shipped_place import (OnwardShippingPlace, OtherCountPlace, ReversePlace, ReverseShippingPlace,  # noqa: E402
                           ShippedPlace, ShippingPlace)  # noqa: E402
from source_place import ErrorsPlace, SourcePlace  # noqa: E402
from target_place import FollowerPlace, TargetPlace  # noqa: E402
from thrift import ThriftError  # noqa: E402
from transcript import Table  # noqa: E402

FOLDER = os.path.join(ROOT, "tests", "golden", "duplication")
LIST = "differences-duplication.txt"
GROUP = {"onebox": 1, "onebox2": 2, "onebox3": 3, "onebox4": 4}  # of the recorded clusters
# Name -> (file, what is replayed, tables at its start).
REPLAYS = {
    "incremental@target": ("incremental.jsonl", TargetPlace, [Table(1, "t", 4)]),
    "incremental@source": ("incremental.jsonl", SourcePlace, [Table(1, "t", 4)]),
    "shell@source": ("shell.txt", ShellPlace, [Table(1, "t", 4)]),
    "errors@source": ("errors.jsonl", ErrorsPlace, [Table(1, "r_main", 4)]),
    "full@source": ("full.jsonl.gz", FullPlace, [Table(1, "t", 4), Table(2, "u", 4)]),
    "full@target": ("full.jsonl.gz", FollowerPlace, []),
    "reverse@target-B": ("reverse.jsonl.gz", ShippedPlace, [Table(2, "u", 4)]),
    "reverse@target-A": ("reverse.jsonl.gz", ReversePlace, [Table(2, "u", 4)]),
    "partition-counts@target": ("partition-counts.jsonl.gz", ShippedPlace,
                                [Table(11, "pc48", 8), Table(12, "pc84", 4), Table(13, "pc48s", 8)]),
    "pc48@source": ("partition-counts.jsonl.gz", OtherCountPlace, [Table(11, "pc48", 4)]),
    "pc84@source": ("partition-counts.jsonl.gz", ShippingPlace, [Table(12, "pc84", 8)]),
    "reverse@source-A": ("reverse.jsonl.gz", OnwardShippingPlace, [Table(2, "u", 4)]),
    "reverse@source-B": ("reverse.jsonl.gz", ReverseShippingPlace, [Table(2, "u", 4)]),
    "target-killed@source": ("target-killed.jsonl.gz", ShippingPlace, [Table(14, "k", 4)]),
    "target-killed@target": ("target-killed.jsonl.gz", ShippedPlace, [Table(14, "k", 4)]),
    "source-killed@target": ("source-killed.jsonl.gz", ShippedPlace, [Table(14, "k", 4)]),
}


def started(folder, name, others):
    """A cluster of the group, which knows where these others are."""
    path = os.path.join(folder, "cluster.ini")
    lines = ["[duplication-group]", *(f"{one} = {number}" for one, number in GROUP.items()),
             "[pegasus.clusters]", *(f"{one} = {address}" for one, address in others.items())]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return harness.Cluster(folder, name=name, more=["--config", path])


def replayed(idl, codes, name, listed, options):
    """One replay on a fresh cluster of its own; (recording, report)."""
    file, place_class, tables = REPLAYS[name]
    recording = place_class.READ(idl, codes, os.path.join(FOLDER, file), name, tables)
    report, begin = Report(recording, listed, options), time.time()
    with tempfile.TemporaryDirectory(prefix="pegmove-replay-") as folder:
        place, cluster = place_class(idl, codes, recording), None
        try:
            cluster = started(folder, place.OWN_NAME, place.others())
            place.start(cluster, folder)
            place.run(report, time.time())
            outcome = cluster.stop()
            if outcome.code != 0:
                raise NoAnswer(f"the cluster did not stop well: {outcome}")
        finally:
            place.close()
            if cluster is not None:
                cluster.kill()
    print(f"{report.line()}, {time.time() - begin:.1f} s", flush=True)
    return recording, report


def arguments():
    parser = argparse.ArgumentParser(prog="tests/replay/run --duplication", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(REPLAYS)}; all if none is given")
    parser.add_argument("--frame", type=int, default=0, metavar="N", help="show this frame's comparison")
    parser.add_argument("-v", "--verbose", action="store_true", help="show all comparisons")
    return parser.parse_args()


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster is stopped
    differ, requests = 0, {}
    try:
        idl = declarations.read_idl()
        codes = declarations.read_codes(idl)
        with open(os.path.join(HERE, LIST), encoding="utf-8") as file:
            listed = DifferenceList(file.read(), LIST)
        for name in options.names or REPLAYS:
            if name not in REPLAYS:
                raise ListError(f"no replay {name}; there are {', '.join(REPLAYS)}")
            recording, report = replayed(idl, codes, name, listed, options)
            differ += report.differ
            requests[name] = {exchange.n for exchange in recording.exchanges}
    except (NoAnswer, ThriftError, ListError, declarations.DeclarationError, AssertionError, OSError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    stale = list(listed.stale(requests))
    for text in stale:
        print(text)
    return 1 if differ or stale else 0


if __name__ == "__main__":
    sys.exit(main())
