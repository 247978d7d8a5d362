"""The clusters fall and come back under a copy, which waits and says why."""
import signal

from scenario import FAILED, FUTURE, INTERRUPTED, PREFLIGHT, Scenario, seconds
from tables import many_rows

ROWS = 40_000


class Servers(Scenario):
    def setUp(self):
        super().setUp()
        self.load(self.a, "t", many_rows(ROWS, expiry=FUTURE), 6)

    def begun(self, *more):
        copier = self.copier("--create", "--partitions", 4, "--max-rows-per-second", 8_000, *more)
        self.wait_for_rows(copier, ROWS // 10)
        return copier

    def hurried(self, copier):
        """Does the rest, if there is one, as fast as it goes."""
        self.run_words("set", copier.run, "max-rows-per-second=0", "--state", self.state)
        self.finished(copier)

    def check_waits_and_goes_on(self, cluster):
        copier = self.begun("--retry-for", "2m")
        # At less than a half: the rest cannot all have been read ahead.
        for rows in (ROWS // 5, ROWS * 2 // 5):
            self.wait_for_rows(copier, rows)
            cluster.kill()
            reason = self.wait_for_reason(copier)
            self.assertRegex(reason, r"127\.0\.0\.1:\d+")
            self.assertIn(self.status(copier.run)["state"], "running")
            copier.stderr_until(r"waits: .*127\.0\.0\.1:\d+")
            copier.kept[copier.process.stderr] = b""
            cluster.start()
            self.look_until(lambda: not self.journal.run(copier.run)[1], "the end of the waiting", copier)
        self.hurried(copier)
        self.assertEqual(self.check_equal(), ROWS)

    @seconds(20)
    def test_the_source_is_killed_twice(self):
        self.check_waits_and_goes_on(self.a)

    @seconds(20)
    def test_the_target_is_killed_twice(self):
        self.check_waits_and_goes_on(self.b)

    def test_both_clusters_are_killed_at_once(self):
        copier = self.begun("--retry-for", "2m")
        self.a.kill(), self.b.kill()
        self.wait_for_reason(copier)
        self.b.start(), self.a.start()
        self.hurried(copier)
        self.assertEqual(self.check_equal(), ROWS)

    @seconds(10)
    def test_after_the_deadline_the_copy_fails_and_can_be_resumed(self):
        copier = self.begun("--retry-for", "2s")
        self.b.kill()
        outcome = self.finished(copier, FAILED)
        self.assertIn("resume " + copier.run, outcome.err)
        self.assertRegex(outcome.err, r"127\.0\.0\.1:\d+")
        self.assertEqual(self.journal.run(copier.run)[0], "failed")
        # While it is still away, a resume says so; it costs nothing.
        again = self.run_words("resume", copier.run, "--state", self.state, "--timeout", "1s")
        self.assertIn(again.code, (1, 3), str(again))
        self.b.start()
        self.hurry(copier.run)
        self.resumed(copier.run)
        self.assertEqual(self.check_equal(), ROWS)
        self.assertEqual(self.journal.run(copier.run)[0], "done")

    def test_the_copier_and_the_target_are_killed(self):
        copier = self.begun()
        self.b.kill()
        self.kill_hard(copier)
        self.b.start()
        self.hurry(copier.run)
        self.resumed(copier.run)
        self.assertEqual(self.check_equal(), ROWS)

    def check_limited(self, cluster, env):
        """A cluster that limits its clients slows the copy down; nothing is lost by what it refuses."""
        self.load(self.b, "t", [], 4)
        self.done("shell", "--cluster", cluster.meta, "-e", f"use t; set_app_envs {env}")
        copier = self.copier("--into-nonempty")
        self.wait_for_rows(copier, ROWS // 20)
        self.done("shell", "--cluster", cluster.meta, "-e", f"use t; del_app_envs {env.split()[0]}")
        outcome = self.finished(copier)
        self.assertEqual(self.check_equal(), ROWS)
        return outcome

    def test_a_target_that_refuses_writes_as_busy(self):
        outcome = self.check_limited(self.b, "replica.write_throttling 500*reject*20")
        self.assertRegex(outcome.err, "(?i)busy")

    def test_a_source_that_refuses_reads_as_busy(self):
        self.check_limited(self.a, "replica.read_throttling 1*reject*20")

    def check_made_anew(self, cluster, rows):
        """The table of a killed run is dropped and made anew under its name: the old positions are worth nothing."""
        copier = self.begun()
        self.kill_hard(copier)
        self.done("shell", "--cluster", cluster.meta, "-e", "drop t")
        self.load(cluster, "t", rows, 4)
        before = self.table(self.b).digest()
        self.failed_saying((FAILED, PREFLIGHT), ["'t'", copier.run], "resume", copier.run, "--state", self.state)
        self.assertEqual(self.table(self.b).digest(), before)

    def test_a_target_that_was_made_anew(self):
        self.check_made_anew(self.b, [])

    def test_a_source_that_was_made_anew(self):
        self.check_made_anew(self.a, many_rows(100))

    def test_a_target_that_is_dropped_under_the_copy(self):
        copier = self.begun("--retry-for", "10s")
        self.done("shell", "--cluster", self.b.meta, "-e", "drop t")
        self.assertRegex(self.finished(copier, FAILED).err, "'t'")

    def check_ends_while_it_waits(self, end, state):
        copier = self.begun("--retry-for", "1h")  # it ends because it is to end
        self.b.kill()
        self.wait_for_reason(copier)
        end(copier)
        self.finished(copier, INTERRUPTED)
        self.assertEqual(self.journal.run(copier.run)[0], state)
        self.b.start()
        self.hurry(copier.run)
        self.resumed(copier.run)
        self.assertEqual(self.check_equal(), ROWS)

    def test_ctrl_c_while_a_server_is_away(self):
        self.check_ends_while_it_waits(lambda copier: copier.signal(signal.SIGINT), "interrupted")

    def test_pause_while_a_server_is_away(self):
        self.check_ends_while_it_waits(lambda copier: self.steer("pause", copier.run), "paused")
