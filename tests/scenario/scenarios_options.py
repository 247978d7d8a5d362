"""Each option of `pegmove copy`, and what the target's files hold after it."""
from scenario import DIFFER, DONE, FAILED, FUTURE, PREFLIGHT, USAGE, Scenario
from tables import many_rows

PARTITIONS = 4
ROWS = 3000


def table_rows():
    rows = list(many_rows(ROWS, expiry=FUTURE))
    rows += [("special", "exact", "needle"), ("special", "exactly", "needles"), ("prefix", "in", "a needle here"),
             (b"\xff\x00bytes", b"\x00\xfe", b"\xfd", FUTURE), ("", "no hash key", "v"), ("large", "s", "x" * 300_000)]
    return rows


class Options(Scenario):
    def setUp(self):
        super().setUp()
        self.load(self.a, "t", table_rows(), PARTITIONS)
        self.source = self.table(self.a).rows()

    def copied_rows(self, *more):
        report = self.copied("--create", *more)
        found = self.table(self.b).rows()
        self.assertEqual(report["rows"], len(found))
        return found

    def check_filter(self, words, keeps):
        wanted = {key: value for key, value in self.source.items() if keeps(*key, value[0])}
        self.assertGreater(len(wanted), 0)
        self.assertLess(len(wanted), len(self.source))
        self.assertEqual(self.copied_rows(*words), wanted)

    def test_create_takes_the_partition_count_of_the_source(self):
        self.copied("--create")
        self.assertEqual(self.table(self.b).partitions, PARTITIONS)
        self.assertEqual(self.check_equal(), len(self.source))

    def test_create_with_more_partitions(self):
        report = self.copied("--create", "--partitions", 7)
        self.assertEqual((report["rows"], self.table(self.b).partitions), (len(self.source), 7))
        self.check_equal()

    def test_create_with_fewer_partitions_under_another_name(self):
        self.copied("--create", "--partitions", 1, "--to-table", "u")
        self.assertEqual(self.table(self.b, "u").partitions, 1)
        self.check_equal("t", "u")

    def test_create_takes_the_envs_of_the_source(self):
        for env in ("default_ttl 86400", "replica.slow_query_threshold 50"):
            self.done("shell", "--cluster", self.a.meta, "-e", f"use t; set_app_envs {env}")
        outcome = self.done(*self.words("--create", "--json"))
        envs = self.table(self.b).envs
        self.assertEqual((envs.get("default_ttl"), envs.get("replica.slow_query_threshold")), ("86400", "50"))
        # Rows of before the source had a default_ttl have no expiry, in the target neither.
        self.assertIn("default_ttl=86400 after all rows are copied", outcome.err)
        self.assertEqual(self.table(self.b).rows(), self.source)

    def test_default_ttl_of_a_target_that_exists_is_told(self):
        self.load(self.b, "t", [], PARTITIONS)
        self.done("shell", "--cluster", self.b.meta, "-e", "use t; set_app_envs default_ttl 86400")
        outcome = self.done(*self.words("--json"))
        self.assertIn("default_ttl", outcome.err, str(outcome))

    def test_into_nonempty(self):
        self.load(self.b, "t", [("user1", "field0001", "old"), ("only", "here", "stays")], 3)
        self.failed_saying(PREFLIGHT, ["--into-nonempty", "'t'"], *self.words())
        self.assertEqual(self.table(self.b).count(), 2, "nothing is written when a check fails")
        self.copied("--into-nonempty")
        wanted = {**self.source, (b"only", b"here"): (b"stays", 0)}
        self.assertEqual(self.table(self.b).rows(), wanted)

    def test_hash_key_filter_prefix(self):
        self.check_filter(["--hash-key-filter", "prefix:user12"],
                          lambda hash_key, sort_key, value: hash_key.startswith(b"user12"))

    def test_hash_key_filter_anywhere(self):
        self.check_filter(["--hash-key-filter", "anywhere:r29"], lambda hash_key, sort_key, value: b"r29" in hash_key)

    def test_hash_key_filter_postfix(self):
        self.check_filter(["--hash-key-filter", "postfix:7"],
                          lambda hash_key, sort_key, value: hash_key.endswith(b"7"))

    def test_sort_key_filter_exact(self):
        self.check_filter(["--sort-key-filter", "exact:exact"], lambda hash_key, sort_key, value: sort_key == b"exact")

    def test_sort_key_filter_prefix(self):
        self.check_filter(["--sort-key-filter", "prefix:exact"],
                          lambda hash_key, sort_key, value: sort_key.startswith(b"exact"))

    def test_value_filter_anywhere(self):
        self.check_filter(["--value-filter", "anywhere:needle"], lambda hash_key, sort_key, value: b"needle" in value)

    def test_value_filter_exact(self):
        self.check_filter(["--value-filter", "exact:needle"], lambda hash_key, sort_key, value: value == b"needle")

    def test_value_filter_postfix_and_hash_key_filter(self):
        self.check_filter(["--value-filter", "postfix:v", "--hash-key-filter", "prefix:user1"],
                          lambda hash_key, sort_key, value: value.endswith(b"v") and hash_key.startswith(b"user1"))

    def test_some_partitions(self):
        wanted = self.table(self.a).rows(partitions=[1, 3])
        self.assertTrue(0 < len(wanted) < len(self.source))
        self.assertEqual(self.copied_rows("--partition", 1, "--partition", 3, "--partitions", 3), wanted)
        self.failed_saying((FAILED, USAGE, PREFLIGHT), [f"partition {PARTITIONS}", "'t'"],
                           *self.words("--partition", PARTITIONS, "--into-nonempty"))

    def test_no_overwrite_keeps_what_the_target_has(self):
        kept = {(b"user1", b"field0001"): (b"mine", 0), (b"special", b"exact"): (b"mine", FUTURE)}
        self.load(self.b, "t", [(*key, *value) for key, value in kept.items()], 5)
        report = self.copied("--no-overwrite", "--into-nonempty")
        self.assertEqual(self.table(self.b).rows(), {**self.source, **kept})
        self.assertEqual((report["rows"], report["rows_kept"]), (len(self.source) - len(kept), len(kept)))

    def test_no_value(self):
        wanted = {key: (b"", expire_ts) for key, (_, expire_ts) in self.source.items()}
        self.assertEqual(self.copied_rows("--no-value"), wanted)

    def test_no_ttl(self):
        wanted = {key: (value, 0) for key, (value, _) in self.source.items()}
        self.assertEqual(self.copied_rows("--no-ttl"), wanted)

    def test_multi_set_keeps_each_expiry(self):
        self.copied_rows("--multi-set", "--partitions", 3)
        self.check_equal()

    def test_through_plain(self):
        self.copied_rows("--through", "plain")
        self.check_equal()

    def test_rate_limits_hold(self):
        rows = self.copied("--create", "--max-rows-per-second", 2000)
        self.assertGreater(rows["elapsed_ms"], ROWS / 2 / 2)
        self.check_equal()
        rows = self.copied("--into-nonempty", "--max-megabytes-per-second", 1, "--full-speed")
        self.assertGreater(rows["elapsed_ms"], rows["bytes"] / 1000 / 2)

    def test_options_that_exclude_each_other(self):
        for more in (["--no-overwrite", "--multi-set"], ["--no-value", "--value-filter", "exact:v"],
                     ["--hash-key-filter", "exact:v"], ["--hash-key-filter", "v"], ["--partitions", 3],
                     ["--through", "nothing"], ["--max-rows-per-second", "0"], ["--retry-for", "soon"]):
            self.failed_saying(USAGE, more[0], *self.words(*more))
        self.assertEqual(self.tables_of(self.b), [])

    def test_check_says_all_at_once_and_changes_nothing(self):
        self.load(self.b, "t", [("only", "here", "v")], 3)
        words = ["check", "--from", self.a.meta, "--to", self.b.meta]
        for more, code, says in ((["--table", "t"], PREFLIGHT, ["--into-nonempty"]),
                                 (["--table", "t", "--into-nonempty"], DONE, []),
                                 (["--table", "t", "--to-table", "u", "--create"], DONE, []),
                                 (["--table", "nothing", "--to-table", "t", "--create"], PREFLIGHT,
                                  ["'nothing'", "'t'"])):
            outcome = self.run_words(*words, *more)
            self.assertEqual(outcome.code, code, str(outcome))
            for text in says:
                self.assertIn(text, outcome.out, str(outcome))
        self.assertEqual(self.tables_of(self.b), ["t"])
        self.assertEqual(self.table(self.b).count(), 1)


class OptionsOfGroup(Scenario):
    """Both clusters stand in one group: DUPLICATE can be had."""

    def cluster_options(self):
        return self.group_options()

    def setUp(self):
        super().setUp()
        self.load(self.a, "t", table_rows(), PARTITIONS)

    def test_through_duplicate(self):
        outcome = self.done(*self.words("--create", "--partitions", 6, "--through", "duplicate", "--json"))
        self.assertRegex(outcome.err, "(?i)duplicate")
        self.check_equal()

    def test_through_auto_takes_duplicate_and_says_so(self):
        outcome = self.done(*self.words("--create", "--through", "auto", "--json"))
        self.assertRegex(outcome.err, "(?i)duplicate")
        self.check_equal()

    def test_the_independent_reader_sees_a_single_difference(self):
        """The test of the test: the reader tells tables apart by key, value and expiry."""
        self.copied("--create")
        for change in (("user1", "field0001", "other"), ("user1", "field0001", "11" + "v" * 20, FUTURE + 5),
                       ("user1", "another", "v")):
            self.load(self.b, "t", [change])
            with self.assertRaises(AssertionError):
                self.check_equal()
            outcome = self.run_words("verify", "--from", self.a.meta, "--to", self.b.meta, "--table", "t")
            self.assertEqual(outcome.code, DIFFER, str(outcome))
