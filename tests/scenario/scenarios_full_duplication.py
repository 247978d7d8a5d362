"""Full duplications (`add_dup -s`) through kills of either cluster at each of their steps: in the end the target has
every row from before and since."""
import signal

from backups import steps
from duplicated import PARTITIONS, Duplicated
from scenario import seconds
from wait import until

ROWS = 200


class FullDuplication(Duplicated):
    def start_to_die_at(self, cluster, step):
        """The cluster anew, which will kill itself, as kill -9 does, when the step is done."""
        cluster.stop()
        cluster.more += ["--die-at", step]
        cluster.start()

    def wait_for_death(self, cluster, step):
        code = cluster.process.process.wait(timeout=60)
        self.assertEqual(code, -signal.SIGKILL, f"{step} was not reached")
        cluster.kill()
        del cluster.more[-2:]
        cluster.start()

    def fill(self, table):
        self.make(self.a, table=table)
        client = self.client(self.a, table)
        for number in range(ROWS):
            client.put(f"row{number}".encode(), f"{table}{number}".encode())

    def duplicate(self, table):
        # The answer may be lost with the server.
        self.run_words("shell", "--cluster", self.a.meta, "-e", f"add_dup {table} B -s")

    def ships(self, table):
        return "DS_LOG" in self.run_words("shell", "--cluster", self.a.meta, "-e", f"query_dup {table}").out

    def finish(self, table):
        until(lambda: self.ships(table), f"the duplication of {table} in DS_LOG")
        client = self.client(self.a, table)
        for number in range(8 * PARTITIONS):
            client.put(f"since{number}".encode(), b"since")
        self.assertEqual(self.wait_for_equal(table), ROWS + 8 * PARTITIONS)

    def killed_at_every_step(self, cluster, kind):
        names = steps(kind, "duplication/failpoints.h")
        self.assertGreaterEqual(len(names), 5, names)
        for number, step in enumerate(names):
            table = f"t{number}"
            self.fill(table)
            self.start_to_die_at(cluster, step)
            self.duplicate(table)
            self.wait_for_death(cluster, step)
            self.finish(table)
        self.note(f"{len(names)} steps: {', '.join(names)}")

    @seconds(60)
    def test_full_dup_target_killed_at_every_step(self):
        self.killed_at_every_step(self.b, "follower")

    @seconds(40)
    def test_full_dup_source_killed_at_every_step(self):
        self.killed_at_every_step(self.a, "dup")

    @seconds(15)
    def test_full_dup_under_load(self):
        """No write that was acknowledged before, during or after the copy is missing."""
        self.make(self.a)
        writers = self.write_to(self.a, "vwxy")
        self.wait_for_writes(writers, 500)
        self.duplicate("t")
        until(lambda: self.ships("t"), "the duplication in DS_LOG")
        self.wait_for_writes(writers, 300)
        self.stop_writers()
        rows = self.wait_for_equal()
        for cluster in (self.a, self.b):
            self.assertGreater(self.check_acknowledged(cluster, writers), 500)
        self.note(f"{rows} rows")
