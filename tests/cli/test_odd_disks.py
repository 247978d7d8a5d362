"""File systems that lack something: build/release/odd_disk.so takes it away (testing/odd_disk.cc)."""
import os
import unittest.mock

from harness import PROGRAM, CliTest, Cluster, row, run_program

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(PROGRAM)), "pegmove_odd_disk.so")


def without(*parts):
    return {"LD_PRELOAD": LIBRARY, "PEGMOVE_TEST_ODD_DISK": ",".join(parts)}


class OddDisks(CliTest):
    def run_without(self, parts, *words):
        return run_program(words, self.folder, env=without(*parts))

    def done_without(self, parts, *words):
        outcome = self.run_without(parts, *words)
        self.assertEqual(outcome.code, 0, str(outcome))
        return outcome

    def test_the_library_takes_something_away(self):
        """Else the tests below would pass without a reason."""
        self.assertTrue(os.path.exists(LIBRARY), LIBRARY)
        outcome = self.run_without(["locks"], "list", "--state", os.path.join(self.folder, "probe.db"))
        self.assertEqual(outcome.code, 1, str(outcome))


class FolderSync(OddDisks):
    def test_a_cluster_a_backup_and_a_split_work_where_folders_cannot_be_synced(self):
        """Also where there are no hard links: the checkpoints of the backup are copies."""
        parts = ["folder-sync", "links"]
        config = os.path.join(self.folder, "config.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.local]\ntype = local_service\nargs = {self.folder}/store\n")
        with unittest.mock.patch.dict(os.environ, without(*parts)):
            cluster = Cluster(self.folder, "A", more=["--config", config])
        self.addCleanup(cluster.kill)
        rows = [row(f"h{i}", "s", f"v{i}") for i in range(50)]
        self.create(cluster, "t", 4, rows)
        self.create(cluster, "other", 8)
        options = ["--state", os.path.join(self.folder, "journal.db"), "--config", config, "--quiet"]
        self.done("backup", *options, "--from", cluster.meta, "--table", "t", "--store", "local")
        self.done_without(["folder-sync"], "split", *options, "--from", "local:/A", "--table", "t", "--to",
                          "local:/split", "--cluster", cluster.meta, "--to-table", "other")
        self.done_without(["folder-sync"], "load", *options, "--from", "local:/split", "--to", cluster.meta, "--table",
                          "other")
        self.assertEqual(self.rows_of(cluster, "other"), self.rows_of(cluster, "t"))


class Locks(OddDisks):
    def test_a_data_folder_without_locks_is_not_in_use(self):
        data = os.path.join(self.own_folder(), "data")
        outcome = self.run_without(["flock"], "cluster", "start", "--name", "A", "--data", data, "--meta-port", 0)
        self.assertEqual(outcome.code, 3, str(outcome))
        self.assertIn(f"locking {data}/LOCK: No locks available; choose a data folder on a local disk", outcome.err)


class Journals(OddDisks):
    def check(self, part, says):
        state = os.path.join(self.own_folder(), "journal.db")
        for is_there in (False, True):
            if is_there:
                self.done("list", "--state", state)
            outcome = self.run_without([part], "list", "--state", state)
            if part == "links" and is_there:  # they are for new journals only
                self.assertEqual(outcome.code, 0, str(outcome))
                continue
            self.assertEqual(outcome.code, 1, str(outcome))
            for text in (f"journal {state}: ", says, "choose a local file with --state"):
                self.assertIn(text, outcome.err)
            for text in ("another process", "disk space", ".new."):
                self.assertNotIn(text, outcome.err)
            if not is_there:
                self.assertEqual(os.listdir(os.path.dirname(state)), [])
        self.done("list", "--state", state)

    def test_without_locks(self):
        self.check("locks", "file locks do not work on its file system")

    def test_without_links(self):
        self.check("links", "hard links do not work on its file system")

    def test_without_shared_mappings(self):
        self.check("shared", "mappings of a file that processes share do not work on its file system")
