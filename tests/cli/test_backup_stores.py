"""Backups in stores that are not as they should be: folders without their dot files, S3 servers that list only some
of the keys."""
import json
import os
import re
import shutil
import sys
import unittest.mock

from harness import CliTest, row

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "journals"))
from object_store import CREDENTIALS, ObjectStore  # noqa: E402

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden", "cold-backup-stock", "embedded")
BACKUP = "1795400000001"  # table small, id 7, 4 partitions


class WithStore(CliTest):
    def write_config(self, text):
        self.config = os.path.join(self.own_folder(), "config.ini")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def backups(self, verb, *more, **options):
        return self.run_words("backups", verb, "--config", self.config, "--store", "x", *more, **options)


class DotFiles(WithStore):
    def setUp(self):
        """A golden backup, copied as `cp -r *` copies it."""
        self.store = os.path.join(self.own_folder(), "store")
        self.root = os.path.join(self.store, "embedded")
        shutil.copytree(GOLDEN, self.root, ignore=shutil.ignore_patterns(".*"))
        self.write_config(f"[block_service.x]\ntype = local_service\nargs = {self.store}\n")

    def dot_files(self, root):
        return {os.path.relpath(os.path.join(folder, name), root): open(os.path.join(folder, name), "rb").read()
                for folder, _, names in os.walk(root) for name in names if name.startswith(".")}

    def test_the_sidecars_are_named_and_written_again(self):
        listed = self.backups("ls").out
        for text in (BACKUP, "unfinished", "backup_info is there, but its sidecar is missing",
                     "`pegmove backups verify --write-sidecars`"):
            self.assertIn(text, listed)
        for text in ("in progress", "abandoned"):
            self.assertNotIn(text, listed)
        outcome = self.backups("verify", "--backup", BACKUP)
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertIn("its sidecar is missing", outcome.out + outcome.err)
        cluster = self.cluster(more=["--config", self.config])
        restore = ["restore", "--config", self.config, "--state", os.path.join(self.folder, "journal.db"), "--quiet",
                   "--store", "x", "--cluster", "embedded", "--to", cluster.meta, "--table", "small"]
        self.failed(3, "its sidecar is missing", *restore)
        outcome = self.backups("verify", "--write-sidecars", "--backup", BACKUP)
        self.assertEqual(outcome.code, 0, str(outcome))
        self.assertRegex(outcome.out, r"(?m)^Undamaged: table small .*\nWrote \d+ sidecars\.$")
        self.assertEqual(self.dot_files(self.root), self.dot_files(GOLDEN))
        self.assertEqual(self.backups("verify", "--backup", BACKUP).code, 0)
        self.assertIn("complete", self.backups("ls").out)
        self.done(*restore)
        self.assertGreater(len(self.rows_of(cluster, "small")), 0)

    def test_none_are_written_for_damaged_files(self):
        checkpoint = os.path.join(self.root, BACKUP, "small_7", "2", "chkpt_embedded_34801")
        name = next(name for name in os.listdir(checkpoint) if name.endswith(".sst"))
        with open(os.path.join(checkpoint, name), "r+b") as file:
            file.write(b"\xff\xff")
        outcome = self.backups("verify", "--write-sidecars", "--json", "--backup", BACKUP)
        self.assertEqual(outcome.code, 4, str(outcome))
        verdict = json.loads(outcome.out)[0]
        self.assertEqual((verdict["verdict"], verdict["problem_count"], verdict["sidecars_written"]), ("damaged", 1, 0))
        self.assertIn(name, verdict["problems"][0]["file"])
        self.assertEqual(self.dot_files(self.root), {})

    def test_what_cannot_be_checked_is_refused(self):
        outcome = self.backups("verify", "--write-sidecars", "--sample", 50, "--backup", BACKUP)
        self.assertEqual(outcome.code, 2, str(outcome))
        self.assertEqual(self.dot_files(self.root), {})
        self.write_config("[block_service.x]\ntype = s3_service\nargs = http://127.0.0.1:1 bucket\n")
        outcome = self.backups("verify", "--write-sidecars", "--backup", BACKUP, env=CREDENTIALS)
        self.assertEqual(outcome.code, 2, str(outcome))
        self.assertIn("only a local_service has them", outcome.err)

    def test_a_backup_that_is_in_progress_stays_so(self):
        with open(os.path.join(self.root, BACKUP, "small_7", "pegmove_unfinished"), "w", encoding="utf-8") as file:
            file.write("x")
        outcome = self.backups("verify", "--write-sidecars", "--backup", BACKUP)
        self.assertEqual(outcome.code, 4, str(outcome))
        self.assertIn("in progress, or was abandoned", outcome.out)
        self.assertEqual(self.dot_files(self.root), {})


class S3Lists(WithStore):
    def serve(self, **options):
        self.objects = ObjectStore(os.path.join(self.own_folder(), "bucket"), **options)
        self.addCleanup(self.objects.close)
        self.write_config(f"[block_service.x]\ntype = s3_service\nargs = {self.objects.args}\n")

    def back_up(self):
        with unittest.mock.patch.dict(os.environ, CREDENTIALS):
            cluster = self.cluster(more=["--config", self.config])
        self.create(cluster, "t", 8, [row(f"h{i}", "s", "v") for i in range(20)])
        words = ["--config", self.config, "--state", os.path.join(self.folder, "journal.db"), "--quiet", "--store", "x"]
        report = json.loads(self.done("backup", *words, "--from", cluster.meta, "--table", "t", "--json",
                                      env=CREDENTIALS).out)
        return report["backup_id"]

    def test_all_pages_are_listed_and_removed(self):
        self.serve(page_keys=3)
        backup = self.back_up()
        self.assertIn(f"{backup}  complete", self.backups("ls", env=CREDENTIALS).out)
        self.assertEqual(self.backups("rm", "--backup", backup, "--yes", env=CREDENTIALS).code, 0)
        self.assertEqual(self.objects.keys(), [])

    def test_a_list_that_is_cut_ends_with_an_error(self):
        self.serve()
        backup = self.back_up()
        self.objects.no_token = True
        # The first two end before they change anything. The last one removes the metadata, and then fails.
        remove = ["rm", "--backup", backup, "--yes"]
        for page_keys, words in ((2, ["ls"]), (2, remove), (3, remove)):
            before = self.objects.keys()
            self.objects.page_keys = page_keys
            outcome = self.backups(*words, env=CREDENTIALS)
            self.assertEqual(outcome.code, 1, str(outcome))
            self.assertRegex(outcome.err, re.compile("only some of the keys.*NextContinuationToken", re.S))
            self.assertNotIn("Removed", outcome.out)
            self.assertEqual(before == self.objects.keys(), page_keys == 2)
