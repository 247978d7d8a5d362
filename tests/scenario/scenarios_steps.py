"""Runs of every method, killed with -9 at every failpoint of the engine: before a step acts, after it has
acted, after it is journaled, and the same while a cancel undoes them. Resumed, or cancelled again, they end
as undisturbed ones do."""
import json
import os
import signal

from backups import Backups
from scenario import seconds
from tables import many_rows

FORWARD = ("begun", "acted", "done")
BACKWARD = ("undoing", "undo-acted", "undone")


class StepKills(Backups):
    REPLICAS = (1, 1)
    ROWS = 400

    def setUp(self):
        super().setUp()
        self.load(self.a, "t", many_rows(self.ROWS, value_size=50), self.PARTITIONS)
        self.clusters = os.path.join(self.folder, "clusters.ini")
        with open(self.config, encoding="utf-8") as servers, open(self.clusters, "w", encoding="utf-8") as file:
            file.write(servers.read() + f"\n[pegasus.clusters]\nA = {self.a.meta}\nB = {self.b.meta}\n")
        self.common = ["--config", self.clusters, "--state", self.state]
        self.number = 0

    def new_table(self):
        self.number += 1
        return f"c{self.number}"

    def steps_of(self, words):
        """The steps of a run, as its dry run shows them."""
        return json.loads(self.done(*words, *self.common, "--dry-run", "--json").out)

    def last_run(self):
        return self.journal.ask("SELECT id FROM runs ORDER BY number DESC LIMIT 1")[0][0]

    def state_of(self, run):
        return self.journal.run(run)[0]

    def die(self, words, point):
        outcome = self.run_words(*words, *self.common, "--quiet", "--die-at", point)
        self.assertEqual(outcome.code, -signal.SIGKILL, f"{point}: {outcome}")
        return self.last_run()

    def killed_at_every_step(self, words_for, check):
        """words_for(table): a verb that makes or fills it; check(table) when the run has ended."""
        steps = [step["step"] for step in self.steps_of(words_for(self.new_table()))]
        points = [f"{step}.{point}" for step in steps for point in FORWARD]
        for point in points[:-1]:  # the last step is done when the run is
            table = self.new_table()
            run = self.die(words_for(table), point)
            self.done("resume", run, *self.common, "--quiet")
            self.assertEqual(self.state_of(run), "done", point)
            check(table)
        self.note(f"{len(points) - 1} kills: {', '.join(steps)}")

    def cancelled_at_every_step(self, words_for, begin_at, undone, check):
        """A run that died at a point, cancelled by processes that die at every failpoint of the undo."""
        for point in ["cancelling", *(f"{step}.{point}" for step in undone for point in BACKWARD), "cancelled"]:
            table = self.new_table()
            run = self.die(words_for(table), begin_at)
            outcome = self.run_words("cancel", run, *self.common, "--die-at", point)
            self.assertEqual(outcome.code, -signal.SIGKILL, f"{point}: {outcome}")
            if point != "cancelled":
                self.assertEqual(self.state_of(run), "cancelling", point)
                self.done("cancel", run, *self.common)
            self.assertEqual(self.state_of(run), "cancelled", point)
            check(table)

    def copy_words(self, table, *more):
        return ["copy", "--from", "A", "--to", "B", "--table", "t", "--to-table", table, "--create", "--partitions", "6", *more]

    def is_copied(self, table):
        self.assertEqual(self.check_equal("t", table), self.ROWS)

    @seconds(25)
    def test_copy_killed_at_every_failpoint(self):
        self.killed_at_every_step(self.copy_words, self.is_copied)
        self.cancelled_at_every_step(self.copy_words, "copy-rows.acted", ["copy-rows", "make-target"], self.is_copied)

    @seconds(60)
    def test_copy_through_a_backup_killed_at_every_failpoint(self):
        self.killed_at_every_step(
            lambda table: self.copy_words(table, "--through", "backup", "--store", "local", "--work-dir", self.folder),
            self.is_copied)

    @seconds(30)
    def test_backup_and_restore_killed_at_every_failpoint(self):
        backup = ["backup", "--from", "A", "--table", "t", "--store", "local"]
        made = []

        def is_another(_):
            result = json.loads(self.done("status", self.last_run(), *self.common[2:], "--json").out)["result"]
            made.append(result["backup_id"])
        self.killed_at_every_step(lambda _: backup, is_another)
        self.assertEqual(len(set(made)), len(made), "a run took another one's backup for its own")
        restore = lambda table: ["restore", "--to", "A", "--store", "local", "--cluster", "ClusterA", "--table", "t",
                                 "--to-table", table]
        self.killed_at_every_step(
            restore, lambda table: self.assertEqual(self.check_equal("t", table, target=self.a), self.ROWS))

    def split_words(self, table):
        if table not in self.shell("ls"):
            self.shell(f"create {table} -p 6")
        return ["split", "--from", "local:/ClusterA", "--table", "t", "--to", "local:/split", "--cluster", "A",
                "--to-table", table, "--work-dir", self.folder]

    def load_words(self, table):
        if table not in self.shell("ls"):
            self.done(*self.split_words(table), *self.common, "--quiet")
        return ["load", "--from", "local:/split", "--to", "A", "--table", table]

    def scenario_of(self, table):
        return "rocksdb.usage_scenario" in self.shell(f"use {table}; get_app_envs") and \
            [line for line in self.shell(f"use {table}; get_app_envs").splitlines() if "usage_scenario" in line][0]

    @seconds(60)
    def test_split_and_load_killed_at_every_failpoint(self):
        self.backed_up()
        self.killed_at_every_step(self.split_words, lambda _: None)

        def is_loaded(table):
            self.assertEqual(self.check_equal("t", table, target=self.a), self.ROWS)
            self.assertIn("normal", self.scenario_of(table))
        self.killed_at_every_step(self.load_words, is_loaded)
        self.cancelled_at_every_step(self.load_words, "prepare-table.done", ["prepare-table"],
                                     lambda table: self.assertIn("normal", self.scenario_of(table)))

    @seconds(20)
    def test_verify_and_repair_killed_at_every_failpoint(self):
        self.done(*self.copy_words("same"), *self.common, "--quiet")
        pair = ["--from", "A", "--to", "B", "--table", "t", "--to-table", "same"]
        self.killed_at_every_step(lambda _: ["verify", *pair], lambda _: None)
        repair = ["repair", *pair]
        for point in FORWARD[:-1]:
            self.shell("use same; set user1 field9 wrong", self.b)
            run = self.die(repair, f"repair.{point}")
            self.run_words("resume", run, *self.common, "--quiet")
            self.assertEqual(self.state_of(run), "done", point)
        self.assertEqual(self.run_words("verify", *pair, *self.common, "--quiet").code, 4, "the extra row stays")
