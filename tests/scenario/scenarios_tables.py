"""Tables that are unlike others."""
import os
import time

import harness
from scenario import FUTURE, Scenario, seconds
from tables import many_rows

LONGEST_HASH_KEY = 65534
MEMORY_LIMIT = 256 << 20


class Tables(Scenario):
    def check_copies(self, rows, partitions=3, to_partitions=5):
        """A copy, and what verify says of it."""
        rows = list(rows)
        self.load(self.a, "t", rows, partitions)
        report = self.copied("--create", "--partitions", to_partitions)
        self.assertEqual(report["rows"], len(rows))
        self.assertEqual(self.check_equal(), len(rows))
        self.done("verify", "--from", self.a.meta, "--to", self.b.meta, "--table", "t")

    def test_no_rows(self):
        self.check_copies([])

    def test_one_row(self):
        self.check_copies([("user", "field", "value")])

    def test_one_row_without_keys_and_value(self):
        self.check_copies([("", "", "")])

    def test_keys_of_64_kilobytes(self):
        rows = [("h" * LONGEST_HASH_KEY, "", "v"), ("h" * LONGEST_HASH_KEY, "s" * 65536, "v", FUTURE),
                ("", "s" * 65536, "v"), (b"\xff" * LONGEST_HASH_KEY, b"\xff" * 65536, "")]
        rows += [(f"{number:04}" + "h" * 60_000, "s" * 65_536, str(number)) for number in range(40)]
        self.check_copies(rows)

    def test_a_kill_between_keys_of_64_kilobytes(self):
        rows = [(f"{number:04}" + "h" * 60_000, "s" * 60_000, str(number)) for number in range(200)]
        self.load(self.a, "t", rows, 2)
        copier = self.copier("--create", "--max-rows-per-second", 60)
        self.wait_for_rows(copier, 20)
        self.kill_hard(copier)
        self.assertLess(self.table(self.b).count(), len(rows))
        self.hurry(copier.run)
        self.resumed(copier.run)
        self.assertEqual(self.check_equal(), len(rows))

    def test_binary_keys(self):
        rows = [(bytes([byte]) * size, bytes([255 - byte, byte]) * size, bytes([byte, 0]), FUTURE if byte % 2 else 0)
                for byte in range(256) for size in (1, 2, 7)]
        rows += [(b"\0" * 3 + b"\xff" * size, b"\xff" * (9 - size), b"\0") for size in range(9)]
        rows += [("", bytes([byte]), "v") for byte in range(256)]
        self.check_copies(rows)

    @seconds(40)
    def test_one_hash_key_of_a_million_sort_keys(self):
        rows = 1_000_000
        self.load(self.a, "t", b"".join(b"one\t%07d\tv%d\n" % (number, number) for number in range(rows)), 4)
        report = self.copied("--create", "--partitions", 8, "--full-speed")
        self.assertEqual((report["rows"], self.check_equal()), (rows, rows))

    @seconds(12)
    def test_rows_that_expire_on_the_way(self):
        count, soon = 12_000, int(time.time()) + 3
        rows = list(many_rows(count))
        # Some go before the copy comes to them, some while it has them, some later, most never.
        rows = [(*row[:3], soon + place % 4 if place % 2 else FUTURE if place % 3 else 0)
                for place, row in enumerate(rows)]
        self.load(self.a, "t", rows, 4)
        report = self.copied("--create", "--partitions", 3, "--max-rows-per-second", 2_000)
        self.look_until(lambda: self.table(self.a).count() == self.table(self.b).count() == count // 2,
                        "the last expiry", pause_s=0.2)
        self.assertEqual(self.check_equal(), count // 2)
        self.assertTrue(count // 2 <= report["rows"] < count, report)
        # Those that have gone since: nowhere did one get another expiry.
        source, target = self.table(self.a).rows(now=0), self.table(self.b).rows(now=0)
        self.assertEqual({key: target[key] for key in target}, {key: source[key] for key in target})

    def test_all_rows_have_expired(self):
        past = int(time.time()) - 10
        self.load(self.a, "t", [(*row[:3], past) for row in many_rows(1000)], 4)
        self.assertEqual(self.copied("--create")["rows"], 0)
        self.assertEqual(self.table(self.b).count(now=0), 0)


class Memory(Scenario):
    ROWS = 3_000

    def peak(self, words):
        """Runs the copier; the largest memory that it had at a time, in bytes."""
        pid = os.posix_spawn(harness.PROGRAM, [harness.PROGRAM, *map(str, words)], harness.environment(self.folder),
                             file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)])
        _, status, usage = os.wait4(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        return usage.ru_maxrss << 10

    @seconds(30)
    def test_values_of_100_kilobytes_need_little_memory(self):
        path = os.path.join(self.folder, "rows.tsv")
        with open(path, "wb") as file:
            for number in range(self.ROWS):
                file.write(b"user%d\tfield\t%s\n" % (number, os.urandom(50_000).hex().encode()))
        self.done("import", "--cluster", self.a.meta, "--table", "t", "--create", "--partitions", 8, "--format", "tsv",
                  "--quiet", path, limit_s=120)
        os.remove(path)
        for name, more in (("plain", ["--full-speed"]), ("multi_set", ["--multi-set", "--full-speed"])):
            peak = self.peak(self.words("--create", "--to-table", name, "--quiet", *more))
            self.note(f"{name}: {peak >> 20} MiB at most")
            self.assertLess(peak, MEMORY_LIMIT)
            self.assertEqual(self.check_equal("t", name), self.ROWS)
