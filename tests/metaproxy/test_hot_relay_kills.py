"""pegmove and the relays killed during a hot migration to another partition count, while clients write through the
proxy."""
import json
import os
import random
import threading
import unittest

import hot_points as points
from hot import HotBase
from hot_run import KILLS, PEGMOVE, SEED, Holder, HotRun, Kill, chosen, of_pegmove
from wait import until

PARTITIONS = 6
FORWARD, BACK = "relay", "relay-back"


class Relay:
    """The same address at each start."""

    def __init__(self, case, source, target, port):
        self.case, self.lock, self.holder, self.number = case, threading.Lock(), None, 0
        self.name = f"{source}{target}"
        self.words = ["relay", "--from", source, "--to", target, "--table", "t", "--listen", f"127.0.0.1:{port}",
                      "--zookeeper", case.zookeeper.address, "--relay-root", case.relay_root, "--session-timeout", "2s",
                      "--config", case.config]

    def try_it(self):
        """Whether it is ready: it ends at once as long as its target has no such table."""
        self.number += 1
        self.holder = Holder(self.words, self.case.own, os.path.join(self.case.own, f"{self.name}{self.number}.log"))
        is_ready = lambda: "ready; Ctrl-C" in self.holder.text()
        until(lambda: is_ready() or self.holder.code() is not None, self.holder)
        return is_ready()

    def start(self):
        with self.lock:
            until(lambda: self.case.is_over or self.try_it(), f"relay {self.name} is ready", pause_s=0.2)

    def kill(self):
        with self.lock:
            self.holder.end()


class HotRelayKillsTest(HotBase):
    PORTS = 2
    is_over = False

    def group(self, port):
        store = os.path.join(self.own, "store")
        os.makedirs(store)
        return ("[duplication-group]\nA = 1\nB = 2\nRA = 3\nRB = 4\n[pegasus.clusters]\n"
                f"A = 127.0.0.1:{port}\nB = 127.0.0.1:{port + 2}\n"
                f"RB = 127.0.0.1:{port + 4}\nRA = 127.0.0.1:{port + 5}\n"
                f"[block_service.disk]\ntype = local_service\nargs = {store}\n")

    def setUp(self):
        super().setUp()
        self.relay_root = f"/relays-{self.port}"  # of this test only
        self.options = ["--partitions", PARTITIONS, "--relay", "RB", "--relay-back", "RA", "--store", "disk",
                        "--relay-root", self.relay_root]
        self.relays = {FORWARD: Relay(self, "A", "B", self.port + 4), BACK: Relay(self, "B", "A", self.port + 5)}
        self.addCleanup(self.end_relays)

    def end_relays(self):
        self.is_over = True
        for relay in self.relays.values():
            if relay.holder:
                relay.kill()

    def steps(self):
        """Those until the run is ready, as its dry run shows them."""
        shown = json.loads(self.done(*self.words(*self.options, "--dry-run", "--json")).out)
        names = [step["step"] for step in shown["steps"]]
        return names[:names.index("wait-for-cutover") + 1]

    def kills(self, victim_of):
        """Where the relay does not have to be there yet, only pegmove is killed."""
        steps = self.steps()
        early = steps[:steps.index("await-relay") + 1]
        where = chosen(points.of_steps(*steps), 5, SEED)
        return [Kill(point, PEGMOVE if point.split(".")[0] in early else victim_of(point)) for point in where]

    def journey(self, victim_of):
        run = HotRun(self, "t", words=self.options)
        self.addCleanup(run.end)
        starts = [threading.Thread(target=relay.start) for relay in self.relays.values()]
        for start in starts:
            start.start()
        run.go("B", [*self.kills(victim_of), Kill("cutover.fence_set", FORWARD), *of_pegmove("cutover.relay_sealed")])
        for start in starts:
            start.join()
        run.check_serves("B")
        run.go("A", [Kill("cutover.begun", BACK), *of_pegmove("cutover.relay_sealed", "give_back.switch_closed")])
        run.check_serves("A")
        run.go("B")
        run.check_serves("B")
        run.go("complete")
        run.stop_writer()
        run.check_rows(self.b, self.a)
        print(f"KILLS={KILLS} SEED={SEED}: " + "; ".join(f"{kill.victim} at {kill.point}" for kill in run.killed),
              flush=True)

    def test_at_steps(self):
        """KILLS=all: the relay at every step; else pegmove and the relays at some, chosen by SEED."""
        choices = random.Random(SEED)
        self.journey(lambda _: FORWARD if KILLS == "all" else choices.choice([PEGMOVE, FORWARD, BACK]))

    def test_pegmove_at_every_step(self):
        """Only in the long test."""
        if KILLS == "all":
            self.journey(lambda _: PEGMOVE)


if __name__ == "__main__":
    unittest.main()
