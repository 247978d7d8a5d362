"""What others do in the middle of a hot migration: each ends in one clear state, from which there is a legal way on.

A failover of the source under the fence needs a partition with several members; embedded clusters have all their
servers in one process, so that none fails alone. What comes nearest, a source that is killed and started again under
the fence, is in test_hot_component_kills.py; failovers are in the simulation (src/migration/hot/cutover_sim_test.cc)."""
import os
import re
import signal
import unittest

from cutter import CUT, PASS, Cutter
from hot import GIVEN_BACK, ROWS, HotBase
from hot_run import FAILED, Holder, in_parallel
from proxy import ROOT_NODE, route
from proxy_writer import Client
from wait import until

GOES_BY_B = "cluster B serves table t; `pegmove complete"
REMOVED = "was removed by somebody else"


class HotFaultsTest(HotBase):
    def stopped_at(self, point, table="t"):
        """A run that stands still at the point, and its id."""
        holder = Holder(self.words("--auto", "--stop-at", point, table=table), self.own,
                        os.path.join(self.own, f"{table}.log"))
        self.addCleanup(holder.end)
        until(lambda: holder.is_stopped() or holder.code() is not None, holder)
        self.assertIsNone(holder.code(), holder)
        return holder, re.search(r"run (hot-\S+);", holder.text())[1]

    def goes_on(self, holder, code, says):
        holder.send(signal.SIGCONT)
        until(lambda: holder.code() is not None, holder)
        self.assertEqual(holder.code(), code, holder)
        self.assertIn(says, holder.text())

    def duplication(self, cluster):
        return re.search(r"^\s*(\d+)\s+DS_LOG", self.shell(cluster.meta, "query_dup t"), re.M)[1]

    def test_a_node_that_is_changed_before_the_switch(self):
        holder, run = self.stopped_at("cutover.checked")
        self.put("t", route("A", self.a.meta))  # the same text, another version
        self.goes_on(holder, GIVEN_BACK, "was changed by somebody else meanwhile")
        self.assertEqual(self.serves(), ("A", 2))
        self.assertFalse(self.denied(self.a))
        self.set("h1", "still-a")
        self.steer("cutover", run)
        self.assertEqual(self.serves(), ("B", 4))
        self.assertEqual(self.value(self.through, "h1"), "still-a")

    def source_stays_denied(self, table, change):
        """Nobody but the operator can say who serves: the source opens when the node names it again."""
        holder, run = self.stopped_at("cutover.checked", table=table)
        change()
        self.goes_on(holder, FAILED, "STAYS DENIED")
        self.assertTrue(self.denied(self.a, table))
        self.assertIn("STAYS DENIED", self.steer("resume", run, code=FAILED).err)
        self.assertTrue(self.denied(self.a, table))
        self.put(table, route("A", self.a.meta))
        self.steer("resume", run, code=GIVEN_BACK)
        self.assertFalse(self.denied(self.a, table))
        self.assertEqual(self.serves(table)[0], "A")
        self.assertEqual(len(self.rows(self.a, table)), ROWS)

    def test_a_node_that_names_nobody_before_the_switch(self):
        changes = {"elsewhere": lambda: self.put("elsewhere", route("elsewhere", "127.0.0.1:1")),
                   "bad": lambda: self.put("bad", "{"),
                   "deleted": lambda: self.delete("deleted")}
        for table in changes:
            self.make_table(table)
        in_parallel(*(lambda table=table, change=change: self.source_stays_denied(table, change)
                      for table, change in changes.items()))

    def test_a_guard_on_another_host_gives_back_what_the_first_machine_cannot(self):
        """pegmove hangs, and its own guard is gone. The other one knows neither the run nor its journal."""
        holder, _ = self.stopped_at("cutover.fence_proven")
        self.end_guards()
        self.assertTrue(self.denied(self.a))
        outcome = self.done("guard", "--from", "A", "--to", "B", "--table", "t", "--zookeeper", self.zookeeper.address,
                            "--zk-root", ROOT_NODE, "--longest-hold", "1s", "--config", self.config, code=GIVEN_BACK)
        self.assertIn("guarding node", outcome.out)
        self.assertIn("A (table t) serves again", outcome.err)
        self.assertFalse(self.denied(self.a))
        self.goes_on(holder, GIVEN_BACK, "was given back")
        self.assertEqual(self.serves()[0], "A")
        self.assertFalse(self.denied(self.a))

    def test_a_guard_without_a_run_says_what_it_needs(self):
        self.assertIn("--from is missing: give the id of a run", self.done("guard", code=2).err)

    def test_a_node_that_is_missing_at_the_beginning(self):
        self.delete("t")
        self.assertIn("pegmove routes set", self.done(*self.words(), code=3).err)
        self.assertFalse(self.denied(self.a))

    def test_the_target_is_the_source(self):
        words = self.words()
        words[words.index("B")] = "A"
        self.assertIn("the target is the source itself", self.done(*words, code=3).err)

    def test_a_duplication_that_is_removed_while_the_run_waits(self):
        process, run = self.begin()
        process.stderr_until("ready for `pegmove cutover`: 0 mutations behind")
        self.shell(self.a.meta, f"remove_dup t {self.duplication(self.a)}")
        outcome = process.finish()
        self.assertEqual(outcome.code, FAILED, outcome)
        self.assertIn(REMOVED, outcome.err)
        self.assertIn(REMOVED, self.steer("cutover", run, code=FAILED).err)  # never without it
        self.assertEqual(self.serves(), ("A", 0))
        self.assertFalse(self.denied(self.a))
        self.steer("cancel", run)
        self.set("h1", "still-a")
        self.assertEqual(self.value(self.a.meta, "h1"), "still-a")

    def test_a_duplication_that_is_removed_under_the_fence(self):
        holder, run = self.stopped_at("cutover.fence_proven")
        self.shell(self.a.meta, f"remove_dup t {self.duplication(self.a)}")
        self.goes_on(holder, GIVEN_BACK, "was given back")
        self.assertEqual(self.serves()[0], "A")
        self.assertFalse(self.denied(self.a))
        self.assertIn(REMOVED, self.steer("cutover", run, code=FAILED).err)
        self.assertEqual(self.serves()[0], "A")
        self.steer("cancel", run)

    def test_a_duplication_that_is_paused(self):
        process, run = self.begin()
        process.stderr_until("ready for `pegmove cutover`: 0 mutations behind")
        number = self.duplication(self.a)
        self.shell(self.a.meta, f"pause_dup t {number}")
        process.stderr_until(f"is paused: `start_dup t {number}`")
        self.set("h1", "waits")
        self.shell(self.a.meta, f"start_dup t {number}")
        until(lambda: self.value(self.b.meta, "h1") == "waits", "what was written meanwhile is shipped")
        self.steer("cutover", run)
        self.assertEqual(self.serves(), ("B", 2))
        self.assertEqual(self.value(self.through, "h1"), "waits")
        self.steer("complete", run, "--yes")
        self.assertEqual(process.finish().code, 0)

    def test_a_duplication_back_that_somebody_else_adds(self):
        holder, run = self.stopped_at("touch-partitions.done")
        added = re.search(r"dupid: (\d+)", self.shell(self.b.meta, "add_dup t A"))
        self.goes_on(holder, FAILED, f"exists already, with id {added[1]}")
        self.assertEqual(self.serves(), ("A", 0))
        self.assertFalse(self.denied(self.a))
        self.shell(self.b.meta, f"remove_dup t {added[1]}")
        resumed = Holder(["resume", run, "--config", self.config], self.own, os.path.join(self.own, "resumed.log"))
        self.addCleanup(resumed.end)
        until(lambda: GOES_BY_B in resumed.text() or resumed.code() is not None, resumed)
        self.assertEqual(self.serves(), ("B", 2))

    def test_a_proxy_that_is_cut_off_from_zookeeper(self):
        """Its clients are refused by the source, and wait: none of them writes where the table was."""
        cutter = Cutter(self.zookeeper.port)
        self.addCleanup(cutter.close)
        behind = self.proxy(zookeeper=cutter.address)
        client = self.client(behind.address)
        self.assertTrue(client.set("h1", "before"))
        process, run = self.begin(proxy=f"{self.through},{behind.address}")
        process.stderr_until("ready for `pegmove cutover`: 0 mutations behind")
        cutter.mode = CUT
        until(lambda: not behind.is_connected(), "the loss of the connection")
        self.steer("cutover", run)
        self.assertTrue(self.denied(self.a))
        self.assertFalse(client.set("h1", "refused"))
        self.set("h2", "by-the-other-proxy")
        self.assertEqual(self.value(self.b.meta, "h1"), "before")
        cutter.mode = PASS
        behind.until_routed("t", self.b.meta)
        self.assertTrue(client.set("h1", "after"))
        self.assertEqual(client.get("h2"), "by-the-other-proxy")
        self.assertEqual(self.value(self.b.meta, "h1"), "after")
        self.steer("complete", run, "--yes")
        self.assertEqual(process.finish().code, 0)

    def test_an_idle_client_that_wakes_after_the_switch(self):
        """Of three that know where the table was, one reads first, one writes; one wakes after the end."""
        reads, writes, sleeps = (self.client(self.through) for _ in range(3))
        for client in (reads, writes, sleeps):
            self.assertEqual(client.get("h1"), "v1")
        process, run = self.begin("--auto")
        process.stderr_until(GOES_BY_B)
        self.set("h1", "on-b")
        self.assertEqual(reads.get("h1"), "on-b")
        self.assertTrue(writes.set("h2", "on-b"))
        self.steer("complete", run, "--yes")
        self.assertEqual(process.finish().code, 0)
        self.assertTrue(sleeps.set("h3", "on-b"))
        self.assertEqual([self.value(self.b.meta, key) for key in ("h1", "h2", "h3")], ["on-b"] * 3)

    def client(self, cluster):
        client = Client(cluster, "t", self.own, os.path.join(self.own, "client.log"))
        self.addCleanup(client.close)
        return client


if __name__ == "__main__":
    unittest.main()
