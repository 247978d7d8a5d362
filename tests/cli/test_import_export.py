"""pegmove import and export: round trips, and files that are refused whole."""
import base64
import json
import os
import signal
import subprocess
import time

from harness import PROGRAM, CliTest, environment, follows_modes, jsonl, row, small_files, sorted_rows

# What is hard to carry through a text.
HARD_ROWS = [
    row("plain", "sort", "value"),
    row("no sort key", "", "value"),
    row("", "", "neither key"),
    row("", "sort only", "value"),
    row("empty value", "s", ""),
    row("tab\tnewline\nreturn\r", 'quote" backslash\\', "\\t\\x00"),
    row("zero\0byte", "\x01\x1f\x7f", "\0"),
    row("grüße \U0001f600", "日本", "ß"),
    row(b"\xff\xfe\x80", b"\x00\xff", bytes(range(256))),
    row("h", b"\xc3", b"half a character: \xc3"),
    row(b"\xff" * 300, b"\xff" * 300, "high"),
    row("big", "s", "v" * 900_000),
]


class ImportExport(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = cls.shared_cluster(replicas=2)
        cls.made = 0

    def table(self, rows=(), partitions=4):
        type(self).made += 1
        name = f"t{self.made}"
        self.create(self.shared, name, partitions, rows)
        return name

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def round_trip(self, form):
        future = int(time.time()) + 100_000
        rows = HARD_ROWS + [row("expires", f"s{i}", "v", future + i) for i in range(3)]
        first, second = self.table(rows), self.table(partitions=3)
        self.assertEqual(self.rows_of(self.shared, first), sorted_rows(rows))
        path = os.path.join(self.folder, "out." + form)
        words = ["--cluster", self.shared.meta, "--format", form]
        exported = self.done("export", *words, "--table", first, path)
        self.assertEqual(exported.out, "")
        self.assertIn(f"Exported {len(rows)} rows", exported.err)
        imported = self.done("import", *words, "--table", second, path)
        self.assertIn(f"Imported {len(rows)} rows", imported.err)
        self.assertEqual(self.rows_of(self.shared, second), sorted_rows(rows))

    def test_jsonl_carries_every_row_there_and_back(self):
        self.round_trip("jsonl")

    def test_tsv_carries_every_row_there_and_back(self):
        self.round_trip("tsv")

    def test_stdout_of_one_is_stdin_of_the_other(self):
        for form in ("jsonl", "tsv"):
            first, second = self.table(HARD_ROWS[:8]), self.table()
            words = ["--cluster", self.shared.meta, "--format", form, "--quiet"]
            out = subprocess.run([os.environ["PEGMOVE"], "export", *words, "--table", first, "-"], cwd=self.folder,
                                 capture_output=True, timeout=30, check=True).stdout
            self.done("import", *words, "--table", second, "-", stdin=out)
            self.assertEqual(self.rows_of(self.shared, second), sorted_rows(HARD_ROWS[:8]))

    def test_expiry_is_carried_as_absolute_seconds(self):
        now = int(time.time())
        rows = [row("h", "later", "v", now + 5000), row("h", "never", "v")]
        table = self.table(rows + [row("h", "over", "v", now - 100)])
        self.assertEqual(self.rows_of(self.shared, table), sorted_rows(rows))
        left = self.done("shell", "--cluster", self.shared.meta, "-e", f"use {table}; ttl h later; exist h over")
        ttl = next(int(line) for line in left.out.splitlines() if line.strip().isdigit())
        self.assertTrue(4900 < ttl <= 5000, left.out)

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def test_an_export_goes_where_a_link_leads(self):
        table = self.table([row("h", "s", "v")])
        words = ["export", "--cluster", self.shared.meta, "--table", table, "--quiet"]
        folder = self.own_folder()
        target, link = os.path.join(folder, "target"), os.path.join(folder, "link")
        for old in (b"old rows\n", None):
            if old:
                self.file(target, old)
            else:
                os.remove(target)
            if not os.path.islink(link):
                os.symlink("target", link)
            self.done(*words, link)
            self.assertEqual(os.readlink(link), "target")
            self.assertEqual(self.read(target), jsonl([row("h", "s", "v")]).replace(b" ", b""))
        self.assertEqual(sorted(os.listdir(folder)), ["link", "target"])

    def test_an_export_to_a_device_leaves_the_device(self):
        table = self.table([row("h", "s", "v")])
        expected = jsonl([row("h", "s", "v")]).replace(b" ", b"")
        out = os.path.join(self.folder, "stdout")
        for device in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            before = os.readlink("/dev/stdout")
            with open(out, "wb") as file:
                file.write(b"before\n")
                file.flush()
                subprocess.run([PROGRAM, "export", "--cluster", self.shared.meta, "--table", table, device], stdout=file,
                               stderr=subprocess.PIPE, cwd=self.folder, env=environment(self.folder), timeout=30,
                               check=True)
            self.assertEqual((self.read(out), os.readlink("/dev/stdout")), (b"before\n" + expected, before), device)
        self.done("export", "--cluster", self.shared.meta, "--table", table, "/dev/null")
        self.assertFalse(os.path.isfile("/dev/null"))

    def test_files_beside_an_export_are_left_alone(self):
        table = self.table([row("h", "s", "v")])
        folder = self.own_folder()
        path = os.path.join(folder, "rows")
        for end in (".part", ".tmp", ".new", ".tmp-12345678"):
            self.file(path + end, b"mine")
        self.done("export", "--cluster", self.shared.meta, "--table", table, path)
        self.assertEqual(sorted(os.listdir(folder)), ["rows", "rows.new", "rows.part", "rows.tmp", "rows.tmp-12345678"])
        for end in (".part", ".tmp", ".new", ".tmp-12345678"):
            self.assertEqual(self.read(path + end), b"mine")

    def test_a_file_in_a_folder_that_takes_no_files_is_written_in_place(self):
        table, other = self.table([row("h", "s", "v")]), self.table()
        folder = self.own_folder()
        path = os.path.join(folder, "rows")
        self.file(path, b"old rows, which are longer than the new ones" * 10)
        os.chmod(folder, 0o555)
        self.addCleanup(os.chmod, folder, 0o755)
        words = ["--cluster", self.shared.meta, "--table", table]
        self.failed(3, [path + "2", "Permission denied"], "export", *words, path + "2", preexec_fn=follows_modes)
        self.done("export", *words, path, preexec_fn=follows_modes)
        self.assertEqual(self.read(path), jsonl([row("h", "s", "v")]).replace(b" ", b""))
        differs = self.run_words("diff", "--from", self.shared.meta, "--to", self.shared.meta, "--table", table,
                                 "--to-table", other, "--json", "--output", path, preexec_fn=follows_modes)
        self.assertEqual(differs.code, 4, str(differs))
        self.assertEqual(json.loads(self.read(path))["kind"], "missing")

    def test_a_failed_export_says_what_it_has_left(self):
        table = self.table([row(f"h{i}", "s", "v" * 1000) for i in range(200)])
        words = ["export", "--cluster", self.shared.meta, "--table", table, "--quiet"]
        folder = self.own_folder()
        path = os.path.join(folder, "rows")
        for old in (None, b"old rows"):
            if old:
                self.file(path, old)
            failed = self.failed(1, ["writing " + path, "File too large", f"{path} was not written: it is as it was before"],
                                 *words, path, preexec_fn=small_files)
            self.assertNotIn("rows were", failed.err)
            self.assertEqual([self.read(os.path.join(folder, name)) for name in os.listdir(folder)], [old] if old else [])
        os.chmod(folder, 0o555)
        self.addCleanup(os.chmod, folder, 0o755)
        both = lambda: (follows_modes(), small_files())
        self.failed(1, [f"{path} may have a part of the rows: do not use it"], *words, path, preexec_fn=both)

    def test_a_byte_order_mark_is_no_part_of_the_first_key(self):
        mark = b"\xef\xbb\xbf"
        for form, line in (("tsv", b"h\ts\tv\n"), ("jsonl", jsonl([row("h", "s", "v")]))):
            table = self.table()
            words = ["import", "--cluster", self.shared.meta, "--format", form, "--table", table]
            self.done(*words, self.file("marked", mark + line))
            self.done(*words, "-", stdin=mark + line)
            self.assertEqual(self.rows_of(self.shared, table), [row("h", "s", "v")])
            self.failed(3, ["line 1", "UTF-16", "iconv"], *words, "-", stdin=line.decode().encode("utf-16"))
        rows = [row("\ufeffh", "s", "v")]
        first, second = self.table(rows), self.table()
        path = os.path.join(self.folder, "mark.tsv")
        words = ["--cluster", self.shared.meta, "--format", "tsv", path, "--table"]
        self.done("export", *words, first)
        self.done("import", *words, second)
        self.assertEqual(self.rows_of(self.shared, second), rows)

    def test_rows_that_have_expired_are_counted_and_left_out(self):
        now = int(time.time())
        rows = [row("h", "over", "v", now - 100), row("h", "later", "v", now + 5000), row("h", "never", "v")]
        table = self.table([row("h", "over", "lives")])
        words = ["import", "--cluster", self.shared.meta, "--table", table]
        outcome = self.done(*words, "-", stdin=jsonl(rows))
        self.assertRegex(outcome.err, r"Imported 2 rows .*\n.*\n1 rows had expired, by this machine's clock, and were left out")
        outcome = self.done(*words, "--json", "-", stdin=jsonl(rows))
        self.assertEqual(json.loads(outcome.out)["rows"], 2)
        self.assertEqual(json.loads(outcome.out)["rows_expired"], 1)
        self.assertEqual(self.rows_of(self.shared, table), sorted_rows([row("h", "over", "lives"), *rows[1:]]))

    def test_standard_input_is_kept_in_tmpdir(self):
        table, folder = self.table(), self.own_folder()
        words = ["import", "--cluster", self.shared.meta, "--table", table, "-"]
        rows = jsonl([row(f"h{i}", "s", "v" * 100) for i in range(100)])
        nowhere = os.path.join(folder, "nowhere")
        self.failed(3, ["standard input", nowhere, "No such file", "TMPDIR"], *words, stdin=rows, env={"TMPDIR": nowhere})
        full = self.failed(3, ["standard input", folder, "File too large", "TMPDIR"], *words, stdin=rows,
                           env={"TMPDIR": folder}, preexec_fn=small_files)
        self.assertNotIn("Imported", full.err)
        self.done(*words, stdin=rows, env={"TMPDIR": folder})
        self.assertEqual((len(self.rows_of(self.shared, table)), os.listdir(folder)), (100, []))

    def test_the_result_is_json_when_asked_for(self):
        table = self.table()
        path = self.file("rows.jsonl", jsonl([row("h", "s", "v"), row("h", "t", "v")]))
        words = ["--cluster", self.shared.meta, "--table", table, "--json", "--quiet"]
        for verb, file in (("import", path), ("export", path + ".out")):
            outcome = self.done(verb, *words, file)
            self.assertEqual(json.loads(outcome.out)["rows"], 2)
            self.assertGreater(json.loads(outcome.out)["bytes"], 0)
            self.assertEqual(outcome.err, "")
        self.failed(2, ["--json", "stdout"], "export", *words, "-")

    def test_says_by_which_requests_rows_were_sent(self):
        rows = [row(f"few{i // 4}", f"s{i}") for i in range(100)] + [row("many", f"s{i}") for i in range(50)]
        path = self.file("groups.jsonl", jsonl(rows))
        words = ["--cluster", self.shared.meta, "--table", self.table(), path]
        self.assertIn("Sent 100 rows by PUT and 50 rows by MULTI_PUT, 50.0 rows a request.\n", self.done("import", *words).err)
        self.assertEqual(json.loads(self.done("import", *words, "--json").out)["requests"],
                         {"put_rows": 100, "multi_put_rows": 50, "multi_puts": 1, "multi_put_from_rows": 8})

    # So many groups that their number is no accident.
    def test_few_rows_of_a_hash_key_go_by_put_into_a_cluster_with_real_costs(self):
        costly = self.cluster("C", more=["--real-write-cost"])
        rows = [row(f"h{i // 2}", f"s{i}", "v") for i in range(20_000)]
        path = self.file("pairs.jsonl", jsonl(rows))
        words = ["--cluster", costly.meta, "--create", "--table"]
        began = time.monotonic()
        requests = json.loads(self.done("import", *words, "t", "--json", path).out)["requests"]
        self.assertGreater(time.monotonic() - began, 20_000 * 33e-6, "each request costs 33 microseconds")
        self.assertEqual(requests["put_rows"], 20_000)
        self.assertEqual(self.rows_of(costly, "t"), sorted_rows(rows))

    def test_existing_rows_are_overwritten_and_others_stay(self):
        table = self.table([row("h", "a", "old"), row("h", "b", "old")])
        self.fill(self.shared, table, [row("h", "a", "new")])
        self.assertEqual(self.rows_of(self.shared, table), [row("h", "a", "new"), row("h", "b", "old")])

    def test_create_makes_the_table_with_its_partitions(self):
        self.fill(self.shared, "made", [row("h", "s", "v")], "--create", "--partitions", 7)
        shown = self.done("shell", "--cluster", self.shared.meta, "-e", "app made").out
        self.assertRegex(shown, r"partition_count +: 7")
        again = self.failed(3, ["'made'", "--create"], "import", "--cluster", self.shared.meta, "--table", "made",
                            "--create", "-", stdin=jsonl([row("h", "s", "other")]))
        self.assertIn("exist", again.err.lower())
        self.assertEqual(self.rows_of(self.shared, "made"), [row("h", "s", "v")])
        self.failed(2, ["--partitions", "--create"], "import", "--cluster", self.shared.meta, "--table", "made",
                    "--partitions", 4, "-")

    def refused(self, form, line, says, number=3):
        """A file with a bad line is refused whole, before the cluster is changed."""
        good = {"jsonl": b'{"hash_key":"h","sort_key":"s","value":"v"}\n', "tsv": b"h\ts\tv\n"}[form]
        table = self.table()
        path = self.file("bad." + form, good * (number - 1) + line + b"\n" + good)
        self.failed(3, [path, f"line {number}", says], "import", "--cluster", self.shared.meta, "--format", form,
                    "--table", table, path)
        self.failed(3, ["standard input", f"line {number}", says], "import", "--cluster", self.shared.meta,
                    "--format", form, "--table", table, "-", stdin=good * (number - 1) + line)
        self.assertEqual(self.rows_of(self.shared, table), [])
        self.failed(3, [path, f"line {number}"], "import", "--cluster", self.shared.meta, "--format", form,
                    "--table", "never", "--create", path)
        self.assertNotIn("never", self.tables_of(self.shared))

    def test_bad_jsonl_lines_are_named_and_nothing_is_written(self):
        fields = lambda **changed: json.dumps({**row("h", "s", "v"), **changed}).encode()
        self.refused("jsonl", b"nonsense", "JSON")
        self.refused("jsonl", b"[1]", "not a JSON object")
        self.refused("jsonl", fields()[:-1], "JSON", number=1500)
        for line, says in ((b'{"hash_key":"h","value":"v"}', "sort_key"),
                           (fields(valeu="x"), "valeu"), (fields(value=7), '"value" must be'),
                           (fields(value_b64="AAAA"), "both"), (fields(expire_ts=-1), "expire_ts"),
                           (fields(expire_ts=10**20), "expire_ts"), (fields(expire_ts="x"), "expire_ts"),
                           (b'{"hash_key_b64":"!!!!","sort_key":"","value":""}', "hash_key_b64"),
                           (b'{"hash_key":"\xff","sort_key":"","value":""}', "UTF-8"),
                           (b"[" * 100_000, "JSON"), (fields(hash_key="h" * 65535), "hash_key")):
            with self.subTest(line=line[:60]):
                outcome = self.run_words("import", "--cluster", self.shared.meta, "--table", "none", "-", stdin=line)
                self.assertEqual(outcome.code, 3, str(outcome))
                self.assertIn("line 1", outcome.err)
                self.assertIn(says, outcome.err)

    def test_bad_tsv_lines_are_named_and_nothing_is_written(self):
        self.refused("tsv", b"h\ts", "value is missing")
        for line, says in ((b"h", "sort_key"), (b"a\tb\tc\t1\te", "columns"), (b"a\tb\t\\q", "escape"),
                           (b"a\tb\t\\x4", "\\x"), (b"a\tb\tc\tsoon", "expire_ts"), (b"a\tb\tc\t-5", "expire_ts")):
            with self.subTest(line=line):
                outcome = self.run_words("import", "--cluster", self.shared.meta, "--table", "none", "--format",
                                         "tsv", "-", stdin=line)
                self.assertEqual(outcome.code, 3, str(outcome))
                self.assertIn("line 1", outcome.err)
                self.assertIn(says, outcome.err)

    def test_empty_lines_carriage_returns_and_a_missing_last_newline_are_fine(self):
        table = self.table()
        self.done("import", "--cluster", self.shared.meta, "--table", table, "--format", "tsv", "-",
                  stdin=b"a\ts\tv\r\n\r\n\nb\ts\tv\t\nc\ts\tv")
        self.assertEqual(self.rows_of(self.shared, table), [row(key, "s", "v") for key in "abc"])
        self.assertIn("Imported 0 rows", self.done("import", "--cluster", self.shared.meta, "--table", table, "-").err)

    def test_what_does_not_exist_is_named(self):
        path = self.file("one.jsonl", jsonl([row("h", "s", "v")]))
        words = ["--cluster", self.shared.meta, "--table"]
        self.failed(2, ["csv", "jsonl", "tsv"], "import", *words, "t", "--format", "csv", path)
        self.failed(2, ["csv", "jsonl", "tsv"], "export", *words, "t", "--format", "csv", "-")
        self.failed(3, ["nothing.jsonl", "No such file"], "import", *words, "t", "nothing.jsonl")
        self.failed(3, ["'nothing'", "cluster A"], "import", *words, "nothing", path)
        out = os.path.join(self.folder, "kept.jsonl")
        self.file("kept.jsonl", b"mine")
        self.failed(3, ["'nothing'", "cluster A"], "export", *words, "nothing", out)
        with open(out, "rb") as file:
            self.assertEqual(file.read(), b"mine", "an export that fails has overwritten its file")
        table = self.table()
        self.failed(3, ["/nothing/out.jsonl"], "export", *words, table, "/nothing/out.jsonl")
        self.failed(3, [self.folder, "directory"], "import", *words, table, self.folder)
        self.failed(3, [self.folder, "directory"], "export", *words, table, self.folder)

    def test_a_row_that_is_too_large_is_named(self):
        table = self.table()
        refused = self.failed((1, 3), ['"h" : "large"', "too large", "max_allowed_write_size", "cluster A"], "import",
                              "--cluster", self.shared.meta, "--table", table, "-",
                              stdin=jsonl([row("h", "large", "v" * 1_572_864)]))
        self.assertNotIn("partition 0:", refused.err, "a file has no partitions")
        self.assertEqual(self.rows_of(self.shared, table), [])

    def test_an_import_that_waits_for_its_input_can_be_interrupted(self):
        waiting = self.background("import", "--cluster", self.shared.meta, "--table", self.table(), "-",
                                  stdin=subprocess.PIPE)
        waiting.process.stdin.write(b"{")
        waiting.process.stdin.flush()
        self.wait_until(lambda: self.catches_interrupts(waiting.pid), "the import's start")
        waiting.signal(signal.SIGINT)
        self.assertTrue(self.ended_within(waiting, 5), "Ctrl-C did not end an import that waits")
        self.assertEqual(waiting.process.returncode, 7)

    def catches_interrupts(self, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            caught = next(line for line in file if line.startswith("SigCgt"))
        return int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1

    def ended_within(self, process, seconds):
        try:
            process.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True
