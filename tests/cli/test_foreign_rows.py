"""Rows in partitions to which their keys do not belong: no verb takes them for rows of the table."""
import json
import os
import re
import struct

from crc64 import crc64
from harness import CliTest, row, sorted_rows
from wire_client import RDSN, Wire

PUT = "RPC_RRDB_RRDB_PUT"
OLD, STRAYS = 100, ("only here", "and here")


def put_body(hash_key, sort_key, value):
    key = struct.pack(">H", len(hash_key)) + hash_key + sort_key
    fields = b"".join(struct.pack(">bhI", 12, number, len(data)) + data for number, data in ((1, key), (2, value)))
    return b"\x0c\0\0" + fields + struct.pack(">bhi", 8, 3, 0) + b"\0\0"


class ForeignRows(CliTest):
    """A table of four partitions that was split from two, and whose servers have not removed what was left."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = os.path.join(cls.folder, "config.ini")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.local]\ntype = local_service\nargs = {cls.folder}/store\n"
                       "[duplication-group]\nA = 1\nB = 2\n")
        cls.a = cls.shared_cluster("A", more=["--config", cls.config])
        cls.b = cls.shared_cluster("B", more=["--config", cls.config])
        with open(cls.config, "a", encoding="utf-8") as file:
            file.write(f"[pegasus.clusters]\nA = {cls.a.meta}\nB = {cls.b.meta}\n")
        cls.rows = [row(f"user{i}", "s", f"new{i}") for i in range(2 * OLD)] + [row("", "no hash key", "new")]
        cls.foreign = OLD + 1 + len(STRAYS)

    def setUp(self):
        self.words = ["--config", self.config, "--state", os.path.join(self.folder, "journal.db"), "--quiet"]
        if "t" in self.tables_of(self.a):
            return
        self.create(self.a, "t", 4, self.rows)
        self.put_foreign("user", [f"user{i}" for i in range(OLD)], "s")
        self.put_foreign("stray", STRAYS, "s")
        self.put_foreign("no hash key", [""], "no hash key")

    def put_foreign(self, what, hash_keys, sort_key):
        """Raw requests to the partition beside the keys' own."""
        app_id = int(re.search(r"app_id *: (\d+)", self.shell("use t; exist h s").err)[1])
        for hash_key in hash_keys:
            own = crc64((hash_key or sort_key).encode()) % 4
            wire = Wire(self.a.replicas[0], RDSN, app_id, own ^ 2)
            reply = wire.ask(PUT, put_body(hash_key.encode(), sort_key.encode(), b"stale"))
            wire.close()
            status, = struct.unpack(">i", reply.body[6:10])
            self.assertEqual((reply.error, status), ("ERR_OK", 0), what)

    def shell(self, commands, cluster="A"):
        return self.run_words("shell", "--config", self.config, "--cluster", cluster, "-e", commands)

    def between(self, *more):
        return ["--from", "A", "--to", "B", *self.words, *more]

    def check_report(self, report, prefix=""):
        self.assertEqual((report[prefix + "foreign_rows"], report[prefix + "foreign_rows_read"],
                          report[prefix + "stray_rows"]), (self.foreign, self.foreign, len(STRAYS)))
        self.assertEqual(sorted(key["hash_key"] for key in report[prefix + "stray_keys"]), sorted(STRAYS))

    def test_a_copy_has_the_rows_of_the_table_alone(self):
        for way in ("plain", "duplicate"):
            for partitions in (4, 8, 3):
                table = f"{way}{partitions}"
                report = json.loads(self.done("copy", *self.between("--json"), "--table", "t", "--to-table", table, "--create",
                                              "--partitions", partitions, "--through", way).out)
                self.check_report(report)
                self.assertEqual(report["rows"], len(self.rows))
                self.assertEqual(self.rows_of(self.b, table), sorted_rows(self.rows))
                compared = json.loads(self.done("verify", *self.between("--json"), "--table", "t", "--to-table", table).out)
                self.assertEqual((compared["missing"], compared["extra"], compared["foreign_rows"]), (0, 0, self.foreign))
                self.check_report(compared["source"])
                self.assertEqual(compared["target"]["foreign_rows"], 0)

    def test_they_are_told_to_people_too(self):
        outcome = self.done("copy", *self.between(), "--table", "t", "--to-table", "said", "--create")
        self.assertIn(f"Left out: {self.foreign} foreign rows of table t on A", outcome.out)
        self.assertIn('stray    "only here" : "s"', outcome.out)
        status = self.done("status", re.search(r"copy-\d+-\d+", self.done("list", *self.words[2:4]).out)[0], "--json",
                           *self.words[2:4])
        self.assertIn('"foreign_rows": ' + str(self.foreign), status.out)
        verified = self.done("verify", *self.between(), "--table", "t", "--to-table", "said")
        self.assertIn(f"Left out: {self.foreign} foreign rows of table t on A", verified.out)

    def test_an_export_has_each_key_once(self):
        file = os.path.join(self.own_folder(), "rows.jsonl")
        words = ["export", "--config", self.config, "--cluster", "A", "--table", "t", "--quiet", file]
        self.check_report(json.loads(self.done(*words, "--json").out))
        with open(file, encoding="utf-8") as lines:
            self.assertEqual(sorted_rows(json.loads(line) for line in lines), sorted_rows(self.rows))
        self.assertIn("foreign rows of table t", self.done(*words).err)

    def split(self, table, *origin):
        self.shell(f"create {table} -p 3", "B")
        return json.loads(self.done("split", *origin, "--table", "t", "--to", f"local:/{table}", "--cluster", "B",
                                    "--to-table", table, *self.words, "--json").out)

    def test_a_split_of_a_scan_or_a_backup_can_be_loaded(self):
        backup = json.loads(self.done("backup", "--from", "A", "--store", "local", "--table", "t", "--json", *self.words).out)
        for table, origin in (("scanned", ["--from-cluster", "A"]), ("backed", ["--from", "local:/A"])):
            report = self.split(table, *origin)
            self.check_report(report)
            self.assertEqual(report["rows"]["written"], len(self.rows), backup)
            self.done("load", "--from", f"local:/{table}", "--to", "B", "--table", table, *self.words)
            self.assertEqual(self.rows_of(self.b, table), sorted_rows(self.rows))

    def test_the_preflight_warns(self):
        outcome = self.done("check", "--config", self.config, "--from", "A", "--to", "B", "--table", "t", "--to-table", "new",
                            "--create", "--json")
        finding, = [one for one in json.loads(outcome.out)["findings"] if one["kind"] == "foreign-rows"]
        self.assertEqual(finding["severity"], "warning")
        self.assertIn("replica.split.validate_partition_hash", finding["next_step"])

    def test_a_difference_is_one_of_the_table(self):
        self.create(self.b, "differs", 8, self.rows[1:] + [row("stray", "of B", "v")])
        words = [*self.between(), "--table", "t", "--to-table", "differs"]
        outcome = self.run_words("diff", "--config", self.config, "--from", "A", "--to", "B", "--table", "t", "--to-table",
                                 "differs")
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertEqual(sorted(outcome.out.splitlines()), ['extra    "stray" : "of B"', 'missing  "user0" : "s"'])
        self.assertIn(f"{self.foreign} foreign rows of the table on A", outcome.err)
        repaired = json.loads(self.done("repair", *words, "--delete-extra", "--yes", "--json").out)
        self.check_report(repaired)
        self.assertEqual((repaired["missing"], repaired["extra_deleted"]), (1, 1))
        self.assertEqual(self.rows_of(self.b, "differs"), sorted_rows(self.rows))

    def test_the_shell_counts_prints_and_copies_the_rows_of_the_table(self):
        left_out = f"INFO: Left out: {self.foreign} foreign rows of t."
        for command in ("count_data -c", "count_data -c -d"):
            counted = self.shell(f"use t; {command}")
            self.assertIn(f"Count done, total {len(self.rows)} rows.", counted.out)
            self.assertIn(left_out, counted.err)
        scanned = self.shell("use t; full_scan")
        self.assertIn(f"{len(self.rows)} key-value pairs got", scanned.out)
        self.assertNotIn("stale", scanned.out)
        self.assertIn(left_out, scanned.err)
        self.create(self.b, "shell", 3)
        copied = self.shell("use t; copy_data -c B -a shell")
        self.assertIn(f"Copy done, total {len(self.rows)} rows.", copied.out)
        self.assertIn('stray    "and here" : "s"', copied.err)
        self.assertEqual(self.rows_of(self.b, "shell"), sorted_rows(self.rows))
