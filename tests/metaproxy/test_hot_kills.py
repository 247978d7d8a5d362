"""pegmove and its guard killed at every failpoint of a hot migration, while clients write through the proxy."""
import signal
import unittest

import hot_points as points
from hot import GIVEN_BACK, HotBase
from hot_run import KILLED, KILLS, SEED, HotRun, chosen, in_parallel, of_pegmove
from wait import until

FAILED = 1
# Where a dead guard leaves the source denied: what comes after has to be done by the next process.
GUARD_LEAVES_DENIED = ("guard.lease_ended", "give_back.begun", "give_back.switch_closed")
GUARD_GIVES_BACK = ("give_back.allowed", "give_back.served", "guard.ended")


class HotKillsTest(HotBase):
    """Several runs at the same time, each with its own table: most of the time is spent waiting until a cutover is
    given back for certain."""

    def setUp(self):
        super().setUp()
        self.runs = []

    def run_of(self, table, **more):
        self.make_table(table)
        run = HotRun(self, table, **more)
        self.addCleanup(run.end)
        self.runs.append(run)
        return run

    def end_served_by_b(self, run):
        run.check_serves("B")
        run.stop_writer()
        run.check_rows(self.b, self.a)

    def end_cancelled(self, run):
        self.assertEqual(self.serves(run.table)[0], "A", run.killed)
        self.assertFalse(self.denied(self.a, run.table), run.killed)
        self.assertNotIn("DS_LOG", self.shell(self.a.meta, f"query_dup {run.table}"))
        self.assertNotIn("DS_LOG", self.shell(self.b.meta, f"query_dup {run.table}"))
        run.check_rows(self.a, self.b)

    # The runs

    def until_complete(self):
        run = self.run_of("run")
        run.go("B", of_pegmove(*points.UNTIL_READY, "cutover.begun", *points.SWITCHED))
        run.check_serves("B")
        run.go("complete", of_pegmove(*points.COMPLETING))
        self.assertNotIn("DS_LOG", self.shell(self.b.meta, "query_dup run"))
        self.end_served_by_b(run)

    def before_switch(self, table, under_fence):
        run = self.run_of(table)
        run.go("B", of_pegmove(*under_fence))
        self.end_served_by_b(run)

    def giving_back(self):
        run = self.run_of("gives")
        run.go(None, of_pegmove("cutover.checked", *points.GIVING_BACK))
        until(lambda: not self.denied(self.a, "gives"), "A serves again")
        run.stop_writer()
        until(lambda: self.rows(self.a, "gives") == self.rows(self.b, "gives"), "what is shipped arrives", pause_s=0.2)
        run.cancel(of_pegmove(*points.CANCELLING_CUTOVER))
        self.end_cancelled(run)
        self.assertEqual(self.rows(self.a, "gives"), self.rows(self.b, "gives"))

    def rollback(self):
        run = self.run_of("back")
        run.go("B")
        run.go("A", of_pegmove(*points.BACK_BEGINS, "cutover.target_opened", "give_back.target_denied",
                               *points.BACK_SWITCHED))
        run.check_serves("A")
        run.stop_writer()
        run.cancel(of_pegmove(*points.CANCELLING))
        self.end_cancelled(run)

    def rollback_and_again(self):
        run = self.run_of("again")
        run.go("B")
        under_fence = [point for point in points.BACK_UNDER_FENCE if point != "cutover.compared"]
        run.go("A", of_pegmove(*chosen(under_fence, 1, SEED), "cutover.compared", "cutover.switched"))
        run.check_serves("A")
        run.go("B", of_pegmove(*chosen(points.UNDER_FENCE, 1, SEED + 1), "cutover.switched"))
        run.check_serves("B")
        run.go("complete")
        self.end_served_by_b(run)

    def guard_dies(self):
        """Where pegmove is gone, too, the next process gives back."""
        run = self.run_of("guarded", guard_die_at="guard.started")
        holder = run.hold()
        until(lambda: holder.code() is not None, holder)
        run.learn_run(holder)
        self.assertEqual(holder.code(), FAILED, holder)
        self.assertIn("the guard of the cutover has not started", holder.text())
        self.assertFalse(self.denied(self.a, run.table))
        run.killed += of_pegmove("guard.started")
        late = chosen(GUARD_LEAVES_DENIED[1:] + GUARD_GIVES_BACK[:2], 1, SEED + 2)
        for point in ("guard.lease_ended", *late, "guard.ended"):
            run.guard_die_at = point
            run.go(None, of_pegmove("cutover.fence_set"))
            dead = run.holders[-1].pid
            until(lambda point=point, dead=dead: run.has_passed_elsewhere(dead, point), f"{point} of the guard")
            until(lambda: not run.guards(), "the end of the guard")
            self.assertEqual(self.denied(self.a, run.table), point in GUARD_LEAVES_DENIED, point)
            self.assertEqual(self.serves(run.table)[0], "A", point)
            run.killed += of_pegmove(point)
        run.guard_die_at = ""
        run.go("B")
        self.end_served_by_b(run)

    def test_at_every_step(self):
        commons = points.BEFORE_SWITCH
        in_parallel(self.until_complete, lambda: self.before_switch("fence", commons[0::2]),
                    lambda: self.before_switch("drain", commons[1::2]), self.giving_back, self.rollback,
                    self.rollback_and_again, self.guard_dies)
        self.check_points()

    def check_points(self):
        """Those that are listed are those that are passed, and something was killed at each."""
        listed = set(points.of_header("cutover", "give_back", "guard"))
        passed = {point for run in self.runs for _, point in run.passed()}
        self.assertEqual(passed - listed - points.ENGINE, set(), "passed, but not listed")
        killed = {kill.point for run in self.runs for kill in run.killed}
        self.assertEqual(listed - set(points.WITH_RELAY) - killed, set(), f"never reached; KILLS={KILLS}, SEED={SEED}")
        self.assertEqual(points.ENGINE - killed - {"complete.done"}, set(), "steps at which nothing was killed")


class HotStoppedTest(HotBase):
    """pegmove stopped past the deadline of its cutover: the guard gives back, and what wakes up can do nothing."""

    def wakes_after(self, point):
        run = HotRun(self, "t")
        self.addCleanup(run.end)
        holder = run.hold("--stop-at", point)
        until(holder.is_stopped, holder)
        run.learn_run(holder)
        until(lambda: any(place == "give_back.served" for _, place in run.passed()), "the guard gives back")
        self.assertFalse(self.denied(self.a), point)
        self.assertEqual(self.serves(), ("A", 2))
        holder.send(signal.SIGCONT)
        until(lambda: holder.code() is not None, holder)
        self.assertIn(holder.code(), (FAILED, GIVEN_BACK), holder)
        until(lambda: not run.guards(), "the end of the guard")
        self.assertEqual(self.serves(), ("A", 2))
        self.assertFalse(self.denied(self.a), point)
        run.go("B")
        run.check_serves("B")
        run.stop_writer()
        run.check_rows(self.b, self.a)

    def test_before_the_fence(self):
        self.wakes_after("cutover.members_seen")

    def test_right_before_the_switch(self):
        self.wakes_after("cutover.checked")

    def test_after_the_switch(self):
        """Before its journal knows it: the guard leaves the source closed."""
        run = HotRun(self, "t")
        self.addCleanup(run.end)
        holder = run.hold("--stop-at", "cutover.switched")
        until(holder.is_stopped, holder)
        run.learn_run(holder)
        until(lambda: run.has_passed_elsewhere(holder.pid, "give_back.begun"), "the guard looks")
        run.kill("guard")
        self.assertTrue(self.denied(self.a))
        holder.send(signal.SIGKILL)
        until(lambda: holder.code() == KILLED, holder)
        until(lambda: not run.guards(), "the end of the guard")
        run.go("B")
        run.check_serves("B")
        self.assertEqual(self.serves(), ("B", 2))
        run.stop_writer()
        run.check_rows(self.b, self.a)


if __name__ == "__main__":
    unittest.main()
