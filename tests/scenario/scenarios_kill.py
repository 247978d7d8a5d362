"""The copier is killed with -9, and goes on: nothing is lost, and little is done twice."""
from scenario import Scenario, seconds
from tables import many_rows

ROWS = 60_000
KILLS = 20
MIDDLE = 15  # at least so many kills find some of the rows in the target, not all


class Kill(Scenario):
    @seconds(25)
    def test_twenty_kills(self):
        self.load(self.a, "t", many_rows(ROWS), 8)
        copier = self.copier("--create", "--partitions", 5, "--max-rows-per-second", 6_000)
        run, found, before = copier.run, [], 0
        for kill in range(KILLS):
            # The first as soon as the run has its ID, the others evenly behind it.
            self.wait_for_rows(copier, max(ROWS * kill // (KILLS + 4), before + 1) if kill else 0)
            self.kill_hard(copier)
            state, _, before = self.journal.run(run)
            self.assertIn(state, ("planned", "running"), "a killed process cannot say that it ended")
            # Before the first rows are written its partitions may not be there yet.
            found.append(self.table(self.b).count() if before else 0)
            self.assertGreaterEqual(found[-1], before, "the journal names rows that are not in the target")
            self.assertNotEqual(self.status(run)["state"], "done")
            copier = self.resumer(run)
        middle = sum(0 < rows < ROWS for rows in found)
        self.note(f"rows in the target at each kill: {found}; {middle} kills in the middle of the copy")
        self.assertGreaterEqual(middle, MIDDLE)
        self.hurry(run)
        self.finished(copier)
        self.assertEqual(self.check_equal(), ROWS)
        self.assertEqual(self.journal.run(run)[0], "done")

    @seconds(10)
    def test_resume_after_half_reads_at_most_sixty_percent(self):
        self.load(self.a, "t", many_rows(ROWS, value_size=100), 8)
        app_id = self.table(self.a).app["app_id"]
        self.copied("--create", "--to-table", "whole")
        whole = self.scanned_bytes(self.a, app_id)
        copier = self.copier("--create", "--max-rows-per-second", 10_000)
        self.wait_for_rows(copier, ROWS // 2)
        self.kill_hard(copier)
        self.assertLess(self.table(self.b).count(), ROWS)
        self.hurry(copier.run)
        before = self.scanned_bytes(self.a, app_id)
        report = self.resumed(copier.run)
        read = self.scanned_bytes(self.a, app_id) - before
        self.note(f"resumed: {report['rows_read']} of {ROWS} rows, {read} of {whole} bytes of scans")
        self.assertLessEqual(report["rows_read"], ROWS * 6 // 10)
        self.assertLessEqual(read, whole * 6 // 10)
        self.assertEqual(self.check_equal(), ROWS)
        self.assertEqual(report["rows"], ROWS)

    def test_a_kill_amid_one_large_hash_key(self):
        """All rows are in one partition: the place to go on at is inside of it."""
        rows = 40_000
        self.load(self.a, "t", many_rows(rows, sort_keys=rows), 4)
        copier = self.copier("--create", "--max-rows-per-second", 8_000)
        self.wait_for_rows(copier, rows // 2)
        self.kill_hard(copier)
        self.hurry(copier.run)
        report = self.resumed(copier.run)
        self.assertLessEqual(report["rows_read"], rows * 6 // 10)
        self.assertEqual(self.check_equal(), rows)


class KillThroughDuplicate(Scenario):
    def cluster_options(self):
        return self.group_options()

    def test_a_killed_copy_through_duplicate_goes_on(self):
        self.load(self.a, "t", many_rows(20_000), 4)
        copier = self.copier("--create", "--partitions", 6, "--through", "duplicate", "--max-rows-per-second", 5_000)
        for rows in (4_000, 10_000):
            self.wait_for_rows(copier, rows)
            self.kill_hard(copier)
            copier = self.resumer(copier.run)
        self.hurry(copier.run)
        self.finished(copier)
        self.assertEqual(self.check_equal(), 20_000)
