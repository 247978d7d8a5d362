"""A hot migration with its writers, whose processes are killed at chosen failpoints, and so are, while pegmove stands
still there, clusters, the proxy, ZooKeeper or the guard."""
import collections
import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time

from harness import PROGRAM, environment, run_program
from hot import DENY, GIVEN_BACK
from proxy_writer import Client, Writer
from wait import until

KILLS, SEED = os.environ.get("KILLS", "some"), int(os.environ.get("SEED", "1"))
FAILED, PREFLIGHT, INTERRUPTED = 1, 3, 7
KILLED = -signal.SIGKILL
READY, SERVES = "ready for `pegmove cutover`", "`pegmove complete"
LIMIT_S, PAUSE_S = 120, 0.02
VERBS = {"A": "rollback", "B": "cutover", "complete": "complete", None: "cutover"}

# At `point`, `victim` is killed: PEGMOVE, the process that works on the run, or another component.
Kill = collections.namedtuple("Kill", "point victim")
PEGMOVE = "pegmove"
COMPONENTS = ("source", "target", "proxy", "zookeeper", "guard")


def of_pegmove(*points):
    return [Kill(point, PEGMOVE) for point in points]


def chosen(choices, count, seed):
    """Some of these, in their order; all when KILLS=all."""
    if KILLS == "all" or count >= len(choices):
        return list(choices)
    return [choices[index] for index in sorted(random.Random(seed).sample(range(len(choices)), count))]


def in_parallel(*lanes):
    """Calls them all at the same time; the first failure is raised when all have ended."""
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        for lane in [pool.submit(lane) for lane in lanes]:
            lane.result()


class Holder:
    """A pegmove that works on a run; what it says goes to a file."""

    def __init__(self, words, folder, log):
        self.words, self.log = [str(word) for word in words], log
        with open(log, "ab") as file:
            self.process = subprocess.Popen([PROGRAM, *self.words], cwd=folder, env=environment(folder),
                                            stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self.pid = self.process.pid
        self.handled = 0  # of the failpoints that it has passed: it has gone on behind them

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def is_stopped(self):
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "T"
        return False

    def code(self):
        return self.process.poll()

    def send(self, number):
        self.process.send_signal(number)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __str__(self):
        return f"{' '.join(self.words)}\n{self.text()[-3000:]}"


class HotRun:
    """One run. `case` has the clusters; each run has a table and a journal of its own."""

    def __init__(self, case, table, guard_die_at="", words=()):
        self.case, self.table, self.more, self.guard_die_at = case, table, list(words), guard_die_at
        self.is_waiting = False  # for a word: no process works on the run, and each cluster is as it should be
        self.state = os.path.join(case.own, f"{table}.db")
        self.points_file = os.path.join(case.own, f"{table}.points")
        self.run, self.holders, self.more_guards, self.killed = None, [], [], []
        self.moved_ns = 0  # what was written before this is on both sides after the switch
        client = Client(case.through, table, case.own, os.path.join(case.own, f"{table}.client"))
        self.writer = Writer(client, f"{table}w")
        self.writer.start()

    def end(self):
        self.writer.ending.set()
        self.writer.client.close()
        for process in self.holders + self.more_guards:
            process.end()
        for pid in self.guards():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # Processes

    def fail(self, what, holder=None):
        said = "\n".join(map(str, [*([holder] if holder else self.holders[-2:]), *self.more_guards[-1:]]))
        self.case.fail(f"table {self.table}, KILLS={KILLS} SEED={SEED}: {what}; killed so far: {self.killed}\n{said}")

    def passed(self):
        """The failpoints that were passed, in their order: (process, point)."""
        with contextlib.suppress(FileNotFoundError):
            with open(self.points_file, encoding="utf-8") as file:
                return [(int(pid), point) for pid, point in (line.split() for line in file)]
        return []

    def has_passed_elsewhere(self, pid, point):
        """Whether another process has, since this one passed anything last: its guard."""
        passed = self.passed()
        last = max((index for index, (process, _) in enumerate(passed) if process == pid), default=-1)
        return any(place == point for _, place in passed[last + 1:])

    def where(self):
        return ["--state", self.state, "--config", self.case.config]

    def log(self):
        return os.path.join(self.case.own, f"{self.table}.{len(self.holders) + len(self.more_guards)}.log")

    def hold(self, *options, verb="resume"):
        """A process that works on the run: it begins it, or continues it with this verb."""
        options = [*options, "--points-in", self.points_file]
        if self.guard_die_at:
            options += ["--guard-die-at", self.guard_die_at]
        words = self.case.words("--auto", "--state", self.state, *self.more, table=self.table)
        if self.run:
            words = [verb, self.run, *(["--yes"] if verb == "complete" else []), *self.where()]
        self.holders.append(Holder([*words, *options], self.case.own, self.log()))
        return self.holders[-1]

    def learn_run(self, holder):
        found = re.search(r"run (hot-\S+);", holder.text())
        if found and not self.run:
            self.run = found[1]

    def guards(self):
        """The processes of this run's guards."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if words[1:2] == [b"guard"] and self.state.encode() in words:
                        found.append(int(entry.name))
        return found

    def kill(self, victim):
        """Kills a component, and starts it again."""
        case = self.case
        if victim == "guard":
            for pid in self.guards():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            until(lambda: not self.guards(), "the end of the guard")
            self.more_guards.append(Holder(["guard", self.run, *self.where()], case.own, self.log()))
            return
        component = {"source": case.a, "target": case.b, "proxy": case.first_proxy, "zookeeper": case.zookeeper,
                     **case.relays}[victim]
        component.kill()
        component.start()

    # The way of a run

    def go(self, goal, kills=()):
        """Until cluster `goal` serves, or the run is `complete`; None: until the last one is killed. Each kill must
        happen, in this order."""
        left, most = collections.deque(kills), 4 * len(kills) + 8
        for _ in range(most):
            verb = VERBS[goal] if self.is_waiting else "resume"
            if goal in ("A", "B") and self.case.serves(self.table)[0] != goal:
                self.moved_ns = time.monotonic_ns()
            self.is_waiting = False
            holder = self.hold(*self.options_for(left), verb=verb)
            if self.follow(holder, left, goal, verb):
                return
        self.fail(f"{goal} is not reached by {most} processes; left: {list(left)}")

    @staticmethod
    def options_for(left):
        """It stops where something else is killed, until it dies itself."""
        stops = list(itertools.takewhile(lambda kill: kill.victim != PEGMOVE, left))
        options = ["--stop-at", ",".join(kill.point for kill in stops)] if stops else []
        return options + (["--die-at", left[len(stops)].point] if len(left) > len(stops) else [])

    def follow(self, holder, left, goal, verb):
        """Until the process has ended; True when the goal is reached."""
        while True:
            what = until(lambda: self.look(holder, verb), holder, LIMIT_S, PAUSE_S)
            self.learn_run(holder)
            if what == "ended":
                return self.take_end(holder, left, goal, verb)
            if what == "stopped":
                kill = left.popleft()
                self.case.assertEqual(self.passed_by(holder)[-1], kill.point)
                self.kill(kill.victim)
                self.killed.append(kill)
                holder.handled = len(self.passed_by(holder))
                holder.send(signal.SIGCONT)
                continue
            # It waits for a word, and `what` serves.
            holder.send(signal.SIGINT)
            until(lambda: holder.code() is not None, holder)
            self.case.assertEqual(holder.code(), INTERRUPTED, holder)
            self.is_waiting = True
            if what == goal and left:
                self.fail(f"{goal} serves, and {left[0]} was not reached", holder)
            return what == goal

    def passed_by(self, holder):
        return [point for pid, point in self.passed() if pid == holder.pid]

    def look(self, holder, verb):
        """What has happened to it: "stopped", "ended"; or, when it waits for a word, the cluster that serves."""
        if holder.code() is not None:
            return "ended"
        if holder.is_stopped() and len(self.passed_by(holder)) > holder.handled:
            return "stopped"
        if verb != "resume":  # it was given its word
            return None
        last = holder.text().rstrip("\n").rpartition("\n")[2]
        waits = "A" if READY in last else "B" if SERVES in last else None
        # The line may be older than the switch.
        return waits if waits and waits == self.case.serves(self.table)[0] else None

    def take_end(self, holder, left, goal, verb):
        code = holder.code()
        if code == KILLED and left and left[0].victim == PEGMOVE:
            self.killed.append(left.popleft())
            if left:
                return False
            return goal is None or (goal == "complete" and self.status()["state"] == "done")
        if code == 0 and (goal == "complete" or verb == VERBS[goal]):
            self.is_waiting = goal != "complete" and not left
            if goal == "complete" and left:
                self.fail(f"the run is complete, and {left[0]} was not reached", holder)
            return not left
        if code not in (FAILED, PREFLIGHT, GIVEN_BACK):
            self.fail(f"exit code {code}", holder)
        self.is_waiting = code == GIVEN_BACK
        return False

    def cancel(self, kills=()):
        """By processes that die at each of these points."""
        for kill in kills:
            process = Holder(["cancel", self.run, "--die-at", kill.point, "--points-in", self.points_file,
                              *self.where()], self.case.own, self.log())
            self.holders.append(process)
            until(lambda: process.code() is not None, process, LIMIT_S)
            if process.code() != KILLED:
                self.fail(f"{kill.point} was not reached by the cancel", process)
            self.killed.append(kill)
        outcome = run_program(["cancel", self.run, *self.where()], self.case.own)
        if self.status()["state"] != "cancelled":
            self.fail(f"the cancel: {outcome}")

    def status(self):
        return json.loads(run_program(["status", self.run, *self.where()[:2], "--json"], self.case.own).out)

    # What must be so

    def check_serves(self, name):
        """The node names this cluster, and it alone is not denied."""
        case = self.case
        clusters = {"A": case.a, "B": case.b}
        case.assertEqual(case.serves(self.table)[0], name, self.killed)
        case.assertFalse(case.denied(clusters.pop(name), self.table), f"{name} serves; {self.killed}")
        case.assertTrue(case.denied(*clusters.values(), self.table), f"{name} serves; {self.killed}")

    def stop_writer(self):
        self.writer.stop()
        self.case.assertGreater(self.writer.acknowledged, 50)

    def check_rows(self, serving, left):
        """Nothing that was acknowledged is missing where the table is served, or has an older value; the side that was
        left has all that was written before the switch."""
        case = self.case
        if case.denied(left, self.table):
            case.shell(left.meta, f"use {self.table}; del_app_envs {DENY}")
        there, here = case.rows(serving, self.table), case.rows(left, self.table)
        wrong = self.writer.wrong_in(there)
        case.assertEqual(wrong[:10], [], f"{len(wrong)} rows that {serving.name} serves; {self.killed}")
        wrong = self.writer.differing(there, here, self.moved_ns)
        wrong += [f"{key} is only on {left.name}" for key in here if key not in there]
        case.assertEqual(wrong[:10], [], f"{len(wrong)} rows of {left.name}, which was left; {self.killed}")
