"""The journal's file is away, damaged, full: what the program says, and that nothing is lost by it."""
import ctypes
import os
import subprocess

from scenario import DONE, FAILED, PREFLIGHT, USAGE, Journal, Scenario
from tables import many_rows

ROWS = 20_000


class JournalFile(Scenario):
    REPLICAS = (1, 1)

    def setUp(self):
        super().setUp()
        self.load(self.a, "t", many_rows(ROWS), 4)

    def killed_in_the_middle(self):
        copier = self.copier("--create", "--max-rows-per-second", 5_000)
        self.wait_for_rows(copier, ROWS // 4)
        self.kill_hard(copier)
        self.hurry(copier.run)
        return copier.run

    def check_refused(self, path, *says):
        for words in (["resume", "copy-20260101-1"], ["status", "copy-20260101-1"], ["list"], self.words("--create")):
            words = [word for word in words if word not in ("--state", self.state)]
            self.failed_saying((FAILED, USAGE, PREFLIGHT), [os.path.dirname(path), *says], *words, "--state", path)
        self.assertEqual(self.tables_of(self.b), [], "a copy that cannot be noted is not begun")

    def test_no_journal_where_the_run_is_looked_for(self):
        run, other = self.killed_in_the_middle(), os.path.join(self.folder, "other.db")
        self.failed_saying((FAILED, USAGE), [run, other], "resume", run, "--state", other)
        self.failed_saying((FAILED, USAGE), [run, other], "status", run, "--state", other)
        self.resumed(run)
        self.assertEqual(self.check_equal(), ROWS)

    def test_a_file_that_is_no_journal_stays_as_it_is(self):
        path = os.path.join(self.folder, "notes.txt")
        for text in (b"nothing of ours\n" * 1000, b"x"):
            with open(path, "wb") as file:
                file.write(text)
            self.check_refused(path)
            with open(path, "rb") as file:
                self.assertEqual(file.read(), text)

    def test_a_damaged_journal(self):
        run = self.killed_in_the_middle()
        self.journal.ask("SELECT count(*) FROM runs")
        for name in ("-wal", "-shm"):
            if os.path.exists(self.state + name):
                os.remove(self.state + name)
        size = os.path.getsize(self.state)
        with open(self.state, "r+b") as file:
            file.seek(100)
            file.write(os.urandom(size - 100))
        self.failed_saying((FAILED, USAGE), ["journal.db", "damaged|malformed|corrupt"], "resume", run,
                           "--state", self.state)
        # The way out: the same copy anew, in another journal.
        self.state = os.path.join(self.folder, "anew.db")
        self.copied("--into-nonempty")
        self.assertEqual(self.check_equal(), ROWS)

    def test_places_where_no_journal_can_be(self):
        file = os.path.join(self.folder, "file")
        with open(file, "wb"):
            pass
        self.check_refused(os.path.join(file, "journal.db"))
        self.check_refused(self.folder)
        self.check_refused("/proc/none/journal.db")
        self.check_refused("/dev/full")

    def test_the_default_place_is_below_the_home_folder(self):
        words = [word for word in self.words("--create", "--quiet") if word not in ("--state", self.state)]
        self.done(*words)
        home = Journal(os.path.join(self.folder, ".local", "state", "pegmove", "journal.db"))
        self.assertEqual(home.ask("SELECT state FROM runs"), [("done",)])
        self.assertEqual(self.check_equal(), ROWS)

    def test_the_journal_is_removed_under_a_copy(self):
        copier = self.copier("--create", "--max-rows-per-second", 10_000)
        self.wait_for_rows(copier, ROWS // 4)
        os.remove(self.state)
        outcome = copier.finish()
        self.assertIn(outcome.code, (DONE, FAILED), str(outcome))
        # The log that is left is not taken for that of a new journal.
        self.failed_saying(FAILED, "journal.db-wal", "list", "--state", self.state)
        self.state = os.path.join(self.folder, "anew.db")
        self.copied("--into-nonempty")
        self.assertEqual(self.check_equal(), ROWS)

    def mount_small_disk(self, size):
        place = os.path.join(self.folder, "disk")
        os.makedirs(place)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"pegmove-scenario", place.encode(), b"tmpfs", 0, b"size=%d" % size) != 0:
            self.skipTest(f"no tmpfs can be mounted: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", place], capture_output=True, check=False)
        return place

    def fill(self, place):
        ballast = os.path.join(place, "ballast")
        try:
            with open(ballast, "wb", buffering=0) as file:
                while file.write(b"\0" * 4096) == 4096:
                    pass
        except OSError:
            pass
        return ballast

    def test_the_disk_of_the_journal_gets_full(self):
        place = self.mount_small_disk(1 << 20)
        self.state = os.path.join(place, "journal.db")
        self.journal = Journal(self.state)
        copier = self.copier("--create", "--max-rows-per-second", 3_000)
        self.wait_for_rows(copier, 1)
        ballast = self.fill(place)
        outcome = self.finished(copier, FAILED)
        self.assertRegex(outcome.err, "(?i)journal.*(full|space)")
        self.assertIn(copier.run, outcome.err)
        # Full from the beginning.
        again = self.run_words("resume", copier.run, "--state", self.state)
        self.assertEqual(again.code, FAILED, str(again))
        self.assertRegex(again.err, "(?i)journal.*(full|space)")
        os.remove(ballast)
        self.hurry(copier.run)
        self.resumed(copier.run)
        self.assertEqual(self.check_equal(), ROWS)

    def test_a_full_disk_before_the_first_row(self):
        place = self.mount_small_disk(64 << 10)
        ballast = self.fill(place)
        self.state = os.path.join(place, "journal.db")
        self.failed_saying((FAILED, PREFLIGHT), ["journal", "full|space"], *self.words("--create"))
        self.assertEqual(self.tables_of(self.b), [])
        os.remove(ballast)
