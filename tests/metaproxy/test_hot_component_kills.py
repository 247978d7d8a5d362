"""Source, target, proxy, ZooKeeper and guard killed at the failpoints of a hot migration: pegmove stands still there
meanwhile. Clients write through the proxy."""
import random
import unittest

import hot_points as points
from hot import HotBase
from hot_run import COMPONENTS, KILLS, SEED, HotRun, Kill, chosen, of_pegmove

FORWARD = points.UNTIL_READY + points.BEFORE_SWITCH + points.SWITCHED
BACK = points.BACK_BEGINS + ["cutover.version_read", "cutover.begun", "cutover.members_seen"] + \
    points.BACK_UNDER_FENCE + points.BACK_SWITCHED[:-1]


class ComponentKillsTest(HotBase):
    def journey(self, table, pick):
        """There and back, there again, and complete. `pick(points, count)`: the kills at these points."""
        self.make_table(table)
        run = HotRun(self, table)
        self.addCleanup(run.end)
        run.go("B", pick(FORWARD, 6))
        run.check_serves("B")
        run.go("A", pick(BACK, 4))
        run.check_serves("A")
        # There is something to give back when pegmove was killed under the fence.
        run.go("B", [*of_pegmove("cutover.fence_proven"), *pick(points.GIVING_BACK, 1)])
        run.check_serves("B")
        run.go("complete", pick(points.COMPLETING[:-1], 1))
        run.check_serves("B")
        run.stop_writer()
        run.check_rows(self.b, self.a)
        print("; ".join(f"{kill.victim} at {kill.point}" for kill in run.killed), flush=True)

    def some_of(self, choices):
        """Each component at least once."""
        victims = []

        def pick(where, count):
            picked = []
            for point in chosen(where, count, choices.random()):
                if not victims:
                    victims.extend(choices.sample(COMPONENTS, len(COMPONENTS)))
                picked.append(Kill(point, victims.pop()))
            return picked
        return pick

    def test_killed_at_steps(self):
        """KILLS=all: each at every step; else some, chosen by SEED."""
        print(f"KILLS={KILLS} SEED={SEED}", flush=True)
        if KILLS != "all":
            self.journey("some", self.some_of(random.Random(SEED)))
            return
        for victim in COMPONENTS:
            self.journey(victim, lambda where, _, victim=victim: [Kill(point, victim) for point in where])


if __name__ == "__main__":
    unittest.main()
