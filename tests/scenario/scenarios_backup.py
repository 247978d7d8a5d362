"""Backups and restores through kills at each of their steps."""
import json
import os

from backups import Backups, steps
from metrics_of import uploaded_bytes
from scenario import seconds


class BackupKills(Backups):
    @seconds(60)
    def test_backup_killed_at_every_step(self):
        """The server goes on after each, sends only what is not there, and the backup is whole."""
        self.fill()
        names, resent = steps("backup"), {}
        self.assertGreaterEqual(len(names), 12, names)
        for number, step in enumerate(names):
            self.start_to_die_at(step)
            # The answer may be lost with the server.
            self.run_words("shell", "--cluster", self.a.meta, "-e", "backup 1 local")
            self.wait_for_death()
            there = sum(self.data_files().values())
            self.a.start()
            # Its first write notes the job; before the note there is none to go on with.
            job = self.wait_for_job("done")
            total = self.check_files(job["backup_id"])
            self.assertEqual(job["bytes"], total)
            sent = uploaded_bytes(self.a)
            self.assertEqual(sent, total - there, f"{step}: {there} of {total} bytes were there")
            resent[step] = sent
            self.done("backups", "verify", "--store", "local", "--config", self.config, "--backup",
                      job["backup_id"])
            self.restored(f"copy{number}", "--backup", job["backup_id"])
            self.assertEqual(self.check_equal("t", f"copy{number}", target=self.a), self.ROWS)
            self.assertEqual(self.left_checkpoints(), [], "checkpoints stay on the servers' disks")
            self.done("backups", "rm", "--store", "local", "--config", self.config, "--backup",
                      job["backup_id"], "--yes")
            self.shell(f"drop copy{number} -r 1")
        self.note(f"{len(names)} steps; bytes sent after the restart: {resent}")
        self.assertEqual(resent["backup.end_noted"], 0)
        self.assertGreater(resent["backup.job_noted"], 0)

    def left_checkpoints(self):
        return [os.path.join(folder, name) for folder, names, _ in os.walk(self.a.data) for name in names
                if name.startswith("backup")]

    @seconds(60)
    def test_restore_killed_at_every_step(self):
        self.fill()
        backup = self.backed_up()["backup_id"]
        names = steps("restore")
        self.assertGreaterEqual(len(names), 6, names)
        for number, step in enumerate(names):
            to = f"copy{number}"
            self.start_to_die_at(step)
            self.run_words("shell", "--cluster", self.a.meta, "-e",
                           f"restore_app -c ClusterA -a t -i 1 -t {backup} -b local -n {to}")
            self.wait_for_death()
            self.a.start()
            app_id = self.look_until(lambda: to in self.tables_of(self.a) and self.table(self.a, to).app["app_id"], to)
            self.look_until(lambda: "100%" in self.shell(f"query_restore_status {app_id}"), "the restore's end")
            self.assertEqual(self.check_equal("t", to, target=self.a), self.ROWS)
            self.assertEqual(self.remote("restore.status", app_id)[0][0]["state"], "done")
            self.assertEqual([name for _, names, _ in os.walk(self.a.data) for name in names
                              if name.startswith("restore.")], [], "what was downloaded stays beside the table")
            self.shell(f"drop {to} -r 1")
        self.note(f"{len(names)} steps: {names}")

    @seconds(20)
    def test_a_killed_table_that_was_restored_is_not_restored_again(self):
        """A restored table is a table: rows written after the restore survive restarts."""
        self.fill()
        self.backed_up()
        self.restored("copy")
        self.shell("use copy; set new row value; del user0 field0000")
        self.a.process.process.kill()
        self.a.kill()
        self.a.start()
        rows = self.table(self.a, "copy").rows()
        self.assertIn((b"new", b"row"), rows)
        self.assertNotIn((b"user0", b"field0000"), rows)


class KilledWatchers(Backups):
    @seconds(15)
    def test_a_killed_backup_verb_goes_on(self):
        self.fill()
        self.limit_uploads(1)
        copier = self.background_run(self.backup_words("--json"))
        self.look_until(lambda: (job := self.job()) and job["state"] == "running", "the backup", copier)
        self.kill_hard(copier)
        self.limit_uploads(0)
        report = json.loads(self.done("resume", copier.run, "--state", self.state, "--config", self.config, "--json",
                                      "--quiet").out)
        self.assertEqual(len(self.remote("backup.status")[0]), 1, "a second backup was begun")
        self.assertTrue(report["app_envs_kept"])
        self.assertEqual(report["bytes"], self.check_files(report["backup_id"]))
        self.assertEqual(self.journal.run(copier.run)[0], "done")

    @seconds(15)
    def test_a_killed_restore_verb_goes_on(self):
        self.fill()
        self.shell("use t; set_app_envs replica.slow_query_threshold 30")
        self.backed_up()
        self.remote("nfs.max_copy_rate_megabytes_per_disk", 5, kind="replica-server")
        copier = self.background_run(self.restore_words("copy", "--json"))
        self.look_until(lambda: "copy" in self.tables_of(self.a), "the table", copier)
        self.kill_hard(copier)
        self.remote("nfs.max_copy_rate_megabytes_per_disk", 0, kind="replica-server")
        report = json.loads(self.done("resume", copier.run, "--state", self.state, "--config", self.config, "--json",
                                      "--quiet").out)
        self.assertEqual(report["app_envs"], ["replica.slow_query_threshold"])
        self.assertEqual(self.table(self.a, "copy").envs["replica.slow_query_threshold"], "30")
        self.assertEqual(self.check_equal("t", "copy", target=self.a), self.ROWS)

    @seconds(15)
    def test_a_cancelled_backup_leaves_nothing(self):
        self.fill()
        self.limit_uploads(1)
        copier = self.background_run(self.backup_words())
        self.look_until(self.data_files, "a file in the store", copier)
        self.steer("cancel", copier.run)
        self.assertEqual(copier.finish().code, 7)
        job = self.wait_for_job("cancelled")
        self.look_until(lambda: not os.path.exists(os.path.join(self.store, "ClusterA", str(job["backup_id"]))),
                        "the files' end")
        self.assertEqual(self.journal.run(copier.run)[0], "cancelled")
        self.assertIn("failed", self.shell("query-backup-status 1"))

    @seconds(15)
    def test_a_paused_backup_goes_on_by_itself(self):
        self.fill()
        self.limit_uploads(1)
        copier = self.background_run(self.backup_words())
        self.look_until(self.data_files, "a file in the store", copier)
        self.steer("pause", copier.run)
        self.assertEqual(copier.finish().code, 7)
        self.limit_uploads(0)
        job = self.wait_for_job("done")
        self.check_files(job["backup_id"])

    def background_run(self, words):
        from scenario import Copier
        copier = Copier(words, self.folder)
        self.addCleanup(copier.kill)
        copier.wait_for_run()
        return copier
