"""Clients write to both clusters while a table is copied with --live: in the end both are equal."""
import random
import threading

import harness
from scenario import PREFLIGHT, USAGE, Scenario, seconds
from tables import many_rows, tsv
from wait import LIMIT_S

ROWS = 30_000
BATCH = 20


class DualWriter(threading.Thread):
    """Writes each batch to the source, then to the target, as an application that writes both does: new rows, and
    new values of rows that are there."""

    def __init__(self, clusters, folder, table="t"):
        super().__init__(daemon=True)
        self.clusters, self.folder, self.table = clusters, folder, table
        self.end, self.batches, self.error = threading.Event(), 0, None
        self.random = random.Random(1)

    def batch(self):
        rows = []
        for _ in range(BATCH):
            number = self.random.randrange(ROWS + ROWS // 10)
            rows.append((f"user{number // 10}", f"field{number % 10:04}", f"written{self.batches}", 0))
        return list({row[:2]: row for row in rows}.values())

    def write(self, cluster, rows):
        outcome = harness.run_program(["import", "--cluster", cluster.meta, "--table", self.table, "--format", "tsv",
                                       "--quiet", "-"], self.folder, stdin=tsv(rows))
        if outcome.code != 0:
            raise AssertionError(str(outcome))

    def run(self):
        try:
            while not self.end.is_set():
                rows = self.batch()
                for cluster in self.clusters:
                    self.write(cluster, rows)
                self.batches += 1
        except Exception as error:  # told by stop()
            self.error = error

    def stop(self):
        self.end.set()
        self.join(LIMIT_S)
        if self.error or self.is_alive():
            raise AssertionError(f"the writer failed: {self.error}")
        return self.batches


class Live(Scenario):
    def cluster_options(self):
        return self.group_options()

    def setUp(self):
        super().setUp()
        self.load(self.a, "t", many_rows(ROWS), 4)
        self.load(self.b, "t", [], 6)
        self.writer = DualWriter((self.a, self.b), self.folder)
        self.addCleanup(self.writer.end.set)
        self.writer.start()
        self.look_until(lambda: self.writer.batches > 1 or self.writer.error, "the first writes")

    LIVE = ("--live", "--dual-written", "--into-nonempty", "--max-rows-per-second", 10_000)

    @seconds(15)
    def test_writers_during_a_live_copy(self):
        copier = self.copier(*self.LIVE)
        outcome = self.finished(copier)
        self.assertRegex(outcome.err, "(?i)remove|delete")  # what it cannot know
        self.note(f"{self.writer.stop()} batches were written meanwhile")
        self.assertGreaterEqual(self.check_equal(), ROWS)

    @seconds(15)
    def test_a_live_copy_is_killed_amid_the_writes(self):
        copier = self.copier(*self.LIVE[:-1], 5_000)
        self.wait_for_rows(copier, ROWS // 2)
        self.kill_hard(copier)
        written = self.writer.batches
        self.look_until(lambda: self.writer.batches > written + 2 or self.writer.error, "writes without a copier")
        self.hurry(copier.run)
        self.resumed(copier.run)
        self.writer.stop()
        self.assertGreaterEqual(self.check_equal(), ROWS)

    def test_live_verification_while_clients_write(self):
        self.finished(self.copier(*self.LIVE))
        words = ["verify", "--from", self.a.meta, "--to", self.b.meta, "--table", "t", "--live"]
        self.done(*words, limit_s=120)
        batches = self.writer.stop()
        self.assertGreater(batches, 1)
        self.check_equal()


class LiveIsRefused(Scenario):
    def test_clusters_of_no_group(self):
        self.load(self.a, "t", many_rows(100), 4)
        self.load(self.b, "t", [], 4)
        self.failed_saying((USAGE, PREFLIGHT), ["duplication-group"], *self.words("--live", "--dual-written", "--into-nonempty"))
        self.assertEqual(self.table(self.b).count(), 0)
