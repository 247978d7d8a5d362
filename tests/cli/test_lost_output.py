"""What is printed and does not arrive, for instance on a full disk, is a failure: of every verb and of every command of
the shell."""
import json
import os
import subprocess

from harness import PROGRAM, CliTest, environment, row
from test_backup import WithStore

ROWS = [row(f"h{i % 50}", f"s{i}", f"value {i}") for i in range(3000)]
COMMANDS = """help; version; cc; use; timeout; escape_all; cluster_info; cluster_info -j; app t; app t -d; app_disk t;
              ls; ls -d; ls -j; nodes; nodes -d; nodes -j; get_meta_level; get_app_envs; app_stat; hash h s;
              remote_command -t meta-server help; get h1 s1; multi_get h1; multi_get_range h1 "" "";
              multi_get_sortkeys h1; exist h1 s1; count h1; ttl h1 s1; incr n n; set n s v; del n s; multi_set n a b;
              multi_del n a; multi_del_range h2 "" ""; hash_scan h1 "" ""; full_scan;
              count_data -c"""


class LostOutput(WithStore):
    def setUp(self):
        super().setUp()
        self.journal = ["--state", self.state]
        self.pair = ["--config", self.config, "--from", self.a.meta, "--to", self.a.meta, "--table", "t", "--quiet"]
        if "same" in self.tables_of(self.a):
            return
        self.fill(self.a, "t", ROWS)
        self.create(self.a, "other", 2, ROWS[:2])
        self.done("copy", *self.pair, *self.journal, "--to-table", "same", "--create")

    def into(self, out, words, **more):
        return subprocess.run([PROGRAM, *map(str, words)], stdout=out, stderr=subprocess.PIPE, cwd=self.folder,
                              env=environment(self.folder), timeout=60, check=False, **more)

    def lost(self, *words, says="pegmove: writing standard output: ", **more):
        with self.subTest(words=words), open("/dev/full", "wb") as full:
            done = self.into(full, words, **more)
            shown = done.stderr.decode(errors="replace")
            self.assertEqual(done.returncode, 1, shown[-500:])
            self.assertIn(says, shown)

    def begun_runs(self, method):
        listed = json.loads(self.done("list", *self.journal, "--json").out)
        return [one["id"] for one in listed if one["method"] == method]

    def test_help_and_version(self):
        for words in (["--help"], ["--version"], ["copy", "--help"], ["cluster", "start", "--help"]):
            self.lost(*words)

    def test_looking_and_comparing(self):
        for form in ([], ["--json"]):
            self.lost("check", *self.pair, "--to-table", "new", "--create", *form)
            self.lost("copy", *self.pair, *self.journal, "--to-table", "new", "--create", "--dry-run", *form)
            self.lost("verify", *self.pair, *self.journal, "--to-table", "same", *form)
            self.lost("diff", *self.pair, "--to-table", "other", *form, says="standard output: No space left on device")
            self.lost("repair", *self.pair, *self.journal, "--to-table", "same", *form)
            self.lost("repair", *self.pair, *self.journal, "--to-table", "same", "--dry-run", *form)

    def test_moving_rows(self):
        words = ["--cluster", self.a.meta, "--table", "t", "--quiet"]
        exported = os.path.join(self.folder, "t.jsonl")
        self.lost("export", *words, "--json", exported)
        self.lost("export", *words, "-", says="standard output may have a part of the rows: do not use it")
        self.lost("import", *words, "--json", exported)
        self.assertEqual(len(self.rows_of(self.a, "t")), len(ROWS) + 1)
        for form in ([], ["--json"]):
            self.lost("copy", *self.pair, *self.journal, "--to-table", f"copied{len(form)}", "--create", *form)
        # The work is done all the same.
        self.assertEqual(len(self.rows_of(self.a, "copied0")), len(ROWS) + 1)

    def test_backups(self):
        self.lost(*self.run_verb("backup", "--from", self.a.meta, "--table", "other"))
        self.lost(*self.run_verb("restore", "--to", self.a.meta, "--cluster", "A", "--table", "other", "--to-table",
                                 "restored"))
        place = ["--config", self.config, "--store", "local"]
        kept = json.loads(self.done("backups", "ls", *place, "--json").out)
        for form in ([], ["--json"]):
            self.lost("backups", "ls", *place, *form)
            self.lost("backups", "show", *place, "--backup", kept[0]["backup_id"], *form)
            self.lost("backups", "verify", *place, "--backup", kept[0]["backup_id"], *form)
        self.lost("backups", "rm", *place, "--backup", kept[0]["backup_id"], "--yes")

    def test_runs(self):
        run = self.begun_runs("copy")[-1]
        for form in ([], ["--json"]):
            self.lost("list", *self.journal, *form)
            self.lost("status", run, *self.journal, *form)
            self.lost("status", run, *self.journal, "--watch", *form)
        died = self.run_words("copy", *self.pair, *self.journal, "--to-table", "died", "--create", "--die-at",
                              "copy-rows.begun")
        self.assertLess(died.code, 0, str(died))
        run = self.begun_runs("copy")[0]
        self.lost("set", run, "max-rows-per-second=0", *self.journal)
        self.lost("cancel", run, *self.journal)
        self.lost("forget", run, *self.journal)

    def test_a_cluster_that_cannot_say_that_it_is_ready_ends(self):
        data = os.path.join(self.own_folder(), "data")
        words = ["--name", "C", "--data", data, "--meta-port", 0]
        self.lost("cluster", "start", *words)
        self.addCleanup(self.run_words, "cluster", "stop", "--data", data)
        self.done("cluster", "start", *words, "--detach")
        self.lost("cluster", "status", "--data", data)
        self.lost("cluster", "status", "--data", data, "--json")
        self.lost("cluster", "stop", "--data", data)
        self.assertIn("was not running", self.done("cluster", "stop", "--data", data).out)

    def test_every_command_of_the_shell(self):
        self.create(self.a, "typed", 4, ROWS)
        self.done("shell", "--cluster", self.a.meta, "-e", "use typed; set_app_envs default_ttl 86400")
        for command in COMMANDS.replace("\n", " ").split(";"):
            typed = "use typed; " + command.strip()
            self.lost("shell", "--cluster", self.a.meta, "-e", typed)
            self.assertNotEqual(self.done("shell", "--cluster", self.a.meta, "-e", typed).out, "", typed)

    def test_a_script_ends_where_its_output_is_lost(self):
        script = "use t\nfull_scan\nset after full_scan v\n"
        path = os.path.join(self.folder, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        self.lost("shell", "--cluster", self.a.meta, path)
        self.lost("shell", "--cluster", self.a.meta, input=script.encode())
        self.assertEqual([one for one in self.rows_of(self.a, "t") if one["hash_key"] == "after"], [])

    def test_a_scan_into_a_full_file_ends_early_and_names_it(self):
        outcome = self.run_words("shell", "--cluster", self.a.meta, "-e", "use t; full_scan -o /dev/full")
        self.assertEqual(outcome.code, 1, str(outcome))
        self.assertIn("ERROR: cannot write file /dev/full", outcome.err)
        self.assertLess(int(outcome.out.split()[0]), len(ROWS))
        outcome = self.run_words("shell", "--cluster", self.a.meta, "-e", "use t; ls -o /dev/full")
        self.assertEqual(outcome.code, 1, str(outcome))

    def test_a_reader_that_ends_and_an_output_that_is_closed(self):
        reading, writing = os.pipe()
        os.close(reading)
        done = self.into(writing, ["list", *self.journal])
        os.close(writing)
        self.assertEqual((done.returncode, done.stderr),
                         (1, b"pegmove: writing standard output: Broken pipe\n"))
        # The next file that is opened must not get its number: the rows would be followed by the result.
        path = os.path.join(self.folder, "only rows")
        done = self.into(None, ["export", "--cluster", self.a.meta, "--table", "other", "--json", "--quiet", path],
                         preexec_fn=lambda: os.close(1))
        self.assertEqual((done.returncode, done.stderr),
                         (1, b"pegmove: writing standard output: Bad file descriptor\n"))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(len([json.loads(line) for line in file]), 2)
