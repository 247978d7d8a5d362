"""A table is duplicated while clients write, and servers are killed: no acknowledged write is missing on the target.
KILLS is how often the source is killed."""
import os
import random
import time

from duplicated import INCR, PARTITIONS, Duplicated, incr_body
from scenario import seconds
from tables import StoredTable

KILLS = int(os.environ.get("KILLS", "20"))
DISABLED = "ERR_OPERATION_DISABLED"


class Duplication(Duplicated):
    def setUp(self):
        super().setUp()
        self.make(self.a, self.b)

    def finish(self, writers, least=1):
        """Writers are stopped; then nothing that was acknowledged is missing on either side."""
        self.stop_writers()
        rows = self.wait_for_equal()
        for cluster in (self.a, self.b):
            self.assertGreaterEqual(self.check_acknowledged(cluster, writers), least)
        self.note(f"{self.acknowledged(writers)} acknowledged writes, {rows} rows")
        return rows

    @seconds(30)
    def test_dup_source_killed(self):
        self.add_dup(self.a, self.b)
        writers, chance = self.write_to(self.a, "vwxy"), random.Random(KILLS)
        for _ in range(KILLS):
            # Now and then before anything is written since the start.
            self.wait_for_writes(writers, chance.choice((0, 5, 50, 200, 400)))
            self.kill_and_start(self.a)
        self.wait_for_writes(writers, 100)
        self.finish(writers, least=100)

    @seconds(15)
    def test_dup_target_killed(self):
        self.add_dup(self.a, self.b)
        writers, chance = self.write_to(self.a, "vwxy"), random.Random(1)
        for _ in range(8):
            self.wait_for_writes(writers, chance.choice((0, 20, 200, 400)))
            self.kill_and_start(self.b)
        self.wait_for_writes(writers, 100)
        self.finish(writers)

    @seconds(10)
    def test_dup_target_away_and_back(self):
        """Also when the source is killed meanwhile: the backlog is on its disk."""
        self.add_dup(self.a, self.b)
        writers = self.write_to(self.a, "wxy")
        self.wait_for_writes(writers, 200)
        self.b.kill()
        self.wait_for_writes(writers, 1000)
        self.kill_and_start(self.a)
        self.wait_for_writes(writers, 500)
        self.b.start()
        self.wait_for_writes(writers, 100)
        self.finish(writers)

    @seconds(10)
    def test_dup_add_under_load(self):
        """What began after add_dup was answered is on the target; what was before is not its business."""
        writers = self.write_to(self.a, "vwxy", hot_keys=0)
        self.wait_for_writes(writers, 300)
        self.add_dup(self.a, self.b)
        answered_ns = time.monotonic_ns()
        self.wait_for_writes(writers, 500)
        self.stop_writers()
        client = self.client(self.a)
        marks = [f"mark{number}".encode() for number in range(8 * PARTITIONS)]
        for mark in marks:
            client.put(mark, b"last")
        for mark in marks:
            self.row_arrives(self.b, mark, b"last")  # each partition's last one: what was before it has come, too
        self.assertGreaterEqual(self.check_acknowledged(self.b, writers, answered_ns), 300)

    @seconds(10)
    def test_dup_first_writes_of_empty_tables(self):
        """The first write of a partition, right behind the answer of add_dup."""
        for number in range(4):
            table = f"empty{number}"
            self.make(self.a, self.b, table=table)
            client = self.client(self.a, table)
            self.add_dup(self.a, self.b, table=table)
            for key in range(4 * PARTITIONS):
                client.put(f"key{key}".encode(), b"first")
            self.assertEqual(self.wait_for_equal(table), 4 * PARTITIONS)

    @seconds(10)
    def test_dup_pause_start_remove(self):
        """What is written to another table afterwards has arrived when it is looked that this has not."""
        self.make(self.a, self.b, table="mark")
        self.add_dup(self.a, self.b, table="mark")
        dup, client, mark = self.add_dup(self.a, self.b), self.client(self.a), self.client(self.a, "mark")

        def absent(key, step):
            mark.put(step, b"x")
            self.row_arrives(self.b, step, b"x", table="mark")
            self.assertEqual(StoredTable(self.b, "t").count() - self.arrived, 0, f"{key} has been shipped")
        client.put(b"before", b"1")
        self.row_arrives(self.b, b"before", b"1")
        self.arrived = 1
        self.assertIn("succeed", self.shell(self.a, f"pause_dup t {dup}"))
        self.assertIn("DS_PAUSE", self.shell(self.a, "query_dup t"))
        client.put(b"paused", b"2")
        absent("paused", b"step1")
        self.kill_and_start(self.a)  # it stays paused
        absent("paused", b"step2")
        self.assertIn("succeed", self.shell(self.a, f"start_dup t {dup}"))
        self.row_arrives(self.b, b"paused", b"2")
        self.arrived = 2
        self.assertIn("succeed", self.shell(self.a, f"remove_dup t {dup}"))
        client.put(b"removed", b"3")
        absent("removed", b"step3")
        self.assertEqual(client.ask(INCR, b"counter", incr_body(b"counter")), ("ERR_OK", 0))
        self.assertNotIn(str(dup), self.shell(self.a, "query_dup t"))
        self.kill_and_start(self.a)
        absent("removed", b"step4")

    def test_dup_refuses_incr_at_once(self):
        client = self.client(self.a)
        self.assertEqual(client.ask(INCR, b"counter", incr_body(b"counter")), ("ERR_OK", 0))
        self.add_dup(self.a, self.b)
        for number in range(4 * PARTITIONS):
            key = f"counter{number}".encode()
            self.assertEqual(client.ask(INCR, key, incr_body(key))[0], DISABLED)
        self.kill_and_start(self.a)
        client = self.client(self.a)
        for number in range(4 * PARTITIONS):
            key = f"counter{number}".encode()
            self.assertEqual(client.ask(INCR, key, incr_body(key))[0], DISABLED)

    @seconds(15)
    def test_dup_both_sides_written(self):
        """At the same time, other keys on each side. Real servers lose acknowledged rows here."""
        self.add_dup(self.a, self.b)
        self.add_dup(self.b, self.a)
        writers = self.write_to(self.a, ["a1", "a2"]) + self.write_to(self.b, ["b1", "b2"])
        self.wait_for_writes(writers, 2000)
        self.finish(writers, least=500)

    @seconds(20)
    def test_dup_both_sides_written_and_killed(self):
        self.add_dup(self.a, self.b)
        self.add_dup(self.b, self.a)
        writers = self.write_to(self.a, ["a1", "a2"]) + self.write_to(self.b, ["b1", "b2"])
        chance = random.Random(2)
        for cluster in [self.a, self.b] * 4:
            self.wait_for_writes(writers, chance.choice((10, 100, 300)))
            self.kill_and_start(cluster)
        self.wait_for_writes(writers, 100)
        self.finish(writers)
