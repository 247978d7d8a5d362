"""pegmove verify, diff and repair. Differences are made with the shell's commands."""
import json
import os
import re
import sqlite3
import threading
import time

from harness import CliTest, row, sorted_rows

KINDS = ("missing", "extra", "value", "expiry")


class TwoClusters(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster("A", replicas=2)
        cls.b = cls.shared_cluster("B")
        cls.config = os.path.join(cls.folder, "clusters.ini")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(f"[pegasus.clusters]\nA = {cls.a.meta}\nB = {cls.b.meta}\n")

    def words(self, verb, table, *more):
        return [verb, "--config", self.config, "--from", "A", "--to", "B", "--table", table, "--quiet", *more]

    def shell(self, cluster, table, *commands):
        return self.done("shell", "--cluster", cluster.meta, "-e", "; ".join((f"use {table}", *commands)))

    def both(self, table, rows, source=4, target=6):
        self.create(self.a, table, source, rows)
        self.create(self.b, table, target, rows)

    def verify(self, table, *more):
        outcome = self.run_words(*self.words("verify", table, "--json", *more))
        self.assertIn(outcome.code, (0, 4), str(outcome))
        report = json.loads(outcome.out)
        self.assertEqual(report["equal"], outcome.code == 0, str(outcome))
        return report

    def counts(self, report):
        return [report[kind] for kind in KINDS]

    def diff(self, table, *more):
        outcome = self.run_words(*self.words("diff", table, "--json", *more))
        self.assertIn(outcome.code, (0, 4), str(outcome))
        lines = [json.loads(line) for line in outcome.out.splitlines()]
        self.assertEqual(outcome.code, 4 if lines else 0)
        return lines

    def repair(self, table, *more, code=0):
        outcome = self.run_words(*self.words("repair", table, "--json", *more))
        self.assertEqual(outcome.code, code, str(outcome))
        return json.loads(outcome.out)

    def make_damaged(self, table):
        """One row of each kind; the source's rows."""
        future = int(time.time()) + 50_000
        rows = [row(f"h{i:03}", "s", f"v{i}", future if i % 3 == 0 else None) for i in range(200)]
        self.both(table, rows)
        self.shell(self.b, table, "del h001 s", "set h002 s other", "set h003 s v3 9999", "set extra s v",
                   r'set "\xfe" "\xff" v')
        return sorted_rows(rows)


class Repair(TwoClusters):
    def test_each_kind_is_found_listed_and_mended(self):
        rows = self.make_damaged("kinds")
        self.assertEqual(self.counts(self.verify("kinds")), [1, 2, 1, 1])
        found = self.diff("kinds")
        wanted = [{"kind": kind, "hash_key": key, "sort_key": "s"}
                  for kind, key in (("missing", "h001"), ("value", "h002"), ("expiry", "h003"), ("extra", "extra"))]
        wanted.append({"kind": "extra", "hash_key_b64": "/g==", "sort_key_b64": "/w=="})
        self.assertEqual(sorted_rows(found), sorted_rows(wanted))
        text = self.run_words(*self.words("diff", "kinds"))
        self.assertEqual(len(text.out.splitlines()), 5, str(text))
        self.assertIn(r'extra    "\xFE" : "\xFF"'.lower(), text.out.lower())

        dry = self.repair("kinds", "--dry-run", code=4)
        self.assertEqual([dry[name] for name in ("missing", "value", "expiry", "extra_left")], [1, 1, 1, 2])
        self.assertEqual(self.counts(self.verify("kinds")), [1, 2, 1, 1])
        report = self.repair("kinds", code=4)
        self.assertEqual([report[name] for name in ("missing", "value", "expiry", "extra_left", "agree_now",
                                                    "differ_now")], [1, 1, 1, 2, 3, 0])
        self.assertEqual(self.counts(self.verify("kinds")), [0, 2, 0, 0])
        self.failed(2, ["--yes", "'kinds'", "--dry-run"], *self.words("repair", "kinds", "--delete-extra"))
        self.assertEqual(self.counts(self.verify("kinds")), [0, 2, 0, 0])
        self.assertEqual(self.repair("kinds", "--delete-extra", "--yes")["extra_deleted"], 2)
        self.assertEqual(self.rows_of(self.b, "kinds"), rows)
        self.assertEqual(self.rows_of(self.a, "kinds"), rows)
        self.assertEqual(self.repair("kinds", "--delete-extra", "--yes")["looked_at"], 0)

    def test_a_list_is_mended_as_the_rows_are_now(self):
        rows = self.make_damaged("listed")
        path = os.path.join(self.own_folder(), "differences")
        outcome = self.run_words(*self.words("diff", "listed", "--json", "--output", path))
        self.assertEqual((outcome.code, outcome.out), (4, ""), str(outcome))
        self.assertEqual(os.listdir(os.path.dirname(path)), ["differences"])
        self.shell(self.b, "listed", "set h001 s v1")  # mended by somebody else
        self.shell(self.b, "listed", "set h050 s damaged")
        report = self.repair("listed", "--differences", path, code=4)
        self.assertEqual([report[name] for name in ("looked_at", "agreed_before", "missing", "value", "expiry",
                                                    "extra_left")], [5, 1, 0, 1, 1, 2])
        self.assertEqual(self.counts(self.verify("listed")), [0, 2, 1, 0])
        self.repair("listed", "--delete-extra", "--yes")
        self.assertEqual(self.rows_of(self.b, "listed"), rows)

    def test_a_list_with_wrong_lines_changes_nothing(self):
        self.make_damaged("hostile")
        path = os.path.join(self.own_folder(), "differences")
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"kind":"missing","hash_key":"h001","sort_key":"s"}\nmissing "h" : "s"\n\n{"kind":"value"}\n')
        self.failed(2, [path, "line 2", "diff --json", "line 4", "nothing was changed"],
                    *self.words("repair", "hostile", "--differences", path))
        self.assertEqual(self.counts(self.verify("hostile")), [1, 2, 1, 1])
        self.failed(2, [path + "x"], *self.words("repair", "hostile", "--differences", path + "x"))

    def test_live_mends_and_proves(self):
        rows = self.make_damaged("live_repair")
        report = self.repair("live_repair", "--live", "--lag", "200ms", "--delete-extra", "--yes")
        self.assertEqual([report[name] for name in ("missing", "value", "expiry", "extra_deleted", "agree_now")],
                         [1, 1, 1, 2, 5])
        self.assertEqual(self.rows_of(self.b, "live_repair"), rows)


class Options(TwoClusters):
    def test_a_certificate_says_what_was_compared(self):
        self.both("certified", [row("h", "s", "v"), row("h", "t", "v")])
        self.shell(self.b, "certified", "set_app_envs default_ttl 86400")
        folder = self.own_folder()
        path = os.path.join(folder, "certificate")
        printed = self.verify("certified", "--certificate", path)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(json.load(file), printed)
        self.assertEqual(os.listdir(folder), ["certificate"])
        self.assertEqual((printed["verdict"], printed["from"], printed["to"]), ("equal", "A", "B"))
        self.assertRegex(printed["id"], r"^verify-\d{8}-\d+$")
        source, target = printed["source"], printed["target"]
        self.assertEqual((source["meta_servers"], target["meta_servers"]), (self.a.meta, self.b.meta))
        self.assertEqual((source["partitions"], target["partitions"], source["rows"]), (4, 6, 2))
        self.assertEqual((source["envs"], target["envs"]), ({}, {"default_ttl": "86400"}))
        self.assertRegex(source["sum"], "^[0-9a-f]{32}$")
        self.assertEqual(source["sum"], target["sum"])
        self.failed(3, os.path.join(folder, "none"),
                    *self.words("verify", "certified", "--certificate", os.path.join(folder, "none", "x")))

    def test_expiries_within_the_tolerance_agree(self):
        soon = int(time.time()) + 10_000
        self.create(self.a, "tolerant", 2, [row("h", "s", "v", soon)])
        self.create(self.b, "tolerant", 3, [row("h", "s", "v", soon + 2)])
        self.assertEqual(self.verify("tolerant")["expiry"], 1)
        self.assertEqual(self.verify("tolerant", "--expiry-tolerance", "1s")["expiry"], 1)
        report = self.verify("tolerant", "--expiry-tolerance", "2s")
        self.assertTrue(report["equal"])
        self.assertIn("not sums", report["compared"])
        self.assertNotEqual(report["source_sum"], report["target_sum"])
        self.assertIn("not sums", self.done(*self.words("verify", "tolerant", "--expiry-tolerance", "2s")).out)
        for wrong in ("soon", "1500ms", "-1s"):
            self.failed(2, "--expiry-tolerance", *self.words("verify", "tolerant", f"--expiry-tolerance={wrong}"))

    def test_a_sample_compares_few_rows_and_says_which(self):
        self.both("sampled", [row(f"user{i:06}", "s", "v") for i in range(20_000)], 2, 4)
        report = self.verify("sampled", "--sample", "1/32", "--seed", 5)
        sample = report["sample"]
        self.assertEqual((sample["seed"], report["verdict"]), (5, "sample equal"))
        self.assertLess(report["source_rows"], 20_000 / 8)
        self.assertEqual(report["source_sum"], report["target_sum"])
        self.assertIn("nothing is proven about the others", sample["proves"])
        again = self.verify("sampled", "--sample", "1/32", "--seed", 5)
        self.assertEqual(again["source_sum"], report["source_sum"])
        text = self.done(*self.words("verify", "sampled", "--sample", "0.03"))
        self.assertRegex(text.out, r"seed \d+: .*rows were compared, in \d+ slices")
        seed = re.search(r"seed (\d+)", text.out)[1]
        self.assertIn(f"seed {seed}:", self.done(*self.words("verify", "sampled", "--sample", "0.03", "--seed",
                                                             seed)).out)
        self.failed(2, "--sample", *self.words("verify", "sampled", "--sample", "3/2"))
        self.failed(2, "--sample", *self.words("verify", "sampled", "--seed", 5))

    def test_options_that_contradict_are_refused(self):
        self.failed(2, "--live", *self.words("verify", "t", "--lag", "1s"))
        self.failed(2, ["--settle-for", "--lag"], *self.words("verify", "t", "--live", "--settle-for", "1s"))


class Live(TwoClusters):
    def test_writers_in_the_background_are_no_difference(self):
        """Each write comes to the target after the source, as with dual writes."""
        rows = [row(f"h{i:03}", "s", "v") for i in range(300)]
        self.both("live", rows)
        self.shell(self.b, "live", "del h250 s", "set extra s v")
        over = threading.Event()
        passes = []

        def write():
            while not over.is_set():
                commands = [f"set h{i:03} s v{len(passes)}" for i in range(0, 200)]
                for cluster in (self.a, self.b):
                    self.shell(cluster, "live", *commands)
                passes.append(1)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.wait_until(lambda: passes, "a pass of the writer")
            report = self.verify("live", "--live", "--lag", "1500ms")
        finally:
            over.set()
            writer.join()
        self.assertEqual(self.counts(report) + [report["not_settled"]], [1, 1, 0, 0, 0], report)
        self.assertGreaterEqual(report["suspects"], 2)
        found = sorted((one["kind"], one["hash_key"]) for one in report["differences"])
        self.assertEqual(found, [("extra", "extra"), ("missing", "h250")])


class Resumed(TwoClusters):
    """The reads of a table are throttled, so that a kill lands in the middle."""

    ROWS = 24_000

    def begin_and_kill(self, table, verb, *more):
        rows = [row(f"h{i:05}", "s", "v") for i in range(self.ROWS)]
        self.both(table, rows, 2, 4)
        self.shell(self.b, table, "del h00007 s", "set h00011 s other", f"del h{self.ROWS - 1} s")
        self.shell(self.a, table, "set_app_envs replica.read_throttling 1*delay*400")
        journal = os.path.join(self.own_folder(), "journal.db")
        words = [word for word in self.words(verb, table, *more) if word != "--quiet"]
        process = self.background(*words, "--state", journal)
        run = process.stderr_until(rf"run ({verb}-\d+-\d+);")[1]

        def positions():
            with sqlite3.connect(journal) as database:
                return database.execute("SELECT rows, detail FROM units WHERE run = ?", (run,)).fetchall()

        self.wait_until(lambda: len(positions()) == 2 and sum(one[0] for one in positions()) > 4000, "a position")
        process.kill()
        self.assertLess(sum(one[0] for one in positions()), self.ROWS)
        self.shell(self.a, table, "del_app_envs replica.read_throttling")
        return run, ["--state", journal, "--config", self.config, "--quiet"]

    def test_a_killed_verification_goes_on_and_keeps_what_it_found(self):
        run, more = self.begin_and_kill("killed", "verify")
        # Behind the position already: a resumed verification does not read it again.
        self.shell(self.b, "killed", "set h00000 s changed")
        outcome = self.run_words("resume", run, *more, "--json")
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertNotIn("from the beginning", outcome.err)
        report = json.loads(outcome.out)
        self.assertEqual(report["id"], run)
        self.assertEqual(self.counts(report), [2, 0, 1, 0])
        self.assertEqual(report["source_rows"], self.ROWS)
        found = sorted((one["kind"], one["hash_key"]) for one in report["differences"])
        self.assertEqual(found, [("missing", "h00007"), ("missing", f"h{self.ROWS - 1}"), ("value", "h00011")])
        self.failed((1, 2), "has ended", "resume", run, *more)

    def test_another_partition_count_begins_anew(self):
        run, more = self.begin_and_kill("anew", "verify")
        self.done("shell", "--cluster", self.b.meta, "-e", "drop anew")
        self.create(self.b, "anew", 3, [row("h00000", "s", "v")])
        outcome = self.run_words("resume", run, *more, "--json")
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertIn("from the beginning", outcome.err)
        report = json.loads(outcome.out)
        self.assertEqual(self.counts(report), [self.ROWS - 1, 0, 0, 0])
        self.assertEqual(report["target"]["partitions"], 3)

    def test_a_killed_repair_goes_on(self):
        run, more = self.begin_and_kill("mended", "repair")
        outcome = self.done("resume", run, *more, "--json")
        self.assertEqual(json.loads(outcome.out)["rows_compared"], self.ROWS)
        self.assertTrue(self.verify("mended")["equal"])


class Denied(TwoClusters):
    """A table whose app envs deny requests: its servers do not answer them, and every verb that needs them says why."""

    def setUp(self):
        if "denied" not in self.tables_of(self.a):
            self.both("denied", [row("h", "s", "v")], 2, 2)
            self.both("read_only", [row("h", "s", "v")], 2, 2)
            self.shell(self.a, "denied", "set_app_envs replica.deny_client_request reconfig*all")
            self.shell(self.b, "read_only", "set_app_envs replica.deny_client_request timeout*write")

    def test_who_reads_a_table_that_denies_reads_is_told_the_env(self):
        says = ["replica.deny_client_request=reconfig*all denies reads (table 'denied' on cluster A)", "del_app_envs"]
        state = ["--state", os.path.join(self.own_folder(), "journal.db")]
        for code, words in ((1, self.words("verify", "denied", *state)), (1, self.words("diff", "denied")),
                            (1, self.words("repair", "denied", *state)),
                            (3, ["export", "--config", self.config, "--cluster", "A", "--table", "denied", "-"]),
                            (3, ["copy", "--config", self.config, "--from", "A", "--to", "B", "--table", "denied",
                                 "--into-nonempty", *state])):
            self.failed(code, says, *words)

    def test_who_writes_to_a_table_that_denies_writes_is_told_the_env(self):
        says = ["replica.deny_client_request=timeout*write denies writes (table 'read_only' on cluster B)"]
        state = ["--state", os.path.join(self.own_folder(), "journal.db")]
        self.failed(1, says, *self.words("repair", "read_only", *state))
        self.failed(3, says, "import", "--config", self.config, "--cluster", "B", "--table", "read_only", "-",
                    stdin=b'{"hash_key":"h","sort_key":"s","value":"v"}\n')

    def test_what_is_not_needed_may_be_denied(self):
        self.assertTrue(self.verify("read_only")["equal"])
        self.assertEqual(self.diff("read_only"), [])
        self.done(*self.words("repair", "read_only", "--dry-run"))
        self.done("export", "--config", self.config, "--cluster", "B", "--table", "read_only", "-")
