"""A real meta server may never end a backup whose files are all in the store: what `backup`, `backups verify --finish`
and `resume` do then, and that the backup restores."""
import contextlib
import json
import os
import pty
import re
import subprocess

from harness import PROGRAM, CliTest, environment, row
from real_like import RealLike
from wait import LIMIT_S


class UnendedBackup(CliTest):
    def setUp(self):
        folder = self.own_folder()
        self.store = os.path.join(folder, "store")
        self.config = os.path.join(folder, "config.ini")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.local]\ntype = local_service\nargs = {self.store}\n")
        self.common = ["--config", self.config, "--state", os.path.join(folder, "journal.db")]
        self.a = self.cluster("A", more=["--config", self.config, "--backups-never-end"])
        self.create(self.a, "t", 4, [row(f"h{i}", "s", "v") for i in range(40)])
        self.real = RealLike(self.a.meta)
        self.addCleanup(self.real.close)

    def backup(self, *more):
        return ["backup", "--from", self.real.meta, "--table", "t", "--store", "local", "--end-within", "100ms",
                *self.common, *more]

    def backups(self, verb, *more):
        return ["backups", verb, "--config", self.config, "--store", "local", *more]

    def listed(self):
        return json.loads(self.done(*self.backups("ls", "--json")).out)[0]

    def info(self):
        """backup_info, which must be in the form of real meta servers."""
        backup = self.listed()
        with open(os.path.join(self.store, "A", str(backup["backup_id"]), "backup_info"), encoding="utf-8") as file:
            text = file.read()
        number, app = backup["backup_id"], backup["tables"][0]["app_id"]
        self.assertEqual(text, f'{{"backup_id":{number},"start_time_ms":{number},"end_time_ms":0,"app_id":{app},'
                               '"app_name":"t"}')

    def restores(self):
        self.done("restore", "--to", self.a.meta, "--store", "local", "--cluster", "A", "--table", "t", "--to-table",
                  "again", "--quiet", *self.common)
        self.assertEqual(self.rows_of(self.a, "again"), self.rows_of(self.a, "t"))

    def test_it_is_finished_when_that_is_asked_for_and_restores(self):
        outcome = self.done(*self.backup("--finish"))
        self.assertRegex(outcome.err, r"all 4 partitions of backup \d+ are complete in local:/A/\d+, but the meta server "
                                      "has not ended the backup within 100 ms")
        self.assertIn("refuses further backups of table t until it is restarted", outcome.out)
        self.info()
        self.restores()
        refused = self.run_words(*self.backup("--finish"))
        self.assertEqual(refused.code, 1, str(refused))
        self.assertIn("until it is restarted", refused.err)

    def test_nobody_is_asked_in_a_pipe_and_the_files_are_finished_by_hand(self):
        outcome = self.run_words(*self.backup())
        self.assertEqual(outcome.code, 1, str(outcome))
        run = re.search(r"pegmove resume ([a-z]+-\d+-\d+)", outcome.err)[1]
        listed = self.listed()
        self.assertEqual(listed["state"], "unfinished")
        self.assertIn("--finish", listed["why"])
        number = listed["backup_id"]
        self.assertIn(f"`pegmove backups verify --store local --backup {number} --finish`", outcome.err)
        self.assertEqual(self.run_words(*self.backups("verify", "--backup", number)).code, 4)
        self.failed(2, "--sample", *self.backups("verify", "--finish", "--sample", 50, "--backup", number))
        finished = self.done(*self.backups("verify", "--finish", "--backup", number))
        self.assertIn("Undamaged: table t", finished.out)
        self.assertIn("can be restored", finished.err)
        self.info()
        self.done(*self.backups("verify", "--finish", "--backup", number))  # again: it is complete
        self.assertIn("has not ended the backup", self.done("resume", run, *self.common).out)
        self.restores()

    def test_damaged_files_are_not_finished(self):
        self.assertEqual(self.run_words(*self.backup("--quiet")).code, 1)
        number = self.listed()["backup_id"]
        partition = os.path.join(self.store, "A", str(number), "t_1", "2")
        with open(os.path.join(partition, "current_checkpoint"), encoding="utf-8") as file:
            damaged = os.path.join(partition, file.read(), "CURRENT")
        with open(damaged, "a", encoding="utf-8") as file:
            file.write("x")
        outcome = self.run_words(*self.backups("verify", "--finish", "--backup", number))
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertIn("/CURRENT", outcome.out)
        self.assertEqual(self.listed()["state"], "unfinished")

    def on_terminal(self, words, answer):
        """Runs the program on a terminal, and answers its question. Returns its exit code and what it showed."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = subprocess.Popen([PROGRAM, *words], stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs,
                                   env=environment(self.folder))
        self.addCleanup(process.kill)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while piece := os.read(ours, 4096):
                shown += piece
                if b"[y/N]" in shown and answer:
                    os.write(ours, answer.encode() + b"\n")
                    answer = ""
        return process.wait(LIMIT_S), shown.decode()

    def test_on_a_terminal_it_asks(self):
        code, shown = self.on_terminal(self.backup(), "n")
        self.assertEqual(code, 1, shown)
        run = re.search(r"pegmove resume ([a-z]+-\d+-\d+)", shown)[1]
        code, shown = self.on_terminal(["resume", run, *self.common], "y")
        self.assertEqual(code, 0, shown)
        self.info()
