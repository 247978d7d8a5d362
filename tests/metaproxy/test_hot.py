"""`pegmove hot` between two embedded clusters, with a real ZooKeeper and a MetaProxy."""
import json
import os
import pty
import re
import signal
import subprocess
import unittest

from harness import PROGRAM, Process, environment
from hot import GIVEN_BACK, ROWS, HotBase
from proxy import ROOT_NODE, route
from wait import until


class HotTest(HotBase):
    def test_there_and_back_and_there(self):
        process, run = self.begin("--auto")
        process.stderr_until("cluster B serves table t; `pegmove complete")
        self.assertEqual(self.serves(), ("B", 2))
        self.assertTrue(self.denied(self.a))
        self.set("h1", "on-b")
        self.assertEqual(self.value(self.b.meta, "h1"), "on-b")
        self.assertEqual(self.value(self.b.meta, f"h{ROWS - 1}"), f"v{ROWS - 1}")
        self.assertIn("serves table t already", self.steer("cutover", run, code=2).err)

        self.steer("rollback", run)
        self.assertEqual(self.serves()[0], "A")
        self.assertFalse(self.denied(self.a))
        self.assertTrue(self.denied(self.b))
        self.assertEqual(self.value(self.a.meta, "h1"), "on-b")
        self.set("h2", "on-a")
        self.steer("complete", run, "--yes", code=2)

        asked = json.loads(self.steer("cutover", run, "--json").out)
        self.assertTrue(asked["done"], asked)
        self.assertEqual(self.serves()[0], "B")
        self.assertEqual(self.value(self.through, "h2"), "on-a")

        self.steer("complete", run, code=2)  # nobody can be asked
        self.steer("complete", run, "--yes")
        self.assertEqual(process.finish().code, 0)
        for cluster in (self.a, self.b):
            self.assertNotIn("DS_LOG", self.shell(cluster.meta, "query_dup t"))
        self.assertTrue(self.denied(self.a))
        self.assertFalse(self.denied(self.b))

    def test_a_killed_cutover_is_given_back_by_the_guard(self):
        process, run = self.begin("--auto", "--die-at", "cutover.fence_set")
        self.assertEqual(process.finish().code, -signal.SIGKILL)
        until(lambda: not self.denied(self.a), "the guard opens the source")
        self.assertEqual(self.serves(), ("A", 2))  # a late switch fails
        self.set("h1", "still-a")
        outcome = self.done("resume", run, "--config", self.config, code=GIVEN_BACK)
        self.assertIn("was given back", outcome.err)
        self.steer("cutover", run)
        self.assertEqual(self.serves()[0], "B")
        self.assertEqual(self.value(self.through, "h1"), "still-a")

    def test_a_switch_that_the_journal_does_not_know_has_happened(self):
        process, run = self.begin("--auto", "--die-at", "cutover.switched")
        self.assertEqual(process.finish().code, -signal.SIGKILL)
        self.assertEqual(self.serves(), ("B", 2))
        self.assertTrue(self.denied(self.a))
        resumed = Process(["resume", run, "--config", self.config], self.own)
        self.addCleanup(resumed.kill)
        resumed.stderr_until("cluster B serves table t; `pegmove complete")
        self.assertTrue(self.denied(self.a))
        self.steer("complete", run, "--yes")
        self.assertEqual(resumed.finish().code, 0)

    def test_a_cutover_asked_for_of_a_run_that_nobody_works_on(self):
        process, run = self.begin()
        process.stderr_until("ready for `pegmove cutover`: 0 mutations behind")
        process.signal(signal.SIGINT)
        self.assertEqual(process.finish().code, 7)
        dry = self.steer("cutover", run, "--dry-run").out
        self.assertIn("would name cluster B", dry)
        steps = {step["step"]: step for step in json.loads(self.done("status", run, "--json").out)["steps"]}
        certificate = steps["verify-live"]["product"]["certificate"]
        self.assertIn(f"certificate {certificate}: {ROWS} rows compared", dry)
        with open(certificate, encoding="utf-8") as file:
            found = json.load(file)
        self.assertEqual((found["id"], found["verdict"], found["source_rows"]), (run, "equal", ROWS))
        self.assertEqual(self.serves(), ("A", 0))
        self.steer("cutover", run)
        self.assertEqual(self.serves(), ("B", 2))
        self.steer("cancel", run, code=1)
        self.assertEqual(self.serves(), ("B", 2))
        self.assertIn("writes/s on the source before the cutover", self.steer("complete", run, "--yes").out)

    def test_the_procedure_of_the_documentation_by_hand(self):
        """docs/hot-migration.md, step by step; nobody writes meanwhile, so that it loses nothing."""
        found = re.search(r"dupid: (\d+)", self.shell(self.a.meta, "add_dup t B -s"))
        self.assertTrue(found)
        until(lambda: "DS_LOG" in self.shell(self.a.meta, "query_dup t"), "the duplication ships")
        self.set("h1", "shipped")
        self.shell(self.a.meta, "use t; set_app_envs replica.deny_client_request timeout*write")
        until(lambda: self.value(self.b.meta, "h1") == "shipped", "the last write is on B")
        with self.zookeeper.client() as client:
            client.set(f"{ROOT_NODE}/t", route("B", self.b.meta))
        self.shell(self.a.meta, "use t; set_app_envs replica.deny_client_request reconfig*all")
        until(lambda: self.value(self.through, "h1") == "shipped", "clients of the proxy reach B")
        self.set("h2", "on-b")
        self.assertEqual(self.value(self.b.meta, "h2"), "on-b")
        self.shell(self.a.meta, f"remove_dup t {found[1]}")
        self.assertEqual(self.value(self.b.meta, f"h{ROWS - 1}"), f"v{ROWS - 1}")

    def test_the_preflight_names_what_is_missing(self):
        self.put("t", route("elsewhere", "127.0.0.1:1"))
        outcome = self.done(*self.words(), code=3)
        self.assertIn("it names cluster elsewhere", outcome.err)
        self.put("t", "{")
        self.assertIn("pegmove routes set", self.done(*self.words(), code=3).err)
        self.put("t", route("A", self.a.meta))
        self.shell(self.b.meta, "create t -p 4 -r 1")
        self.assertIn("already exists", self.done(*self.words(), code=3).err)
        self.done(*self.words("--order", "routes-first"), code=2)
        self.assertFalse(self.denied(self.a))

    def unconfirmed(self, *more):
        return [str(word) for word in self.words(*more) if word != "--no-direct-clients"]

    def test_on_a_terminal_pegmove_asks_about_direct_clients(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = subprocess.Popen([PROGRAM, *self.unconfirmed("--dry-run", "--quiet")], stdin=theirs, stderr=theirs,
                                   stdout=subprocess.PIPE, cwd=self.own, env=environment(self.own))
        os.close(theirs)
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(ours, 1024)  # fails when the process has ended
        self.assertIn(b"Do all clients of table t ask a MetaProxy?", asked)
        os.write(ours, b"y\n")
        out = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 0, out)
        self.assertIn(b"duplicate table t", out)

    def test_who_asks_the_servers_directly_is_for_the_operator_to_say(self):
        words = self.unconfirmed("--auto")
        refused = self.done(*words, code=3)
        self.assertIn("it is not known whether clients ask the meta servers of cluster A directly", refused.err)
        self.assertIn("confirm it with --no-direct-clients", refused.err)
        shown = json.loads(self.done(*words, "--dry-run", "--json", code=3).out)["preflight"]
        self.assertFalse(shown["can_begin"])
        self.assertEqual([each["kind"] for each in shown["findings"] if each["severity"] == "error"],
                         ["direct-clients"])

    def test_the_preflight_tells_what_clients_write(self):
        self.shell(self.a.meta, "use t; incr counter s 1")
        outcome = self.done(*self.words("--measure", "1s", "--dry-run", "--json"))
        self.assertRegex(outcome.err, r"clients made 0 atomic writes .*, and 1 since its servers were started")
        shown = json.loads(outcome.out)
        self.assertTrue(shown["preflight"]["can_begin"])
        self.assertTrue(shown["preflight"]["no_direct_clients"])
        self.assertGreaterEqual(shown["preflight"]["writes"]["measured_ms"], 1000)
        self.assertEqual(shown["preflight"]["writes"]["atomic_writes_since_start"], 1)
        self.assertEqual(shown["preflight"]["ships_per_second"], 5400)
        self.assertEqual(shown["steps"][0]["step"], "duplicate")


class RestartTest(HotBase):
    IDS = "[duplication-group]\nA = 1\nB = 2\n"

    def group(self, port):
        return super().group(port).replace(self.IDS, "")

    def test_a_run_waits_until_its_servers_were_restarted(self):
        self.assertIn("--wait-for-restart", self.done(*self.words(), code=3).err)
        process, run = self.begin("--wait-for-restart", "1h")
        said = process.stderr_until("waiting for a restart, 2 to do").string
        self.assertIn("[duplication-group]\n    A = 1\n    B = 2", said)
        process.signal(signal.SIGINT)
        self.assertEqual(process.finish().code, 7)
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(self.IDS)
        self.a.stop()
        self.a.start()
        resumed = Process(["resume", run, "--config", self.config], self.own)
        self.addCleanup(resumed.kill)
        resumed.stderr_until("waiting for a restart, 1 to do: replica server .* of cluster B")
        self.b.stop()
        self.b.start()
        resumed.stderr_until("ready for `pegmove cutover`: 0 mutations behind")
        self.steer("cutover", run)
        self.assertEqual(self.serves()[0], "B")
        self.steer("rollback", run)
        self.assertEqual(self.serves()[0], "A")


if __name__ == "__main__":
    unittest.main()
