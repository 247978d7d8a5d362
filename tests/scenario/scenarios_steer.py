"""Copies under way are looked at, paused, slowed, ended by other processes."""
import json
import os
import signal

from scenario import DONE, INTERRUPTED, Scenario
from tables import many_rows

ROWS = 40_000


class Steer(Scenario):
    def setUp(self):
        super().setUp()
        self.load(self.a, "t", many_rows(ROWS), 4)

    def begun(self, rate=2_000):
        """A copy that is long from its end when it has begun."""
        copier = self.copier("--create", "--max-rows-per-second", rate)
        self.wait_for_rows(copier, 1)
        return copier

    def check_resume(self, run):
        self.hurry(run)
        report = self.resumed(run)
        self.assertEqual(report["rows"], ROWS)
        self.assertLess(report["rows_read"], ROWS)
        self.assertEqual(self.check_equal(), ROWS)

    def check_interrupted(self, copier, state):
        outcome = self.finished(copier, INTERRUPTED)
        self.assertIn("resume " + copier.run, outcome.err)
        told, _, rows = self.journal.run(copier.run)
        self.assertEqual(told, state)
        self.assertTrue(0 < rows < ROWS, rows)
        self.assertEqual(self.table(self.b).count(), rows, "what was being written is finished and noted")

    def test_ctrl_c(self):
        copier = self.begun()
        copier.signal(signal.SIGINT)
        self.check_interrupted(copier, "interrupted")
        self.check_resume(copier.run)

    def test_terminated(self):
        copier = self.begun()
        copier.signal(signal.SIGTERM)
        self.check_interrupted(copier, "interrupted")
        self.check_resume(copier.run)

    def test_a_second_resume_is_refused_and_names_the_process(self):
        copier = self.begun()
        self.failed_saying(1, [copier.run, str(copier.pid)], "resume", copier.run, "--state", self.state)
        self.kill_hard(copier)
        second = self.resumer(copier.run)
        self.failed_saying(1, str(second.pid), "resume", copier.run, "--state", self.state)
        self.hurry(copier.run)
        self.finished(second)
        self.assertEqual(self.check_equal(), ROWS)

    def test_a_stopped_process_still_holds_its_run(self):
        copier = self.begun()
        os.kill(copier.pid, signal.SIGSTOP)
        try:
            self.failed_saying(1, str(copier.pid), "resume", copier.run, "--state", self.state)
            self.assertEqual(self.status(copier.run)["state"], "running")
        finally:
            os.kill(copier.pid, signal.SIGCONT)
        self.hurry(copier.run)
        self.finished(copier)
        self.assertEqual(self.check_equal(), ROWS)

    def test_a_stopped_process_is_killed(self):
        copier = self.begun()
        os.kill(copier.pid, signal.SIGSTOP)
        self.kill_hard(copier)
        self.check_resume(copier.run)

    def test_pause_from_another_process(self):
        copier = self.begun()
        self.steer("pause", copier.run)
        self.check_interrupted(copier, "paused")
        self.assertEqual(self.status(copier.run)["state"], "paused")
        self.check_resume(copier.run)

    def test_cancel(self):
        copier = self.begun()
        self.steer("cancel", copier.run)
        outcome = self.finished(copier, INTERRUPTED)
        self.assertIn("cancel", outcome.err)
        self.assertEqual(self.status(copier.run)["state"], "cancelled")
        self.failed_saying((1, 2), [copier.run, "cancelled"], "resume", copier.run, "--state", self.state)

    def test_cancel_of_a_run_whose_process_is_dead(self):
        copier = self.begun()
        self.kill_hard(copier)
        self.steer("cancel", copier.run)
        self.assertEqual(self.status(copier.run)["state"], "cancelled")
        self.failed_saying((1, 2), [copier.run, "cancelled"], "resume", copier.run, "--state", self.state)

    def test_a_killed_run_is_not_told_to_be_running(self):
        copier = self.begun()
        self.assertEqual(self.status(copier.run)["state"], "running")
        self.kill_hard(copier)
        self.assertNotEqual(self.status(copier.run)["state"], "running")
        self.check_resume(copier.run)

    def test_the_rate_is_changed_while_it_runs(self):
        copier = self.begun(rate=1_000)
        slow = self.rate(copier, 1_000)
        self.steer("set", copier.run, "max-rows-per-second=5000")
        self.look_until(lambda: self.rate(copier, 1_000) > 2_500, "the new rate", copier)
        self.steer("set", copier.run, "max-rows-per-second=500")
        self.look_until(lambda: self.rate(copier, 250) < 1_250, "the lower rate", copier)
        self.note(f"rows/s at 1000: {slow:.0f}")
        self.assertLess(slow, 2_000)
        self.steer("set", copier.run, "max-rows-per-second=1000000")
        self.finished(copier)
        self.assertEqual(self.check_equal(), ROWS)

    def test_what_was_set_holds_after_a_resume(self):
        copier = self.begun(rate=1_000_000_000 // 100_000)
        self.steer("set", copier.run, "max-rows-per-second=1000")
        self.look_until(lambda: self.rate(copier, 500) < 2_000, "the new rate", copier)
        self.kill_hard(copier)
        copier = self.resumer(copier.run)
        self.rate(copier, 1_000)  # a process begins with the rows of a second in hand
        self.assertLess(self.rate(copier, 1_000), 2_000)
        self.steer("set", copier.run, "max-rows-per-second=1000000")
        self.finished(copier)

    def test_wrong_settings_are_refused(self):
        copier = self.begun()
        for setting in ("max-rows-per-second=fast", "nonsense=1", "max-rows-per-second", "max-rows-per-second=-1"):
            self.failed_saying((1, 2), setting.split("=")[0], "set", copier.run, setting, "--state", self.state)
        for verb in ("status", "resume", "cancel", "pause"):
            self.failed_saying((1, 2), "copy-20200101-1", verb, "copy-20200101-1", "--state", self.state)
        self.steer("set", copier.run, "max-rows-per-second=1000000")
        self.finished(copier)

    def test_list_and_status(self):
        copier = self.begun()
        first = copier.run
        copier.signal(signal.SIGINT)
        self.finished(copier, INTERRUPTED)
        self.copied("--create", "--to-table", "u")
        listed = json.loads(self.steer("list", "--json").out)
        self.assertEqual([one["state"] for one in listed], ["done", "interrupted"])
        self.assertEqual(listed[1]["id"], first)
        for field in ("id", "method", "from", "to", "table", "state"):
            self.assertIn(field, listed[0])
        self.assertIn(first, self.steer("list").out)
        status = self.status(first)
        self.assertEqual((status["id"], status["state"], status["table"]), (first, "interrupted", "t"))
        self.assertIn("interrupted", self.steer("status", first).out)
        self.failed_saying((1, 2), first[:-1], "status", first[:-1] + "9", "--state", self.state)

    def test_watch_ends_with_the_run(self):
        copier = self.begun()
        watched = self.background("status", copier.run, "--watch", "--state", self.state)
        self.hurry(copier.run)
        self.finished(copier)
        outcome = watched.finish()
        self.assertEqual(outcome.code, DONE, str(outcome))
        self.assertIn("done", outcome.out + outcome.err)
