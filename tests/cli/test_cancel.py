"""What `pegmove cancel` did is what it says: for every method, in the process of the run and in another one,
against an embedded cluster and against a meta server that acts as real ones do."""
import json
import os
import re
import signal

from harness import CliTest, row
from real_like import RealLike


class Cancel(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = os.path.join(cls.folder, "config.ini")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.local]\ntype = local_service\nargs = {cls.folder}/store\n")
        cls.a = cls.shared_cluster("A", more=["--config", cls.config])
        cls.real = RealLike(cls.a.meta)
        cls.addClassCleanup(cls.real.close)

    def setUp(self):
        self.state = os.path.join(self.own_folder(), "journal.db")
        self.common = ["--config", self.config, "--state", self.state]
        if "t" not in self.tables_of(self.a):
            self.create(self.a, "t", 2, [row(f"h{i}", "s", "v" * 10_000) for i in range(600)])

    def shell(self, text):
        return self.done("shell", "--cluster", self.a.meta, "-e", text).out

    def limit_uploads(self, megabytes):
        self.shell(f"remote_command -t replica-server nfs.max_send_rate_megabytes_per_disk {megabytes}")

    def begun(self, *words):
        process = self.background(*words, *self.common)
        return process, process.stderr_until(r"run ([a-z]+-\d+-\d+);")[1]

    def died(self, point, *words):
        outcome = self.run_words(*words, *self.common, "--quiet", "--die-at", point)
        self.assertEqual(outcome.code, -signal.SIGKILL, str(outcome))
        return json.loads(self.done("list", "--state", self.state, "--json").out)[0]["id"]

    def cancelled(self, run, code, *says):
        """Cancels; what it says is on stderr and in the journal."""
        outcome = self.run_words("cancel", run, *self.common)
        self.assertEqual((outcome.code, outcome.out), (code, f"Run {run} is cancelled.\n"), str(outcome))
        kept = json.loads(self.done("status", run, "--state", self.state, "--json").out)["result"]["cancelled"]
        for words in says:
            self.assertIn(words, outcome.err)
            self.assertIn(words, " ".join(each["says"] for each in kept))
        return outcome

    def test_a_backup_on_an_embedded_cluster_is_ended(self):
        self.limit_uploads(1)
        process, run = self.begun("backup", "--from", self.a.meta, "--table", "t", "--store", "local")
        process.stderr_until("backing up: ")
        self.cancelled(run, 0, "was ended on the cluster, which removes what was uploaded")
        ended = process.finish()
        self.assertEqual(ended.code, 7, str(ended))
        self.assertIn("was ended on the cluster", ended.err)
        self.limit_uploads(0)

    def test_a_backup_on_a_real_cluster_cannot_be_ended_and_nobody_says_that_it_was(self):
        self.limit_uploads(1)
        process, run = self.begun("backup", "--from", self.real.meta, "--table", "t", "--store", "local")
        process.stderr_until("backing up: ")
        outcome = self.cancelled(run, 1, "this version of Pegasus cannot end a backup")
        self.assertIn("not undone: backup ", outcome.err)
        ended = process.finish()
        self.assertEqual(ended.code, 7, str(ended))
        self.assertIn("cannot end a backup", ended.err)
        self.assertNotIn("removed", ended.err.replace("remove it", ""))
        backup = re.search(r"backup (\d+) of table", ended.err)[1]
        self.limit_uploads(0)
        self.wait_until(lambda: backup in self.done("backups", "ls", "--config", self.config, "--store", "local").out,
                        "the end of the backup, which continues")

    def test_each_method_says_what_stays(self):
        pair = ["--from", self.a.meta, "--to", self.a.meta, "--table", "t", "--to-table", "copy"]
        run = self.died("copy-rows.acted", "copy", *pair, "--create")
        self.cancelled(run, 0, "stay in table copy", "the source is unchanged", "which this run created, stays")
        run = self.died("compare.begun", "verify", *pair)
        self.cancelled(run, 0)
        run = self.died("repair.begun", "repair", *pair)
        self.cancelled(run, 0, "rows that were repaired stay")
        run = self.died("start-backup.acted", "backup", "--from", self.a.meta, "--table", "t", "--store", "local")
        self.wait_until(lambda: "complete" in self.done("backups", "ls", "--config", self.config, "--store", "local").out,
                        "a complete backup")
        self.cancelled(run, 0, "is complete and stays")
        run = self.died("start-restore.done", "restore", "--to", self.real.meta, "--store", "local", "--cluster", "A",
                        "--table", "t", "--to-table", "restored")
        self.cancelled(run, 0, "table restored", "drop it if you do not need it")
        self.shell("create split -p 4")
        words = ["--table", "t", "--to", "local:/split", "--cluster", "A", "--to-table", "split"]
        clusters = os.path.join(self.own_folder(), "clusters.ini")
        with open(self.config, encoding="utf-8") as servers, open(clusters, "w", encoding="utf-8") as file:
            file.write(servers.read() + f"\n[pegasus.clusters]\nA = {self.a.meta}\n")
        self.common[1] = clusters
        run = self.died("split-rows.acted", "split", "--from", "local:/A", *words)
        self.cancelled(run, 0, "files that were written stay in local:/split/A/split")

    def test_a_run_whose_undo_is_impossible_is_abandoned(self):
        other = self.cluster("B", more=["--config", self.config])
        self.create(other, "t", 2, [row("h", "s", "v")])
        run = self.died("start-backup.acted", "backup", "--from", other.meta, "--table", "t", "--store", "local")
        other.kill()
        outcome = self.run_words("cancel", run, *self.common, "--timeout", "1s")
        self.assertEqual(outcome.code, 1, str(outcome))
        self.assertIn(f"Run {run} is cancelling.", outcome.out)
        self.assertIn("--abandon", outcome.err)
        self.failed(1, "is being cancelled", "pause", run, *self.common)
        self.assertEqual(json.loads(self.done("list", "--state", self.state, "--json").out)[0]["state"], "cancelling")
        abandoned = self.run_words("cancel", run, *self.common, "--abandon")
        self.assertEqual((abandoned.code, abandoned.out), (1, f"Run {run} is cancelled.\n"), str(abandoned))
        self.assertIn("not undone: step start-backup", abandoned.err)
        self.done("forget", run, "--state", self.state)
        self.assertEqual(self.done("list", "--state", self.state).out, "No runs.\n")

    def test_a_dry_run_shows_the_steps_and_changes_nothing(self):
        words = ["copy", "--from", self.a.meta, "--to", self.a.meta, "--table", "t", "--to-table", "dry", "--create"]
        text = self.done(*words, *self.common, "--dry-run", "--quiet").out
        self.assertRegex(text, r"^1\. create table dry on .*\n2\. copy every row of table t .*\n3\. ")
        steps = json.loads(self.done(*words, *self.common, "--dry-run", "--json", "--quiet").out)
        self.assertEqual([step["step"] for step in steps], ["make-target", "copy-rows", "finish-target"])
        self.assertNotIn("dry", self.tables_of(self.a))
        self.assertFalse(os.path.exists(self.state))
