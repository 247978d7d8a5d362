"""What becomes of the file of an old journal: looked at, kept, refused."""
import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import struct

from old_world import OldWorld

VERSION = 2  # of this program's journals


def version_of(path):
    with contextlib.closing(sqlite3.connect(path)) as journal:
        return journal.execute("PRAGMA user_version").fetchone()[0]


def content_of(path, tables):
    with contextlib.closing(sqlite3.connect(path)) as journal:
        return {table: journal.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


class JournalFile(OldWorld):
    @classmethod
    def start(cls):
        """No cluster is needed, and each test has a copy of the file."""
        cls.old = cls.world.state

    def setUp(self):
        folder = os.path.join(self.folder, self.id().rsplit(".", 1)[1])
        os.makedirs(folder)
        self.world.state = os.path.join(folder, "journal.db")
        shutil.copyfile(self.old, self.world.state)

    def test_list_and_status_of_every_run(self):
        old = {run: (state, rows) for run, state, rows in self.world.ask("SELECT id, state, rows FROM runs")}
        outcome = self.pegmove("list", "--json", "--most", 1000)
        self.assertEqual(outcome.code, 0, str(outcome))
        listed = {run["id"]: run for run in json.loads(outcome.out)}
        self.assertEqual(set(listed), set(old))
        self.assertEqual(set(listed), set(self.runs.values()))
        text = self.pegmove("list", "--most", 1000).out
        for run, (state, rows) in old.items():
            shown = "killed" if state == "running" else state
            self.assertEqual((listed[run]["state"], listed[run]["rows"]), (shown, rows), run)
            status = self.status(run)
            self.assertEqual((status["id"], status["state"], status["rows"]), (run, shown, rows))
            self.assertIn(f"{run}: {shown}", self.pegmove("status", run).out)
            self.assertIn(run, text)

    def test_runs_that_are_over_keep_their_reports(self):
        for name, field, value in (("copy_done", "rows", 300), ("verify_done", "verdict", "equal"),
                                   ("verify_differs", "verdict", "different"), ("repair_extra_left", "extra_left", 1),
                                   ("backup_done", "partitions", 2), ("restore_done", "partitions", 4),
                                   ("split_done", "files", 2), ("load_done", "partitions", 2)):
            with self.subTest(name):
                self.assertEqual(self.status(self.runs[name])["result"][field], value)

    def test_a_copy_of_the_old_file_is_kept(self):
        tables = ("runs", "lanes", "changes")
        before = content_of(self.world.state, tables)
        self.assertEqual(version_of(self.world.state), 1)
        self.assertEqual(self.pegmove("list").code, 0)
        kept = self.world.state + ".v1"
        self.assertEqual((version_of(self.world.state), version_of(kept)), (VERSION, 1))
        self.assertEqual(content_of(kept, tables), before)
        self.assertEqual(os.stat(kept).st_mode & 0o777, 0o600)
        with open(kept, "rb") as file:
            content = file.read()
        self.assertEqual(self.pegmove("list").code, 0)
        with open(kept, "rb") as file:
            self.assertEqual(file.read(), content)

    def test_a_newer_journal_is_refused_and_stays(self):
        with contextlib.closing(sqlite3.connect(self.world.state)) as journal:
            journal.execute("PRAGMA user_version = 99")
        for words in (["list"], ["status", "copy-20200101-1"], ["resume", "copy-20200101-1"],
                      ["cancel", "copy-20200101-1"]):
            refused = self.pegmove(*words)
            self.assertEqual((refused.code, refused.out), (1, ""), str(refused))
            self.assertIn("created by a newer pegmove (version 99", refused.err)
        self.assertEqual(version_of(self.world.state), 99)
        self.assertEqual(sorted(os.listdir(os.path.dirname(self.world.state))), ["journal.db"])

    def test_a_journal_in_use_by_the_old_program_is_refused_until_that_has_ended(self):
        run = self.runs["copy_killed"]
        with open(f"{self.world.state}.{run}.lock", "w", encoding="utf-8") as lock:
            lock.write("4711")
            lock.flush()
            # As the program locks it: for this open file.
            whole = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            fcntl.fcntl(lock, fcntl.F_OFD_SETLK, whole)
            for words in (["list"], ["resume", self.runs["copy_paused"]], ["cancel", run]):
                refused = self.pegmove(*words)
                self.assertEqual((refused.code, refused.out), (1, ""), str(refused))
                self.assertIn(f"process 4711 of an older pegmove works on run {run}", refused.err)
            self.assertEqual(version_of(self.world.state), 1)
            self.assertFalse(os.path.exists(self.world.state + ".v1"))
        self.assertEqual(self.pegmove("list").code, 0)
        self.assertEqual(version_of(self.world.state), VERSION)

