"""Each run of an old journal that is not over is cancelled by this program. Jobs of clusters are under way meanwhile."""
from old_world import OF_BACKUPS, OF_LOADS, OF_RESTORES, OldWorld
from wait import until

OVER = {"done", "sampled", "differs", "extra_left", "extra_deleted", "cancelled"}
NOT_BEGUN = {"planned", "untouched"}  # nothing was done that could be undone


class Cancel(OldWorld):
    held = (OF_BACKUPS, OF_RESTORES, OF_LOADS)

    def each(self, method, check):
        """Calls `check` with those that are not over."""
        for name, run in self.of(method).items():
            with self.subTest(run=run, situation=f"{method}_{name}"):
                if name in OVER:
                    self.check_over(run)
                else:
                    check(name, run)

    def check_over(self, run):
        state = self.state(run)
        self.assertIn(state, ("done", "cancelled"))
        for verb in ("cancel", "pause"):
            refused = self.pegmove(verb, run)
            self.assertEqual((refused.code, refused.out), (1, ""), str(refused))
            self.assertIn(f"run {run} has ended ({state})", refused.err)

    def cancel(self, run):
        """Returns what it says that it did, which the journal keeps."""
        outcome = self.pegmove("cancel", run)
        self.assertEqual((outcome.code, outcome.out), (0, f"Run {run} is cancelled.\n"), str(outcome))
        kept = self.status(run)
        self.assertEqual(kept["state"], "cancelled")
        says = [each["says"] for each in kept["result"]["cancelled"]]
        self.assertEqual([line.removeprefix("pegmove: ") for line in outcome.err.splitlines()], says)
        return " ".join(says)

    def test_copy(self):
        def check(name, run):
            before = self.status(run)["rows"]
            says, table = self.cancel(run), "copy_" + name
            if name in NOT_BEGUN:
                self.assertEqual(says, "")
            if table not in self.tables():
                self.assertNotIn("stays", says)
                return
            if name in ("live", "nonempty"):
                self.assertNotIn("drop it", says, "the run has not made the table")
            else:
                self.assertRegex(says, rf"{table} on \S+( may have been created by this run|, which this run created, stays)")
            self.assertEqual("the source is unchanged" in says, before > 0)
            if before > 0:
                self.assertIn(f"({before} according to the journal)", says)
                self.assertGreaterEqual(len(self.rows("B", table)), before)

        self.each("copy", check)

    def test_verify(self):
        self.each("verify", lambda _, run: self.assertEqual(self.cancel(run), ""))

    def test_repair(self):
        def check(name, run):
            says = self.cancel(run)
            if name in NOT_BEGUN:
                self.assertEqual(says, "")
            else:
                self.assertIn("rows that were repaired stay", says)

        self.each("repair", check)

    def test_backup(self):
        ended = []

        def check(name, run):
            table = self.status(run)["table"]
            state = (self.job(table) or {"state": None})["state"]
            says = self.cancel(run)
            if name in NOT_BEGUN:
                self.assertEqual((says, state), ("", None))
            elif state is None:
                self.assertIn("had not started", says)
            elif state == "running":
                self.assertIn("was ended on the cluster, which removes what was uploaded", says)
                ended.append(table)
            elif state == "failed":
                self.assertEqual(says, "", "nothing is left of it")
            else:
                self.assertEqual(state, "done")
                self.assertIn("is complete and stays", says)
                self.assertTrue(self.stored(table))

        self.each("backup", check)
        self.assertEqual(len(ended), 7)
        self.world.objects.release(OF_BACKUPS)  # what waits for a place among the uploads hears of its end then
        for table in ended:
            until(lambda: self.job(table)["state"] == "cancelled", f"the end of the backup of {table}")
            until(lambda: not self.stored(table), f"the end of what was uploaded of {table}")

    def stored(self, table):
        return [key for key in self.world.objects.keys() if f"/{table}_" in key]

    def test_restore(self):
        def check(name, run):
            says, table = self.cancel(run), "restore_" + name
            if name in NOT_BEGUN:
                self.assertEqual(says, "")
            elif name == "not_asked":
                self.assertIn("had not started", says)
            elif name == "refused":
                self.assertEqual((says, table in self.tables()), ("", False))
            else:
                self.assertIn(f"table {table} ", says)
                self.assertIn("drop it if you do not need it", says)
                self.assertIn(table, self.tables())

        self.each("restore", check)

    def test_split(self):
        def check(name, run):
            says = self.cancel(run)
            if name in NOT_BEGUN:
                self.assertEqual(says, "")
            else:
                self.assertIn(f"objects:/split/B/split_{name}", says)

        self.each("split", check)

    def test_load(self):
        def check(name, run):
            table = "load_" + name
            if name == "paused":
                self.fail_on_cluster(table)
            under_way = (self.load(table) or {"is_over": True})["is_over"] is False
            if name == "killed_ended":
                self.check_too_late(run, table)
                return
            says = self.cancel(run)
            if name in NOT_BEGUN:
                self.assertEqual((says, self.scenario(table)), ("", None))
                return
            if name == "refused":  # what was set for it has been put back before
                self.assertEqual((says, self.scenario(table)), ("", "normal"))
                return
            self.assertIn(f"of table {table} and the meta servers' function level are restored", says)
            self.assertEqual(self.scenario(table), "bulk_load" if name == "behind" else "normal")
            if under_way:
                self.assertIn("the load was ended on the cluster", says)
            self.assertNotEqual((self.load(table) or {"status": None})["status"], "BLS_SUCCEED")
            self.assertEqual(self.rows("B", table),
                             {("user0", "field0"): ("newer", None)} if name == "behind" else {})

        self.each("load", check)

    def fail_on_cluster(self, table):
        """The load fails before its run is cancelled, and nobody is told so."""
        self.world.objects.refuse(f"^GET .*/{table}/.*sst$")
        until(lambda: self.load(table)["is_over"], f"the failure of the load of {table}")

    def check_too_late(self, run, table):
        """The load has come to its end: the run does, too."""
        outcome = self.pegmove("cancel", run)
        self.assertEqual((outcome.code, outcome.out), (1, f"Run {run} is done.\n"), str(outcome))
        self.assertIn("it was too late to cancel", outcome.err)
        self.assertEqual(self.scenario(table), "normal")
        self.assertEqual(self.rows("B", table), self.source)
