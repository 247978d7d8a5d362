"""Each run of an old journal that is not over is resumed by this program and ends as one that nobody disturbed."""
import json
import os

from old_world import OldWorld

DONE, FAILED, PREFLIGHT, INTERRUPTED = 0, 1, 3, 7
OVER = {"done", "sampled", "differs", "extra_left", "extra_deleted", "cancelled"}
CANCELLED = {"half_cancelled", "cancel_failed"}  # by a request that the process before did not obey


class Resume(OldWorld):
    def each(self, method, check):
        """Calls `check` with those that are to end done."""
        for name, run in self.of(method).items():
            if name not in OVER | CANCELLED:
                with self.subTest(run=run, situation=f"{method}_{name}"):
                    check(name, run)

    def resume(self, run, code=DONE, state="done"):
        outcome = self.pegmove("resume", run, "--quiet")
        self.assertEqual((outcome.code, self.state(run)), (code, state), str(outcome))
        return outcome

    def check_over(self, method):
        for name, run in self.of(method).items():
            if name in OVER:
                with self.subTest(run=run, situation=f"{method}_{name}"):
                    state = self.state(run)
                    self.assertEqual(state, "cancelled" if name == "cancelled" else "done")
                    refused = self.pegmove("resume", run)
                    self.assertEqual((refused.code, refused.out), (FAILED, ""), str(refused))
                    self.assertIn(f"run {run} has ended: it is {state}", refused.err)

    def check_cancelled(self, method):
        """The cancel that was asked for is carried out."""
        for name, run in self.of(method).items():
            if name in CANCELLED:
                with self.subTest(run=run, situation=f"{method}_{name}"):
                    self.resume(run, INTERRUPTED, "cancelled")

    def test_copy(self):
        def check(name, run):
            if name == "source_gone":
                refused = self.resume(run, PREFLIGHT, "killed")
                self.assertIn("'gone'", refused.err)
                return
            if name != "killed_set":
                self.assertEqual(self.pegmove("set", run, "max-rows-per-second=0").code, DONE)
            self.resume(run)
            found, wanted = self.rows("B", "copy_" + name), dict(self.source)
            if name == "killed_plain":
                wanted = self.rows("A", "one")
            if name == "live":  # what clients wrote there
                wanted["written", ""] = ("only here", None)
            if name == "killed_filtered":
                wanted = {key: row for key, row in wanted.items() if key[0].startswith("user1")}
            self.assertEqual(found, wanted)
            self.assertEqual(self.status(run)["rows"], len(wanted) - (name == "live"))

        self.each("copy", check)
        self.check_cancelled("copy")
        self.check_over("copy")

    def test_what_was_set_before_holds(self):
        options = self.status(self.runs["copy_killed_set"])["options"]
        self.assertEqual(options["max_rows_per_second"], 60)
        self.assertEqual(self.world.ask("SELECT name, value FROM changes WHERE run = ? ORDER BY name",
                                        self.runs["copy_killed_set"]),
                         [("full-speed", "true"), ("max-rows-per-second", "100000")])

    def test_verify(self):
        def check(name, run):
            outcome = self.resume(run)
            self.assertIn("Equal: all 300 rows", outcome.out)
            if name == "killed":
                with open(os.path.join(self.folder, "certificate.json"), encoding="utf-8") as file:
                    self.assertTrue(json.load(file)["equal"])

        self.each("verify", check)
        self.check_cancelled("verify")
        self.check_over("verify")

    def test_repair(self):
        def check(name, run):
            self.assertNotEqual(self.rows("B", "repair_" + name), self.source)
            self.resume(run)
            self.assertEqual(self.rows("B", "repair_" + name), self.source)

        self.each("repair", check)
        self.check_cancelled("repair")
        self.check_over("repair")

    def test_backup(self):
        def check(name, run):
            self.resume(run)
            report = self.status(run)["result"]
            self.assertEqual(report["table"], self.status(run)["table"])
            self.world.done("backups", "verify", "--store", "objects", "--backup", report["backup_id"])

        self.each("backup", check)
        self.check_over("backup")

    def test_backup_to_be_cancelled(self):
        # Under way or whole by then, which the cluster decides.
        run = self.runs["backup_half_cancelled"]
        outcome = self.resume(run, INTERRUPTED, "cancelled")
        self.assertRegex(outcome.err, "was ended on the cluster|is complete and stays")

    def test_restore(self):
        def check(name, run):
            self.resume(run)
            self.assertEqual(self.rows("B", "restore_" + name), self.source)

        self.each("restore", check)
        self.check_cancelled("restore")
        self.check_over("restore")

    def test_split(self):
        def check(name, run):
            table = "split_" + name
            self.resume(run)
            self.assertEqual(self.status(run)["result"]["rows"]["written"], 300)
            self.world.done("load", "--from", "objects:/split", "--to", "B", "--table", table, "--quiet",
                            "--state", os.path.join(self.folder, "other.db"))
            self.assertEqual(self.rows("B", table), self.source)

        self.each("split", check)
        self.check_cancelled("split")
        self.check_over("split")

    def test_load(self):
        def check(name, run):
            self.resume(run)
            wanted = dict(self.source)
            if name == "behind":
                wanted["user0", "field0"] = ("newer", None)
            self.assertEqual(self.rows("B", "load_" + name), wanted)
            self.assertEqual(self.scenario("load_" + name), "normal")

        self.each("load", check)
        for name in CANCELLED:
            run, table = self.runs["load_" + name], "load_" + name
            with self.subTest(run=run, situation=table):
                self.pegmove("resume", run, "--quiet")
                # It was under way, and may have come to its end.
                loaded = self.load(table)["status"] == "BLS_SUCCEED"
                self.assertEqual(self.state(run), "done" if loaded else "cancelled")
                self.assertEqual(self.rows("B", table), self.source if loaded else {})
                self.assertEqual(self.scenario(table), "normal", "what was set for the load is not put back")
        self.check_over("load")
