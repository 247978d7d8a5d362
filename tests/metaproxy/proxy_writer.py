"""A client of a table behind a MetaProxy that writes all the time: pegmove's shell, whose commands come from a pipe. It
notes what was acknowledged, and reads it again."""
import random
import subprocess
import threading
import time

from harness import PROGRAM, environment

TIMEOUT_MS = 2000  # of one write: what it waits for is back by then, or it is tried again
PAUSE_S = 0.004
PATIENCE = 20  # answers with an older value in a row: it went back for good
END = "Current timeout"  # the line that `timeout` prints


class Client:
    """A shell with the table open."""

    def __init__(self, cluster, table, folder, log):
        self.log = open(log, "ab")
        self.process = subprocess.Popen([PROGRAM, "shell", "--cluster", cluster], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, cwd=folder, env=environment(folder),
                                        text=True)
        self.ask(f"timeout {TIMEOUT_MS}")
        self.ask(f"use {table}")

    def ask(self, command):
        """The lines of its answer on stdout."""
        self.process.stdin.write(f"{command}\ntimeout\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"the shell ended at {command!r}")
            if line.startswith(END):
                return lines
            lines.append(line.rstrip("\n"))

    def set(self, key, value):
        """Whether it was acknowledged; if not, nobody knows."""
        return "OK" in self.ask(f"set {key} s {value}")

    def get(self, key):
        """Its value; None when there is none, or no answer."""
        for line in self.ask(f"get {key} s"):
            if line.startswith('"') and line.endswith('"'):
                return line[1:-1]
        return None

    def close(self):
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        self.log.close()


class Writer(threading.Thread):
    """Most often new rows, numbered; else new values of a few hot ones, which it reads now and then. `allowed`: the
    values that each row may have: what was acknowledged last, and what was tried since without an answer. `tried`: all
    that it ever may have had. `last_ns`: when it was written last."""

    def __init__(self, client, name):
        super().__init__(daemon=True)
        self.client, self.name_of_rows, self.random = client, name, random.Random(name)
        self.allowed, self.tried, self.last_ns = {}, {}, {}
        self.acknowledged = self.number = 0
        self.ending, self.error = threading.Event(), None

    def run(self):
        try:
            while not self.ending.is_set():
                self.write_one()
                if self.number % 5 == 0:
                    self.read_hot_one()
                self.ending.wait(PAUSE_S)
        except Exception as error:  # raised again by stop()
            self.error = error

    def write_one(self):
        self.number += 1
        key, value = f"{self.name_of_rows}new{self.number}", f"{self.name_of_rows}.{self.number}"
        if self.random.random() < 0.4:
            key = f"{self.name_of_rows}hot{self.random.randrange(10)}"
        self.tried.setdefault(key, []).append(value)
        if self.client.set(key, value):
            self.allowed[key] = [value]
            self.acknowledged += 1
        else:
            self.allowed.setdefault(key, [None]).append(value)
        self.last_ns[key] = time.monotonic_ns()

    def read_hot_one(self):
        key = f"{self.name_of_rows}hot{self.random.randrange(10)}"
        allowed, seen = self.allowed.get(key, [None]), []
        while not self.ending.is_set():
            value = self.client.get(key)
            if value is None or value in allowed:  # no answer says nothing
                return
            seen.append(value)
            if len(seen) >= PATIENCE:
                raise AssertionError(f"row {key} went back for good: {seen}, may be one of {allowed}")

    def stop(self):
        self.ending.set()
        self.join(60)
        is_late = self.is_alive()
        self.client.close()
        if self.error or is_late:
            raise AssertionError(f"writer {self.name_of_rows} failed: {self.error!r}")

    def wrong_in(self, rows):
        """What is wrong in the table that serves, as text."""
        return [f"{key}: {rows.get(key)}, may be one of {allowed}" for key, allowed in self.allowed.items()
                if rows.get(key) not in allowed]

    def differing(self, serving, left, before_ns):
        """What is wrong on the side that was left: it must have what the other one has of the rows that were last
        written before this time, and nothing that was never written."""
        wrong = [f"{key}: {left.get(key)} there, {serving.get(key)} where it is served"
                 for key, last_ns in self.last_ns.items() if last_ns < before_ns and left.get(key) != serving.get(key)]
        return wrong + [f"{key}: {left[key]} was never written" for key, tried in self.tried.items()
                        if key in left and left[key] not in tried]
