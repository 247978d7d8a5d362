"""`pegmove hot` to another partition count: real relays, a real ZooKeeper and a MetaProxy."""
import json
import os
import signal
import unittest
import urllib.request

from harness import Process
from hot import ROWS, HotBase
from ports import free_ports
from wait import until

PARTITIONS = 6
# Between the first relay and the word for the cutover.
STEPS = ("touch-source", "duplicate", "await-shipping", "start-backup", "wait-for-backup", "keep-envs", "check-backup",
         "choose-split", "plan-split", "split-rows", "finish-split", "check-files", "prepare-table", "start-load",
         "wait-for-load", "finish-load", "finish-target", "catch-up", "ship-one-by-one", "verify-live", "touch-partitions",
         "await-relay-back", "duplicate-back", "await-back")


class HotRelayTest(HotBase):
    PORTS = 4  # two for relays of each direction

    def group(self, port):
        store = os.path.join(self.own, "store")
        os.makedirs(store, exist_ok=True)
        both = lambda at: f"127.0.0.1:{at},127.0.0.1:{at + 1}"
        return ("[duplication-group]\nA = 1\nB = 2\nRA = 3\nRB = 4\n[pegasus.clusters]\n"
                f"A = 127.0.0.1:{port}\nB = 127.0.0.1:{port + 2}\nRB = {both(port + 4)}\nRA = {both(port + 6)}\n"
                f"[block_service.disk]\ntype = local_service\nargs = {store}\n")

    def relay_words(self, name, number=0, zookeeper=None):
        """RB takes what is written to A to B, RA what is written to B to A."""
        source, target, first = ("A", "B", 4) if name == "RB" else ("B", "A", 6)
        return ["relay", "--from", source, "--to", target, "--table", "t", "--listen",
                f"127.0.0.1:{self.port + first + number}", "--zookeeper", zookeeper or self.zookeeper.address,
                "--relay-root", self.root, "--session-timeout", "2s", "--config", self.config]

    def start_relay(self, name, number=0, until_it_says="ready; Ctrl-C"):
        relay = Process(self.relay_words(name, number), self.own)
        self.addCleanup(relay.kill)
        relay.stdout_until(until_it_says)
        return relay

    def begin_with_relays(self, *more):
        """The process, the run's id, and the relays; each is started when the run asks for it."""
        process, run = self.begin("--partitions", PARTITIONS, "--relay", "RB", "--relay-back", "RA", "--store", "disk",
                                  "--relay-root", self.root, *more)
        return process, run, self.start_forward(process)

    def start_forward(self, process):
        process.stderr_until("the relay RB is not there yet .*start it, .*: pegmove relay --from ")
        return self.start_relay("RB")

    def start_back(self, process):
        process.stderr_until("the relay RA is not there yet")
        return self.start_relay("RA")

    def relay_page(self, offset):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port + offset}/relay", timeout=20) as answer:
            return json.loads(answer.read())

    def setUp(self):
        super().setUp()
        self.root = f"/relays-{self.port}"  # of this test only

    def test_there_and_back_and_there(self):
        process, run, relay = self.begin_with_relays("--auto")
        process.stderr_until("backing up")
        self.set("h1", "newer")
        self.shell(self.a.meta, "use t; del h2 s")
        back = self.start_back(process)
        process.stderr_until("cluster B serves table t; `pegmove complete")
        self.assertEqual(self.serves()[0], "B")
        self.assertTrue(self.denied(self.a))
        self.assertRegex(self.shell(self.b.meta, "app t"), rf"partition_count\s*:\s*{PARTITIONS}\b")
        for key in range(3, ROWS, 17):
            self.assertEqual(self.value(self.b.meta, f"h{key}"), f"v{key}")
        self.assertEqual(self.value(self.b.meta, "h1"), "newer")
        self.assertIsNone(self.value(self.b.meta, "h2"))
        until(lambda: not self.relay_page(4)["sealed"], "the relay to B takes requests again")
        self.assertNotIn("bulk_load", self.shell(self.b.meta, "use t; get_app_envs"))

        self.set("h3", "on-b")
        self.steer("rollback", run)
        self.assertEqual(self.serves()[0], "A")
        self.assertEqual(self.value(self.a.meta, "h3"), "on-b")
        self.set("h4", "on-a")
        self.steer("cutover", run)
        self.assertEqual(self.serves()[0], "B")
        self.assertEqual(self.value(self.through, "h4"), "on-a")

        self.steer("complete", run, "--yes")
        ended = process.finish()
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("the relays have nothing to do any more", ended.out)
        for cluster in (self.a, self.b):
            self.assertNotIn("DS_LOG", self.shell(cluster.meta, "query_dup t"))
        for each in (relay, back):
            each.signal(signal.SIGTERM)
            self.assertEqual(each.finish().code, 0)

    def test_killed_while_files_are_loaded_and_resumed(self):
        process, run, _ = self.begin_with_relays("--auto", "--die-at", "start-load.acted")
        self.assertEqual(process.finish().code, -signal.SIGKILL)
        self.set("h1", "newer")
        resumed = Process(["resume", run, "--config", self.config], self.own)
        self.addCleanup(resumed.kill)
        self.start_back(resumed)
        resumed.stderr_until("cluster B serves table t; `pegmove complete")
        self.assertEqual(self.value(self.through, "h1"), "newer")
        self.assertEqual(self.value(self.through, f"h{ROWS - 1}"), f"v{ROWS - 1}")
        self.steer("complete", run, "--yes")
        self.assertEqual(resumed.finish().code, 0)

    def test_killed_in_every_step(self):
        """Right after each has acted, before the journal knows it."""
        process, run, _ = self.begin_with_relays("--die-at", "await-relay.acted")
        self.assertEqual(process.finish().code, -signal.SIGKILL)
        self.start_relay("RA")
        for step in STEPS:
            resumed = Process(["resume", run, "--config", self.config, "--die-at", f"{step}.acted"], self.own)
            self.addCleanup(resumed.kill)
            ended = resumed.finish()
            self.assertEqual(ended.code, -signal.SIGKILL, ended)
            self.set("h1", f"when {step} had acted")
        self.steer("cutover", run)
        self.assertEqual(self.value(self.through, "h1"), f"when {STEPS[-1]} had acted")
        self.assertEqual(self.value(self.through, "h2"), "v2")
        self.steer("complete", run, "--yes")

    def test_a_relay_is_ready_when_zookeeper_has_answered(self):
        self.shell(self.b.meta, f"create t -p {PARTITIONS} -r 1")
        nobody = f"127.0.0.1:{free_ports(1)}"
        refused = self.done(*self.relay_words("RB", zookeeper=nobody), "--timeout", "3s", code=3)
        self.assertIn(f"ZooKeeper {nobody} has not answered", refused.err)
        self.assertNotIn("ready", refused.out)
        relay = self.start_relay("RB")
        refused = self.done(*self.relay_words("RB", 1), "--write", "plain", code=3)
        self.assertIn("is for other relays", refused.err)
        self.assertNotIn("ready", refused.out)
        with self.zookeeper.client() as client:
            client.create(f"{self.root}/A/t/B/sealed")
        relay.signal(signal.SIGTERM)
        self.assertEqual(relay.finish().code, 0)
        self.start_relay("RB", until_it_says=r"sealed from before[^\n]*\nready; Ctrl-C")

    def test_a_killed_relay_is_replaced(self):
        process, run, relay = self.begin_with_relays()
        second = self.start_relay("RB", 1)
        self.start_back(process)
        process.stderr_until("ready for `pegmove cutover`: 0 mutations behind")
        relay.kill()
        self.set("h1", "after the relay")
        until(lambda: self.value(self.b.meta, "h1") == "after the relay", "the second relay takes over")
        self.steer("cutover", run)
        self.assertEqual(self.value(self.through, "h1"), "after the relay")
        until(lambda: not self.relay_page(5)["sealed"], "the relay to B takes requests again")
        self.assertIsNone(second.process.poll())
        self.steer("complete", run, "--yes")

    def test_a_cancel_drops_what_was_made(self):
        process, run, _ = self.begin_with_relays("--drop-target")
        self.start_back(process)
        process.stderr_until("ready for `pegmove cutover`")
        process.signal(signal.SIGINT)
        self.assertEqual(process.finish().code, 7)
        self.steer("cancel", run)
        self.assertNotIn("DS_LOG", self.shell(self.a.meta, "query_dup t"))
        self.assertNotRegex(self.shell(self.b.meta, "ls"), r"\bt\b.*AVAILABLE")
        self.set("h1", "still-a")

    def test_what_is_missing_is_said_before(self):
        words = self.words("--partitions", PARTITIONS)
        refused = self.done(*words, code=3)
        self.assertIn("and the source has 4", refused.err)
        self.assertIn("pegmove relay --from", refused.err)
        refused = self.done(*words, "--relay", "RB", code=3)
        self.assertIn("--no-way-back", refused.err)
        self.assertIn("--store", refused.err)
        refused = self.done(*words, "--relay", "RB", "--no-way-back", "--store", "elsewhere", code=3)
        self.assertIn("block_service.elsewhere", refused.err)
        shown = self.done(*words, "--relay", "RB", "--no-way-back", "--store", "disk", "--dry-run")
        self.assertIn(f"with {PARTITIONS} partitions on", shown.out)
        self.assertNotIn("for a rollback", shown.out)


if __name__ == "__main__":
    unittest.main()
