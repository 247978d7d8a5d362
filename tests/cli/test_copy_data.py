"""The shell's copy_data, option by option."""
import os
import re
import time

from harness import CliTest, port_of, row, sorted_rows
from s2_cell import cell

USAGE = "USAGE: \tcopy_data"


class CopyData(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster("A")
        cls.b = cls.shared_cluster("B")
        cls.config = os.path.join(cls.folder, "clusters.ini")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(f"[pegasus.clusters]\nA = {cls.a.meta}\nB = {cls.b.meta}\n"
                       f"other_name_of_A = localhost:{port_of(cls.a.meta)}\n")
        cls.future = int(time.time()) + 50_000
        cls.rows = [row(f"h{i % 7}", f"s{i:03}", f"v{i}", cls.future + i if i % 3 == 0 else None) for i in range(200)]
        cls.rows += [row("", "no hash key", "v"), row("", "", ""), row(b"\xff\x01", b"\x80", b"\xfe", cls.future)]

    def setUp(self):
        # Tables of the test's own.
        self.table = self.id().rsplit(".", 1)[1]

    def tables(self, rows, partitions=2, there=(), target_partitions=3):
        self.create(self.a, self.table, partitions, rows)
        self.create(self.b, self.table, target_partitions, there)

    def shell(self, commands, cluster="A"):
        return self.run_words("shell", "--config", self.config, "--cluster", cluster, "-e", commands)

    def copy(self, options="", to="B", table=None):
        return self.shell(f"use {self.table}; copy_data -c {to} -a {table or self.table} {options}")

    def copied(self, options="", rows=None, to="B", table=None):
        """Copies, which must succeed; returns what was said on the way."""
        outcome = self.copy(options, to, table)
        self.assertEqual(outcome.code, 0, str(outcome))
        if rows is not None:
            self.assertEqual(self.rows_of(self.b, table or self.table), sorted_rows(rows))
        return outcome

    def refused(self, options, text, usage=True, **more):
        """Copies, which must fail with this line, and with the usage behind it or not."""
        outcome = self.copy(options, **more)
        self.assertEqual(outcome.code, 1, str(outcome))
        self.assertIn(f"\nERROR: {text}\n", outcome.err, str(outcome))
        self.assertEqual(USAGE in outcome.err, usage, str(outcome))
        return outcome

    def chosen(self, options, keep):
        """Copies with filters; rows for which `keep` holds must be there, and no others."""
        keys = [(h, s, v) for h in ("a", "ab", "\x01a", "b\\") for s in ("", "x", "xy", "\x7fx")
                for v in ("", "v", "v\x02w")]
        rows = [row(h + str(i), s, v) for i, (h, s, v) in enumerate(keys)]
        self.tables(rows)
        kept = [one for one in rows if keep(one["hash_key"], one["sort_key"], one["value"])]
        self.assertTrue(0 < len(kept) < len(rows))
        return self.copied(options, kept)

    # What is said.

    def test_the_lines_without_options(self):
        self.tables(self.rows)
        outcome = self.copied("", self.rows)
        told = [line for line in outcome.err.splitlines() if not line.startswith("INFO: processed for")]
        splits = [int(match) for match in re.findall(r"INFO: split\[\d+\]: (\d+) rows", outcome.err)]
        self.assertEqual(sum(splits), len(self.rows))
        self.assertEqual(told, [
            "OK", "INFO: source_cluster_name = A", f"INFO: source_app_name = {self.table}",
            "INFO: target_cluster_name = B", f"INFO: target_app_name = {self.table}", "INFO: partition = all",
            "INFO: max_batch_count = 500", "INFO: timeout_ms = 5000", "INFO: hash_key_filter_type = no_filter",
            "INFO: sort_key_filter_type = no_filter", "INFO: value_filter_type = no_filter",
            "INFO: no_overwrite = false", "INFO: no_value = false",
            "INFO: open source app scanner succeed, partition_count = 2",
            "INFO: prepare scanners succeed, split_count = 2", f"INFO: split[0]: {splits[0]} rows",
            f"INFO: split[1]: {splits[1]} rows", ""])
        self.assertEqual(outcome.out, f"Copy done, total {len(self.rows)} rows.\n")

    def test_the_lines_with_all_options(self):
        self.tables(self.rows, there=self.rows)
        self.create(self.b, self.table + "_geo", 1)
        outcome = self.copied('--partition 0x1 --max_batch_count 010 --timeout_ms 3000 --hash_key_filter_type PREFIX '
                              '--hash_key_filter_pattern "\\\\x01" --sort_key_filter_type exact '
                              '--sort_key_filter_pattern a"b" --value_filter_type anywhere '
                              '--value_filter_pattern c --max_multi_set_concurrency 3 --scan_option_batch_size 9 '
                              '--no_ttl --geo_data --use_multi_set')
        start = outcome.err.index("INFO: target_app_name")
        self.assertEqual(outcome.err[start:outcome.err.index("INFO: open source")].splitlines(), [
            f"INFO: target_app_name = {self.table}", f"INFO: target_geo_app_name = {self.table}_geo",
            "INFO: copy use asyncer_multi_set, max_multi_set_concurrency = 3", "INFO: partition = 1",
            "INFO: max_batch_count = 8", "INFO: timeout_ms = 3000", "INFO: hash_key_filter_type = prefix",
            'INFO: hash_key_filter_pattern = "\\x01"', "INFO: sort_key_filter_type = exact",
            'INFO: sort_key_filter_pattern = "ab"', "INFO: value_filter_type = anywhere",
            'INFO: value_filter_pattern = "c"', "INFO: no_overwrite = false", "INFO: no_value = false"])
        self.assertIn("prepare scanners succeed, split_count = 1\n", outcome.err)
        self.assertEqual(outcome.out, "Copy done, total 0 rows.\n")
        outcome = self.copied("--no_overwrite --no_value")
        self.assertIn("INFO: no_overwrite = true\nINFO: no_value = true\n", outcome.err)

    def test_a_line_each_second(self):
        self.tables(self.rows[:20], target_partitions=1)
        self.done("shell", "--cluster", self.b.meta, "-e",
                  f"use {self.table}; set_app_envs replica.write_throttling 1*delay*3000")
        outcome = self.copied("", self.rows[:20])
        self.assertRegex(outcome.err, r"\nINFO: processed for 1 seconds, \([01]/2\) splits, total \d+ rows, "
                                      r"last second \d+ rows\n")

    # What is copied.

    def test_one_partition(self):
        self.tables(self.rows)
        seen = []
        for partition in (0, 1):
            self.create(self.b, f"{self.table}{partition}", 1)
            outcome = self.copied(f"-p {partition}", table=f"{self.table}{partition}")
            rows = self.rows_of(self.b, f"{self.table}{partition}")
            self.assertTrue(0 < len(rows) < len(self.rows))
            self.assertIn(f"INFO: split[0]: {len(rows)} rows\n\n", outcome.err)
            self.assertNotIn("split[1]", outcome.err)
            seen += rows
        self.assertEqual(sorted_rows(seen), sorted_rows(self.rows))

    def test_hash_keys_anywhere(self):
        self.chosen("-h anywhere -x 1", lambda h, s, v: "1" in h)

    def test_hash_keys_by_prefix_with_a_byte(self):
        self.chosen("-h prefix -x \\x01a", lambda h, s, v: h.startswith("\x01a"))

    def test_hash_keys_by_postfix(self):
        self.chosen("-hpostfix -x7", lambda h, s, v: h.endswith("7"))

    def test_hash_keys_with_a_backslash(self):
        self.chosen('-h prefix -x "b\\\\\\\\"', lambda h, s, v: h.startswith("b\\"))

    def test_sort_keys_anywhere(self):
        self.chosen("-s anywhere -y y", lambda h, s, v: "y" in s)

    def test_sort_keys_by_prefix(self):
        self.chosen("-s prefix -y \\x7F", lambda h, s, v: s.startswith("\x7f"))

    def test_sort_keys_by_postfix(self):
        self.chosen("-s postfix -y x", lambda h, s, v: s.endswith("x"))

    def test_sort_keys_exactly(self):
        self.chosen("-s exact -y x", lambda h, s, v: s == "x")

    def test_empty_sort_keys(self):
        self.chosen("-s exact", lambda h, s, v: s == "")

    def test_values_anywhere(self):
        self.chosen("-v anywhere -z \\x02", lambda h, s, v: "\x02" in v)

    def test_values_by_prefix(self):
        self.chosen("-v prefix -z v", lambda h, s, v: v.startswith("v"))

    def test_values_by_postfix(self):
        self.chosen("-v postfix -z w -o 2", lambda h, s, v: v.endswith("w"))

    def test_values_exactly_with_keys(self):
        self.chosen("-v exact -z v -s anywhere -y x -h anywhere -x a",
                    lambda h, s, v: v == "v" and "x" in s and "a" in h)

    def test_a_pattern_without_a_type_filters_nothing(self):
        self.tables(self.rows)
        self.copied("-x none -y none -z none", self.rows)

    def test_bytes_that_are_no_text(self):
        self.tables(self.rows)
        self.copied('-h prefix -x "\\\\xFF\\\\x01" -s exact -y "\\\\x80" -v postfix -z "\\\\xFE"',
                    [one for one in self.rows if "value_b64" in one])

    def test_without_values(self):
        self.tables(self.rows)
        plain = [{key: text for key, text in one.items() if key != "value_b64"} | {"value": ""} for one in self.rows]
        self.copied("-i", plain)

    def test_without_expiry(self):
        self.tables(self.rows)
        self.copied("-e", [{key: text for key, text in one.items() if key != "expire_ts"} for one in self.rows])

    # How it is written.

    def test_small_batches(self):
        self.tables(self.rows)
        for options in ("-b 2 -o 1", "-b 2 -o 1000", "-o 0", "-o -5", "-b 2147483647 -o 2147483647"):
            self.copied(options, self.rows)

    def test_rows_of_the_target_are_overwritten_and_those_that_it_alone_has_stay(self):
        alone = row("only there", "s", "v")
        self.tables(self.rows, there=[row("h0", "s000", "old"), alone])
        self.copied("", [*self.rows, alone])

    def test_no_overwrite(self):
        there = [row("h0", "s000", "old"), row("h1", "s001", "old", self.future + 7), row("", "no hash key", "old")]
        self.tables(self.rows, there=there)
        keys = {(one["hash_key"], one["sort_key"]) for one in there}
        rows = there + [one for one in self.rows if (one.get("hash_key"), one.get("sort_key")) not in keys]
        outcome = self.copied("-n", rows)
        self.assertEqual(outcome.out, f"Copy done, total {len(self.rows) - 3} rows.\n")
        self.assertIn("INFO: 3 rows are in the target already, not overwritten\n", outcome.err)

    def test_multi_set_keeps_each_expiry(self):
        rows = [row(f"h{i // 90}", f"s{i:03}", "v", [None, self.future, self.future + 100, None, self.future + 5][i % 5])
                for i in range(270)]
        rows += [row("", f"s{i}", "v", self.future + i if i % 2 else None) for i in range(9)]
        self.tables(rows)
        self.copied("-u -o 1000", rows)
        self.copied("-u -m 1 -b 5", rows)

    def test_geo(self):
        points = {"beijing": (39.9042, 116.4074), "sydney": (-33.8688, 151.2093), "pole": (89.99, 45.5)}
        at = lambda name: "id|1|2|3|{1}|{0}|more".format(*points[name])
        rows = [row(name, "s", at(name), self.future) for name in points]
        rows += [row("", "sydney too", at("sydney")), row("nowhere", "", "id|1"), row("wrong", "", "||||190|1")]
        there = [row("beijing", "s", at("pole")), row("nowhere", "", at("pole"))]
        self.tables(there)
        self.create(self.b, self.table + "_geo", 4)
        self.copied("-g")
        self.fill(self.a, self.table, rows)
        outcome = self.copied("-g", rows)
        self.assertIn("WARN: 2 rows have no latitude and longitude in their values", outcome.err)
        self.assertEqual(outcome.out, "Copy done, total 6 rows.\n")
        geo = []
        for one in rows[:4]:
            name = one["hash_key"] or "sydney"
            digits = cell(*points[name])
            raw = "\0" + chr(len(one["hash_key"])) + one["hash_key"] + one["sort_key"]
            geo.append(row(digits[:14], digits[14:] + ":" + raw, one["value"], one.get("expire_ts")))
        self.assertEqual(self.rows_of(self.b, self.table + "_geo"), sorted_rows(geo))

    def test_within_a_cluster(self):
        self.create(self.a, self.table, 2, self.rows)
        self.create(self.a, self.table + "2", 3)
        self.copied("", to="A", table=self.table + "2")
        self.assertEqual(self.rows_of(self.a, self.table + "2"), sorted_rows(self.rows))

    # What is wrong.

    def test_numbers(self):
        self.tables([])
        for option, name in (("-p", "partition"), ("-b", "max_batch_count"), ("-t", "timeout_ms"),
                             ("-m", "max_multi_set_concurrency"), ("-o", "scan_option_batch_size")):
            for text in ("x", "1x", "2147483648", "1.5"):
                self.refused(f"{option} {text}", f"parse {text} as {name} failed")
        self.refused("-p -1", "partition should be greater than 0")
        self.refused("-b 1", "max_batch_count should be greater than 1")
        self.refused("-t 0", "timeout_ms should be greater than 0")
        self.refused("-m 0", "max_multi_set_concurrency should be greater than 0")

    def test_filters_that_are_none(self):
        self.tables([])
        for option, name, types in (("-h", "hash_key", ("exact", "all", "no_filter")), ("-s", "sort_key", ("x",)),
                                    ("-v", "value", ("x",))):
            for one in types:
                self.refused(f"{option} {one}", f"invalid {name}_filter_type param")
        outcome = self.copy("-h prefix -x \\q")
        self.assertEqual(outcome.code, 1)
        self.assertIn("\\q", outcome.err)

    def test_options_that_exclude_each_other(self):
        self.tables([])
        self.refused("-v exact -i", "no_value should not be set when value_filter_type is set")
        self.refused("-u -n", "copy with multi_set not support no_overwrite!")
        self.refused("-g -n", "copy with geo_data not support no_overwrite!")

    def test_what_is_said_first(self):
        """Several things are wrong: the first in the order of Pegasus's shell is said."""
        self.tables([])
        wrong = ["-p -1", "-h x", "-b 1", "-t 0", "-v exact -i", "-m 0", "-u -n"]
        texts = ["partition should be greater than 0", "invalid hash_key_filter_type param",
                 "max_batch_count should be greater than 1", "timeout_ms should be greater than 0",
                 "no_value should not be set when value_filter_type is set",
                 "max_multi_set_concurrency should be greater than 0", "copy with multi_set not support no_overwrite!"]
        for i, text in enumerate(texts):
            self.refused(" ".join(reversed(wrong[i:])), text)

    def test_options_that_are_missing_or_not_known(self):
        self.create(self.a, self.table, 1)
        for words, text in (("copy_data -a u", "target_cluster_name not specified"),
                            ("copy_data -c B", "target_app_name not specified"),
                            ("copy_data -b 1", "target_cluster_name not specified"),
                            ("copy_data -c B -a u --nothing", "unknown option '--nothing'"),
                            ("copy_data -c B -a", "option '-a' needs a value")):
            outcome = self.shell(f"use {self.table}; {words}")
            self.assertEqual(outcome.code, 1)
            self.assertIn(f"\nERROR: {text}\n{USAGE}", outcome.err, str(outcome))
        outcome = self.shell("copy_data -c B -a u")
        self.assertEqual(outcome.code, 1)
        self.assertIn("No app is using now\nUSAGE: use [app_name]", outcome.err)

    def test_tables_and_clusters(self):
        self.create(self.a, self.table, 2, self.rows[:3])
        self.refused("", "source app and target app is the same", usage=False, to="A")
        self.refused("", "source app and target app is the same", usage=False, to="other_name_of_A")
        self.assertIn("ERROR: test target app failed: app not exist", self.copy("").err)
        self.assertIn("ERROR: get target app client failed: ", self.copy("", to="nowhere").err)
        self.create(self.b, self.table, 2)
        self.assertIn("ERROR: test target geo app failed: app not exist", self.copy("-g").err)
        outcome = self.refused("-p 2", "invalid partition param: 2", usage=False)
        self.assertIn("open source app scanner succeed, partition_count = 2\nERROR", outcome.err)
        outcome = self.shell(f"use nothing; copy_data -c B -a {self.table}")
        self.assertEqual(outcome.code, 1)
        self.assertIn("ERROR: open source app scanner failed: app not exist", outcome.err)
        self.assertEqual(self.rows_of(self.b, self.table), [])

    def test_the_source_as_geo_table(self):
        self.create(self.a, self.table, 1)
        self.create(self.a, self.table + "_geo", 1, self.rows[:3])
        outcome = self.shell(f"use {self.table}_geo; copy_data -c A -a {self.table} -g")
        self.assertEqual(outcome.code, 1)
        self.assertIn("ERROR: source app and target app is the same\n", outcome.err)

    def deny(self, cluster, what):
        self.done("shell", "--cluster", cluster.meta, "-e",
                  f"use {self.table}; set_app_envs replica.deny_client_request reconfig*{what}")

    def test_writes_that_fail(self):
        self.tables(self.rows)
        self.create(self.b, self.table + "_geo", 1)
        self.deny(self.b, "write")
        for options, text in (("", "async set failed"), ("-n", "async check and set failed"),
                              ("-u", "async_multi_set set failed"), ("-g", "async set failed")):
            outcome = self.copy(f"-t 300 {options}")
            self.assertEqual(outcome.code, 1, str(outcome))
            self.assertRegex(outcome.err, rf"ERROR: split\[[01]\] {text}: .*\n"
                                          r"(INFO: processed for .*, error occurred, terminating\.\.\.\n)*"
                                          r"ERROR: error occurred, processing terminated\n"
                                          r"INFO: split\[0\]: \d+ rows\nINFO: split\[1\]: \d+ rows\n\n$")
            self.assertEqual(outcome.out, "Copy terminated, total 0 rows.\n")

    def test_scans_that_fail(self):
        self.tables(self.rows)
        self.deny(self.a, "read")
        outcome = self.copy("-t 300")
        self.assertEqual(outcome.code, 1, str(outcome))
        self.assertRegex(outcome.err, r"ERROR: split\[[01]\] scan next failed: ")
        self.assertEqual(outcome.out, "Copy terminated, total 0 rows.\n")

    def test_a_target_that_does_not_answer_reads(self):
        self.tables(self.rows[:3])
        self.deny(self.b, "read")
        outcome = self.shell(f"timeout 300; use {self.table}; copy_data -c B -a {self.table}")
        self.assertEqual(outcome.code, 1, str(outcome))
        self.assertIn("ERROR: test target app failed: ", outcome.err)
