"""pegmove copy and verify between clusters of the program's own."""
import json
import os
import time

from harness import CliTest, port_of, row, sorted_rows

COPY_FIELDS = {"id", "rows", "rows_read", "rows_expired", "rows_kept", "rows_not_geo", "bytes", "elapsed_ms", "from", "table", "source_app_id", "source_partitions", "to", "to_table",
               "target_app_id", "target_partitions", "partition_rows", "foreign_rows", "requests"}
VERIFY_FIELDS = {"equal", "from", "to", "table", "to_table", "source_rows", "target_rows", "missing", "extra", "value",
                 "expiry", "source_sum", "target_sum", "elapsed_ms", "differences"}


def many_rows():
    """Sizes from nothing to nearly the limit, several rows a hash key, some that expire."""
    future = int(time.time()) + 50_000
    rows = [row(f"h{i % 40}", f"s{i:04}", "v" * (i % 300), future + i if i % 5 == 0 else None) for i in range(600)]
    rows += [row("large", f"s{size}", "x" * size) for size in (0, 1, 4095, 65_536, 300_000, 900_000)]
    rows += [row("", "no hash key", "v"), row("", "", ""), row(b"\xff\xff", b"\xfe\0", b"\xfe", future)]
    return rows


class TwoClusters(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster("A", replicas=2)
        cls.b = cls.shared_cluster("B", replicas=1)
        cls.config = os.path.join(cls.folder, "clusters.ini")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(f"[pegasus.clusters]\nA = {cls.a.meta}\nB = {cls.b.meta}\n"
                       f"other_name_of_A = localhost:{port_of(cls.a.meta)}\n")

    def between(self, source="A", target="B"):
        return ["--config", self.config, "--from", source, "--to", target]

    def verify(self, *words, source="A", target="B"):
        outcome = self.run_words("verify", *self.between(source, target), "--json", "--quiet", *words)
        self.assertIn(outcome.code, (0, 4), str(outcome))
        report = json.loads(outcome.out)
        self.assertLessEqual(VERIFY_FIELDS, set(report))
        self.assertEqual(report["equal"], outcome.code == 0)
        return report


class Copy(TwoClusters):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rows = many_rows()

    def check_copy(self, source_partitions, target_partitions):
        table = f"from_{source_partitions}_to_{target_partitions}"
        self.create(self.a, table, source_partitions, self.rows)
        outcome = self.done("copy", *self.between(), "--table", table, "--create", "--partitions", target_partitions,
                            "--json", "--quiet")
        self.assertEqual(outcome.err, "", "--quiet")
        report = json.loads(outcome.out)
        self.assertEqual(set(report), COPY_FIELDS)
        self.assertEqual((report["rows"], report["source_partitions"], report["target_partitions"]),
                         (len(self.rows), source_partitions, target_partitions))
        self.assertEqual(sum(report["partition_rows"]), len(self.rows))
        self.assertEqual(len(report["partition_rows"]), source_partitions)
        self.assertEqual(self.rows_of(self.b, table), sorted_rows(self.rows))
        compared = self.verify("--table", table)
        self.assertEqual((compared["source_rows"], compared["target_rows"]), (len(self.rows), len(self.rows)))
        self.assertEqual(compared["source_sum"], compared["target_sum"])

    def test_says_by_which_requests_rows_were_sent(self):
        rows = [row(f"few{i // 4}", f"s{i}") for i in range(400)] + [row(f"many{i // 200}", f"s{i}") for i in range(800)]
        self.create(self.a, "requests", 4, rows)
        words = [*self.between(), "--table", "requests"]
        text = self.done("copy", *words, "--create")
        self.assertRegex(text.out, r"Sent [\d,]+ rows by PUT and [\d,]+ rows by MULTI_PUT, [\d.]+ rows a request\.")
        report = self.copy_again(words)
        requests = report["requests"]
        # A scan may end within a hash key.
        self.assertGreaterEqual(requests["put_rows"], 400)
        self.assertGreater(requests["multi_put_rows"], 700)
        self.assertEqual(requests["put_rows"] + requests["multi_put_rows"], len(rows))
        self.assertTrue(4 <= requests["multi_puts"] < 30, requests)
        self.assertEqual(requests["multi_put_from_rows"], 8)
        status = json.loads(self.done("status", report["id"], "--json").out)
        self.assertEqual(status["result"]["requests"], requests)
        self.assertNotIn("requests", self.copy_again([*words, "--multi-set"]), "it has no choice")

    def copy_again(self, words):
        return json.loads(self.done("copy", *words, "--into-nonempty", "--json", "--quiet").out)

    def test_four_partitions_to_eight(self):
        self.check_copy(4, 8)

    def test_eight_partitions_to_four(self):
        self.check_copy(8, 4)

    def test_three_partitions_to_five(self):
        self.check_copy(3, 5)

    def test_within_a_cluster_to_another_table(self):
        self.create(self.a, "inside", 3, self.rows[:50])
        outcome = self.done("copy", *self.between("A", "A"), "--table", "inside", "--to-table", "inside2", "--create")
        self.assertRegex(outcome.out, r"Copied 50 rows .* of table inside on A \(3 partitions\) to table inside2 on A "
                                      r"\(3 partitions\)")
        self.assertEqual(self.rows_of(self.a, "inside2"), self.rows_of(self.a, "inside"))
        self.assertTrue(self.verify("--table", "inside", "--to-table", "inside2", target="A")["equal"])

    def test_into_a_table_that_has_rows(self):
        self.create(self.a, "into", 2, [row("h", "both", "new"), row("h", "source", "v")])
        self.create(self.b, "into", 3, [row("h", "both", "old"), row("h", "target", "v")])
        self.failed(3, ["has rows", "--into-nonempty"], "copy", *self.between(), "--table", "into")
        self.assertEqual(self.rows_of(self.b, "into"), [row("h", "both", "old"), row("h", "target", "v")])
        self.done("copy", *self.between(), "--table", "into", "--into-nonempty")
        self.assertEqual(self.rows_of(self.b, "into"),
                         [row("h", "both", "new"), row("h", "source", "v"), row("h", "target", "v")])
        self.done("copy", *self.between(), "--table", "into", "--into-nonempty")  # again: the same result
        self.assertEqual(self.verify("--table", "into")["extra"], 1)

    def test_geo_rows_go_to_the_table_beside_the_target(self):
        point = "||||116.3222|40.0039"
        self.create(self.a, "places", 2, [row("a", "s", point), row("b", "s", "no point")])
        self.create(self.b, "places", 3)
        self.failed(1, "places_geo", "copy", *self.between(), "--table", "places", "--geo")
        self.create(self.b, "places_geo", 2)
        copied = self.done("copy", *self.between(), "--table", "places", "--geo")
        self.assertIn("1 rows have no latitude and longitude", copied.out)
        self.assertEqual(len(self.rows_of(self.b, "places")), 2)
        # The cell of Pegasus's geo client at level 12, then the rest of level 30 and the row's key.
        self.assertEqual(self.rows_of(self.b, "places_geo"),
                         [row("1/223320022311", "000122033012212321:\0\1as", point)])

    def test_a_copy_with_a_low_bound_of_latency_copies_all(self):
        self.create(self.a, "slow", 2, [row(f"h{i}", "s", "v" * 100) for i in range(20000)])
        self.done("copy", *self.between(), "--table", "slow", "--create", "--latency-bound", "1ms",
                  "--max-rows-per-second", "10000")
        self.assertEqual(self.verify("--table", "slow")["equal"], True)

    def test_an_empty_table(self):
        self.create(self.a, "empty", 2)
        self.assertIn("Copied 0 rows", self.done("copy", *self.between(), "--table", "empty", "--create").out)
        self.assertIn("Equal: all 0 rows", self.done("verify", *self.between(), "--table", "empty").out)

    def test_the_table_itself_is_refused_by_whatever_name(self):
        self.create(self.a, "self", 2, [row("h", "s", "v")])
        for target in ("A", "other_name_of_A", self.a.meta, f"localhost:{port_of(self.a.meta)}"):
            self.failed(3, ["'self'", "the source itself"], "copy", *self.between("A", target), "--table", "self")
        self.assertEqual(self.rows_of(self.a, "self"), [row("h", "s", "v")])

    def test_tables_that_do_not_exist_are_named(self):
        self.create(self.a, "only_a", 2, [row("h", "s", "v")])
        self.failed(3, ["'nothing'", "cluster A"], "copy", *self.between(), "--table", "nothing", "--create")
        self.assertNotIn("nothing", self.tables_of(self.b))
        self.failed(3, ["'only_a'", "cluster B", "--create"], "copy", *self.between(), "--table", "only_a")
        self.failed((1, 3), ["'only_a'", "cluster B"], "verify", *self.between(), "--table", "only_a")
        self.failed((1, 3), ["'nothing'", "cluster A"], "verify", *self.between(), "--table", "nothing")

    def test_create_refuses_a_table_that_exists(self):
        self.create(self.a, "twice", 2, [row("h", "s", "new")])
        self.create(self.b, "twice", 2, [row("h", "s", "old")])
        self.failed(3, ["'twice'", "exists", "cluster B", "leave out --create"],
                    "copy", *self.between(), "--table", "twice", "--create")
        self.assertEqual(self.rows_of(self.b, "twice"), [row("h", "s", "old")])

    def test_wrong_usage_changes_nothing(self):
        before = self.tables_of(self.b)
        words = ["copy", "--config", self.config, "--from", "A", "--table", "t"]
        self.failed(2, ["--partitions", "--create"], *words, "--to", "B", "--partitions", 4)
        self.failed(2, "--partitions", *words, "--to", "B", "--create", "--partitions", 0)
        self.failed(2, "--to", *words)
        self.failed(2, "--nonsense", *words, "--to", "B", "--nonsense")
        self.failed(2, "--timeout", *words, "--to", "B", "--timeout", "soon")
        for address in ("localhost:port", "host:", ":34601", "a b:1", "127.0.0.1:0", "127.0.0.1:99999", "::1:34601"):
            self.failed(2, [f"'{address}' is not an address", "write it like"], *words, "--to", address)
        for verb in ("copy", "verify"):
            self.failed(2, ["'C'", "unknown", "A", "B", self.config, "host:port"], verb, *self.between("A", "C"),
                        "--table", "t")
        self.assertEqual(self.tables_of(self.b), before)


class CopyThroughDuplicate(CliTest):
    """B is in a group with A (id 1), C in none."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        group = os.path.join(cls.folder, "group.ini")
        with open(group, "w", encoding="utf-8") as file:
            file.write("[duplication-group]\nA = 1\nB = 2\n")
        cls.a = cls.shared_cluster("A", replicas=2, more=("--config", group))
        cls.b = cls.shared_cluster("B", more=("--config", group))
        cls.c = cls.shared_cluster("C")

    def words(self, target, table, *more):
        return ["copy", "--from", self.a.meta, "--to", target.meta, "--table", table, "--through", "duplicate",
                "--quiet", *more]

    def test_every_row_arrives(self):
        rows = many_rows()
        self.create(self.a, "all", 3, rows)
        report = json.loads(self.done(*self.words(self.b, "all", "--create", "--partitions", 4, "--json")).out)
        self.assertEqual(report["rows"], len(rows))
        self.assertEqual(self.rows_of(self.b, "all"), sorted_rows(rows))
        self.done(*self.words(self.b, "all", "--into-nonempty"))  # again: the same result
        self.done("verify", "--from", self.a.meta, "--to", self.b.meta, "--table", "all")

    def test_rows_overwrite_what_stands_there(self):
        self.create(self.a, "over", 2, [row("h", "both", "source"), row("h", "source", "v")])
        self.create(self.b, "over", 3, [row("h", "both", "target")])
        self.done(*self.words(self.b, "over", "--into-nonempty"))
        self.assertEqual(self.rows_of(self.b, "over"), [row("h", "both", "source"), row("h", "source", "v")])

    def test_clusters_in_no_common_group_are_refused(self):
        self.create(self.a, "refused", 2, [row("h", "s", "v")])
        self.create(self.c, "refused", 2)
        self.failed(3, ["in no [duplication-group]"], *self.words(self.c, "refused"))
        self.assertEqual(self.rows_of(self.c, "refused"), [])

    def test_the_way_is_chosen_and_said(self):
        self.create(self.a, "chosen", 2, [row("h", "s", "v")])
        words = ["copy", "--from", self.a.meta, "--table", "chosen", "--create"]
        said = self.done(*words, "--to", self.b.meta).err
        self.assertRegex(said, "through DUPLICATE as cluster 1, .*alarms on lagging")
        self.assertIn("as a client writes them, since the target is in no [duplication-group]",
                      self.done(*words, "--to", self.c.meta).err)

    def test_wrong_usage(self):
        words = ["copy", "--from", self.a.meta, "--to", self.b.meta, "--table", "t"]
        self.failed(2, "--through", *words, "--through", "nonsense")
        self.failed(2, "--live", *words, "--live", "--through", "plain")

    def test_wrong_groups_are_refused(self):
        path = os.path.join(self.folder, "wrong.ini")
        for text, says in (("D = 0", "D"), ("D = 128", "D"), ("D = x", "D"), ("D = 1\nE = 1", "the same id, 1"),
                           ("E = 1", "does not contain this cluster, D")):
            with open(path, "w", encoding="utf-8") as file:
                file.write("[duplication-group]\n" + text + "\n")
            self.failed(2, ["[duplication-group]", says, path], "cluster", "start", "--name", "D", "--meta-port", 0,
                        "--data", os.path.join(self.folder, "D"), "--config", path)


class Verify(TwoClusters):
    def test_every_kind_of_difference_is_found_and_listed(self):
        future = int(time.time()) + 50_000
        same = [row(f"h{i}", "s", "v", future) for i in range(100)]
        self.create(self.a, "t", 4, same + [row("gone", "s1", "v"), row("gone", "s2", "v"), row("value", "s", "mine"),
                                            row("expiry", "s", "v", future), row(b"\xfe", b"\xff", "v")])
        self.create(self.b, "t", 6, same + [row("extra", "s", "v"), row("value", "s", "theirs"),
                                            row("expiry", "s", "v", future + 1)])
        report = self.verify("--table", "t")
        self.assertEqual([report[kind] for kind in ("missing", "extra", "value", "expiry")], [3, 1, 1, 1])
        self.assertEqual((report["source_rows"], report["target_rows"]), (105, 103))
        self.assertNotEqual(report["source_sum"], report["target_sum"])
        found = sorted_rows(report["differences"])
        wanted = [("missing", "gone", "s1"), ("missing", "gone", "s2"), ("value", "value", "s"),
                  ("expiry", "expiry", "s"), ("extra", "extra", "s")]
        wanted = [{"kind": kind, "hash_key": hash_key, "sort_key": sort_key} for kind, hash_key, sort_key in wanted]
        wanted.append({"kind": "missing", "hash_key_b64": "/g==", "sort_key_b64": "/w=="})
        self.assertEqual(found, sorted_rows(wanted))
        text = self.run_words("verify", *self.between(), "--table", "t", "--quiet")
        self.assertEqual((text.code, text.err), (4, ""), str(text))
        for line in (r'missing +"gone" : "s1"', r'extra +"extra" : "s"', r'value +"value" : "s"',
                     r'expiry +"expiry" : "s"', r"Different: 105 rows on A, 103 rows on B"):
            self.assertRegex(text.out, line)
        shown = self.run_words("verify", *self.between(), "--table", "t", "--show", 2)
        self.assertRegex(shown.out, r"and 4 more")
        self.done("copy", *self.between(), "--table", "t", "--into-nonempty")
        left = self.verify("--table", "t")
        self.assertEqual([left[kind] for kind in ("missing", "extra", "value", "expiry")], [0, 1, 0, 0])

    def test_expired_rows_are_no_difference(self):
        past = int(time.time()) - 100
        self.create(self.a, "expired", 2, [row("h", "s", "v"), row("h", "over", "v", past)])
        self.create(self.b, "expired", 3, [row("h", "s", "v"), row("h", "over too", "v", past)])
        self.assertTrue(self.verify("--table", "expired")["equal"])
