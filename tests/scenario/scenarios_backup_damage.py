"""Backups that are damaged, disks that fill, tables that are dropped, and several at once."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.request

from backups import Backups
from scenario import Copier, seconds

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "cold-backup"


class Damage(Backups):
    ROWS = 2_000

    def setUp(self):
        super().setUp()
        self.fill()
        self.backup = self.backed_up()["backup_id"]
        self.base = pathlib.Path(self.table_folder(self.backup))
        self.checkpoint = next((self.base / "1").glob("chkpt_*"))

    def metadata(self):
        return json.loads((self.checkpoint / "backup_metadata").read_text(encoding="utf-8"))

    def write(self, path, data):
        """With the sidecar that a store would write: the damage is in what the file says."""
        import hashlib
        path.write_bytes(data)
        md5 = hashlib.md5(data).hexdigest()
        (path.parent / f".{path.name}.meta").write_text(json.dumps({"md5": md5, "size": len(data)}), encoding="utf-8")

    def check_found(self, name, restore_says=None):
        """Verification names the file; a restore names it, opens nothing and leaves no table."""
        outcome = self.run_words("backups", "verify", "--store", "local", "--config", self.config, "--backup",
                                 self.backup)
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertIn(name, outcome.out, str(outcome))
        refused = self.run_words(*self.restore_words("copy", "--backup", self.backup, "--app-id", 1))
        self.assertEqual(refused.code, 1, str(refused))
        self.assertIn(restore_says or name, refused.err, str(refused))
        self.assertNotIn("copy", self.tables_of(self.a))
        # RocksDB makes a LOCK where it opens a database.
        self.assertEqual([folder for folder, _, names in os.walk(self.a.data) if "LOCK" in names and folder.endswith(
            "rdb") and "/1." not in folder], [], "a partition of a damaged backup was opened")

    @seconds(30)
    def test_every_kind_of_file_flipped_truncated_removed(self):
        table_file = next(file["name"] for file in self.metadata()["files"] if file["name"].endswith(".sst"))
        manifest = next(file["name"] for file in self.metadata()["files"] if file["name"].startswith("MANIFEST"))
        options = next(file["name"] for file in self.metadata()["files"] if file["name"].startswith("OPTIONS"))
        saved = os.path.join(self.folder, "saved")
        shutil.copytree(self.store, saved)
        count = 0
        for path in [self.checkpoint / table_file, self.checkpoint / manifest, self.checkpoint / options,
                     self.checkpoint / "CURRENT", self.checkpoint / "backup_metadata",
                     self.base / "1" / "current_checkpoint", self.base / "meta" / "app_metadata"]:
            for damage in ("flip", "truncate", "remove", "remove sidecar"):
                data = bytearray(path.read_bytes())
                if damage == "flip":
                    data[len(data) // 2] ^= 1
                    path.write_bytes(data)
                elif damage == "truncate":
                    path.write_bytes(data[:len(data) // 2])
                elif damage == "remove":
                    path.unlink()
                else:
                    (path.parent / f".{path.name}.meta").unlink()
                of_table = path.name == "app_metadata"
                self.check_found("app_metadata" if of_table else "partition 1",
                                 "restoring table 't'" if of_table else "partition 1")
                count += 1
                shutil.rmtree(self.store)
                shutil.copytree(saved, self.store)
        self.note(f"{count} damages found and refused")
        self.restored("copy", "--backup", self.backup)
        self.assertEqual(self.check_equal("t", "copy", target=self.a), self.ROWS)

    @seconds(10)
    def test_names_that_lead_outside(self):
        secret = os.path.join(self.folder, "outside")
        pathlib.Path(secret).write_text("nobody may touch this", encoding="utf-8")
        for name in ("../../../../../../outside", "/etc/passwd", "a/b", "..", ""):
            metadata = self.metadata()
            metadata["files"][0]["name"] = name
            self.write(self.checkpoint / "backup_metadata", json.dumps(metadata).encode())
            self.check_found("partition 1", "partition 1")
        self.assertEqual(pathlib.Path(secret).read_text(encoding="utf-8"), "nobody may touch this")
        self.write(self.base / "1" / "current_checkpoint", b"../../../../outside")
        self.check_found("current_checkpoint")

    @seconds(10)
    def test_lists_that_contradict_themselves(self):
        good = self.metadata()
        for change in (lambda it: it["files"].append(it["files"][0]),
                       lambda it: it.update(checkpoint_total_size=1),
                       lambda it: it["files"][0].update(size=-5),
                       lambda it: it["files"][0].update(md5="short"),
                       lambda it: it.update(files=[]) or it.update(checkpoint_total_size=0),
                       lambda it: it.update(files=7)):
            metadata = json.loads(json.dumps(good))
            change(metadata)
            self.write(self.checkpoint / "backup_metadata", json.dumps(metadata).encode())
            self.check_found("backup_metadata", "partition 1")

    @seconds(10)
    def test_bad_partitions_are_skipped_when_asked(self):
        (self.checkpoint / "CURRENT").unlink()
        report = self.restored("copy", "--backup", self.backup, "--skip-bad-partition")
        self.assertEqual(report["skipped_partitions"], [1])
        self.assertIn("skip", self.shell(f"query_restore_status {report['app_id']} -d"))
        self.assertEqual(self.table(self.a, "copy").count(partitions=[1]), 0)
        for partition in (0, 2, 3):
            self.assertEqual(self.table(self.a, "copy").digest(partitions=[partition]),
                             self.table(self.a).digest(partitions=[partition]))
        self.shell("use copy; set user0 field0000 new")

    @seconds(10)
    def test_a_table_that_was_split_keeps_its_rows_apart(self):
        """init_partition_count tells it; without the env the foreign rows of its files would appear."""
        path = self.base / "meta" / "app_metadata"
        app = json.loads(path.read_text(encoding="utf-8"))
        app["init_partition_count"] = 2
        self.write(path, json.dumps(app).encode())
        report = self.restored("copy", "--backup", self.backup)
        self.assertTrue(any("split" in note for note in report["notes"]), report)
        self.assertEqual(self.table(self.a, "copy").envs["replica.split.validate_partition_hash"], "true")

    @seconds(10)
    def test_envs_come_back_or_their_absence_is_told(self):
        self.shell("use t; set_app_envs default_ttl 86400 business.info night rocksdb.usage_scenario normal")
        backup = self.backed_up()["backup_id"]
        report = self.restored("copy", "--backup", backup)
        self.assertEqual(set(report["app_envs"]), {"default_ttl", "business.info"})
        self.assertEqual(self.table(self.a, "copy").envs["default_ttl"], "86400")
        self.assertTrue(any("rocksdb.usage_scenario" in note for note in report["notes"]), report)
        os.unlink(os.path.join(self.store, "ClusterA", str(backup), "pegmove_envs"))
        report = self.restored("bare", "--backup", backup)
        self.assertTrue(any("no app envs" in note for note in report["notes"]), report)


class Golden(Backups):
    def test_the_backup_of_a_real_cluster_restores_with_exactly_its_rows(self):
        shutil.copytree(GOLDEN / "oneboxA", os.path.join(self.store, "ClusterA"))
        report = self.restored("golden", table="golden")
        self.assertEqual(report["partitions"], 4)
        outcome = self.done("shell", "--cluster", self.a.meta, "-e", "escape_all true; use golden; full_scan")
        rows = lambda text: sorted(line for line in text.splitlines() if " => " in line)
        wanted = rows((GOLDEN / "golden.scan.txt").read_text(encoding="utf-8"))
        self.assertGreater(len(wanted), 100)
        self.assertEqual(rows(outcome.out), wanted)
        stock = GOLDEN.parent / "cold-backup-stock" / "embedded"  # one that a real cluster restored
        shutil.copytree(stock, os.path.join(self.store, "ClusterA"), dirs_exist_ok=True)
        self.assertEqual(self.restored("small", table="small")["partitions"], 4)
        rows = self.table(self.a, "small").rows()
        self.assertEqual(sorted(key for key, _ in rows), [b"k%08d" % number for number in range(1_000)])
        self.assertTrue(all(value.startswith(b"backed") or value.startswith(b"#") for value, _ in rows.values()))
        whole = self.run_words("backups", "verify", "--store", "local", "--config", self.config, "--table", "golden",
                               "--backup", next((GOLDEN / "oneboxA").iterdir()).name)
        self.assertEqual(whole.code, 0, str(whole))


class Trouble(Backups):
    @seconds(20)
    def test_a_disk_that_fills_fails_the_backup_and_leaves_none(self):
        os.makedirs(self.store)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"pegmove-scenario", self.store.encode(), b"tmpfs", 0, b"size=%d" % (2 << 20)) != 0:
            self.skipTest(f"no tmpfs can be mounted: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", self.store], check=False)
        self.load(self.a, "t", ((f"k{i}", "s", os.urandom(4_000).hex()) for i in range(2_000)), self.PARTITIONS)
        failed = self.run_words(*self.backup_words())
        self.assertEqual(failed.code, 1, str(failed))
        # Which of the files meets the full disk first, several on their way, is open.
        self.assertRegex(failed.err, r"partition \d: uploading ClusterA/\d+/t_1/\d/chkpt_\S+/[^/ ]+: .*"
                                     r"No space left", str(failed))
        self.assertEqual(self.job()["state"], "failed")
        self.assertEqual([name for _, _, names in os.walk(self.store) for name in names], [], "files stay")
        subprocess.run(["mount", "-o", "remount,size=64m", self.store], check=True)
        report = self.backed_up()
        self.check_files(report["backup_id"])

    @seconds(20)
    def test_two_backups_of_one_table_at_once(self):
        """One is refused; one of a policy goes beside it, and both are whole."""
        self.fill()
        self.limit_uploads(2)
        first = Copier(self.backup_words("--json"), self.folder)
        self.addCleanup(first.kill)
        first.wait_for_run()
        self.look_until(self.data_files, "a file in the store", first)
        outcome = self.run_words("shell", "--cluster", self.a.meta, "-e", "backup 1 local")
        self.assertIn("actively being backed up", outcome.err)
        self.shell("add_backup_policy -p nightly -b local -a 1 -i 86400 -s 24:00 -c 2")
        self.limit_uploads(0)
        report = json.loads(self.finished(first).out)
        self.look_until(lambda: all(job["state"] == "done" for job in self.remote("backup.status")[0]), "both")
        jobs = self.remote("backup.status")[0]
        self.assertEqual(sorted(job["policy"] for job in jobs), ["", "nightly"])
        self.look_until(lambda: "complete" in self.done("backups", "ls", "--store", "local", "--config",
                                                        self.config).out.splitlines()[0], "the round's end")
        for job in jobs:
            self.check_files(job["backup_id"])
            self.restored(f"copy{job['backup_id']}", "--backup", job["backup_id"])
            self.assertEqual(self.check_equal("t", f"copy{job['backup_id']}", target=self.a), self.ROWS)
        self.assertIn(report["backup_id"], [job["backup_id"] for job in jobs])

    @seconds(20)
    def test_one_backup_restored_to_two_clusters_at_once(self):
        self.fill()
        self.backed_up()
        both = []
        for cluster in (self.a, self.b):
            copier = Copier(self.restore_words("copy", "--json", cluster=cluster), self.folder)
            self.addCleanup(copier.kill)
            both.append(copier)
        for copier in both:
            self.finished(copier)
        for cluster in (self.a, self.b):
            self.assertEqual(self.check_equal("t", "copy", source=self.a, target=cluster), self.ROWS)

    @seconds(20)
    def test_a_table_that_is_dropped_in_mid_backup(self):
        self.fill()
        self.limit_uploads(1)
        copier = Copier(self.backup_words(), self.folder)
        self.addCleanup(copier.kill)
        copier.wait_for_run()
        self.look_until(self.data_files, "a file in the store", copier)
        self.shell("drop t")
        outcome = copier.finish()
        self.assertEqual(outcome.code, 1, str(outcome))
        self.assertIn("dropped", outcome.err)
        self.look_until(lambda: not self.data_files(), "the files' end")
        self.shell("recall 1")
        self.limit_uploads(0)
        self.check_files(self.backed_up()["backup_id"])

    @seconds(20)
    def test_a_table_that_is_dropped_in_mid_restore(self):
        self.fill()
        self.backed_up()
        self.remote("nfs.max_copy_rate_megabytes_per_disk", 5, kind="replica-server")
        copier = Copier(self.restore_words("copy"), self.folder)
        self.addCleanup(copier.kill)
        self.look_until(lambda: "copy" in self.tables_of(self.a), "the table", copier)
        self.shell("drop copy -r 1")
        outcome = copier.finish()
        self.assertEqual(outcome.code, 1, str(outcome))
        self.assertIn("dropped", outcome.err)
        self.remote("nfs.max_copy_rate_megabytes_per_disk", 0, kind="replica-server")
        self.restored("copy")
        self.assertEqual(self.check_equal("t", "copy", target=self.a), self.ROWS)

    @seconds(20)
    def test_the_rate_is_kept_and_changes_while_it_runs(self):
        """At 1 MB/s the backup would take many seconds; without a limit it ends at once."""
        self.fill(value_size=1_000)
        self.limit_uploads(1)
        self.shell("backup 1 local")
        job = self.look_until(lambda: (job := self.job()) and job.get("done_bytes") and job, "the beginning")
        self.assertEqual(job["state"], "running")
        self.assertLess(job["done_bytes"], job["all_bytes"])
        self.look_until(lambda: any(value > 0 for value in self.uploading()), "the gauge of what is uploaded")
        self.remote("nfs.max_send_rate_megabytes", 0, kind="replica-server")
        self.limit_uploads(0)
        self.wait_for_job("done", limit_s=10)
        self.assertEqual(set(self.uploading()), {0}, "back to 0 when the backup has ended")

    def check_policy_page(self):
        """As the meta server's page tells of policies."""
        page = f"http://{self.a.meta}/meta/backup_policy"
        for query in ("", "?name=night"):
            with urllib.request.urlopen(page + query, timeout=20) as reply:
                self.assertEqual(json.load(reply), {"night": {
                    "name": "night", "backup_provider_type": "local", "backup_interval": "86400", "app_ids": "[1]",
                    "start_time": "01:30", "status": "enabled", "backup_history_count": "3"}})
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(page + "?policy=night", timeout=20)
        self.assertEqual(refused.exception.code, 400)
        refused.exception.close()

    def uploading(self):
        """As the documentation watches a backup: by the counter's old name."""
        answers = self.remote("perf-counters-by-substr", "cold.backup.max.upload.file.size", kind="replica-server")
        return [counter["value"] for answer in answers for counter in answer["counters"]]

    @seconds(10)
    def test_policies_as_the_shell_types_them(self):
        self.fill()
        self.shell("add_backup_policy -p night -b local -a 1 -i 86400 -s 24:00 -c 1")
        self.look_until(lambda: self.job() and self.job()["state"] == "done", "the first round")
        shown = self.shell("ls_backup_policy")
        for text in ("[night]", "86400s", "{1}", "24:00", "enabled"):
            self.assertIn(text, shown)
        self.look_until(lambda: " - " not in self.shell("query_backup_policy -p night"), "the round's end")
        self.shell("disable_backup_policy -p night; modify_backup_policy -p night -s 01:30 -c 3")
        shown = self.shell("ls_backup_policy -j")
        self.assertIn('"disabled"', shown)
        self.assertIn('"01:30"', shown)
        self.assertIn("policy is already enabled",
                      self.shell("enable_backup_policy -p night; enable_backup_policy -p night"))
        self.check_policy_page()
        job = self.job()
        self.check_files(job["backup_id"])
        info = json.loads(pathlib.Path(self.store, "ClusterA", str(job["backup_id"]), "backup_info").read_text(
            encoding="utf-8"))
        self.assertEqual((info["app_ids"], info["app_names"], info["info_status"]), ([1], {"1": "t"}, 1))
        self.a.stop()
        self.a.start()
        self.assertIn("[night]", self.shell("ls_backup_policy"))
