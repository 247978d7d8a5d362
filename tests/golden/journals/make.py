#!/usr/bin/env python3
"""Makes a70f8de.tar.gz with pegmove 0.1.0 at a70f8de: two clusters, an object store and a journal that has runs
of every method in every state. README.md beside this file lists them.

    PEGMOVE=<the program of that commit> tests/golden/journals/make.py

Takes some three minutes and the ports 34601 to 34603 and 35601 to 35603. A moment that is missed is tried again.
RocksDB writes the machine's name into its files: `unshare --uts bash -c 'hostname world; ...'` gives it another.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("cli", "journals"):
    sys.path.insert(0, str(HERE.parents[1] / folder))

import harness
from wait import until
from world import FOLDER, PORTS, World

VERSION = "pegmove 0.1.0"
ROWS = 300
NANOSLEEP = ("35", "230")  # the system calls of x86-64
EXPIRY = 2_500_000_000  # far away; unix seconds


class Missed(Exception):
    """The run was faster than this program looked."""


def rows(count=ROWS, changed=(), missing=(), more=()):
    """The rows of a table, as JSONL; some changed or missing, and more of them."""
    found = [harness.row(f"user{number // 5}", f"field{number % 5}",
                         f"value {number}" + (" changed" if number in changed else ""),
                         EXPIRY + number if number % 3 == 0 else None)
             for number in range(count) if number not in missing]
    return harness.jsonl(found + [harness.row(key, "", "only here") for key in more])


class Maker(World):
    def __init__(self):
        shutil.rmtree(FOLDER, ignore_errors=True)
        os.makedirs(FOLDER)
        super().__init__(FOLDER, PORTS)
        self.start()
        self.done("list", "--state", self.state)  # makes it
        self.journal = sqlite3.connect(self.state, isolation_level=None, timeout=20)
        self.other = os.path.join(FOLDER, "other.db")  # a journal that is not kept
        self.made = {}  # the name of a situation to its run

    # Processes and moments

    def begin(self, *words):
        """A run in the background: stopped as soon as the journal has it, until proceed()."""
        newest = self.newest()
        shutil.copyfile(self.configs["A"], os.path.join(self.folder, "config.ini"))
        self.process = harness.Process([*words, "--state", self.state], self.folder)
        self.run = ""
        while self.newest() == newest:
            if self.process.process.poll() is not None:
                raise Missed  # what a try before this one had asked for came late
        os.kill(self.process.pid, signal.SIGSTOP)
        self.run = self.one("SELECT id FROM runs WHERE number = ?", self.newest())

    def proceed(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def newest(self):
        return self.one("SELECT ifnull(max(number), 0) FROM runs")

    def one(self, query, *values):
        """One value of the journal, through a connection that is kept: quickly."""
        (value,), = self.journal.execute(query, values).fetchall()
        return value

    def until(self, condition):
        """Asks without a pause: moments are short."""
        try:
            return until(condition, "what is waited for", pause_s=0)
        except AssertionError as late:
            self.process.kill()
            raise AssertionError(f"{late}: {self.run_row()}, {self.process.finish()}") from None

    def run_row(self):
        """State, reason, result."""
        return self.ask("SELECT state, reason, result FROM runs WHERE id = ?", self.run)[0]

    @contextlib.contextmanager
    def journal_held(self, state, result):
        """From the moment at which the run is so, nothing can be written to the journal."""
        def is_so():
            return self.one("SELECT count(*) FROM runs WHERE id = ? AND state = ? AND result = ?", self.run, state, result)
        if not is_so():
            self.proceed()
            end = time.monotonic() + 10
            while not is_so():
                if time.monotonic() > end:
                    raise Missed
            os.kill(self.process.pid, signal.SIGSTOP)
        try:
            self.journal.execute("PRAGMA busy_timeout = 0")
            self.journal.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            raise Missed from None  # it is writing its next state
        finally:
            self.journal.execute("PRAGMA busy_timeout = 20000")
        try:
            if not is_so():
                raise Missed
            self.proceed()
            yield
        finally:
            self.journal.execute("ROLLBACK")

    def waits_for_journal(self):
        """Sleeps in SQLite, and only there a thread of pegmove does."""
        calls = (path.read_text() for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/syscall"))
        return any(call.split()[0] in NANOSLEEP for call in calls)

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.kill()

    @contextlib.contextmanager
    def frozen(self, name):
        """The cluster answers nothing."""
        os.kill(self.clusters[name].pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.clusters[name].pid, signal.SIGCONT)

    def killed_cluster(self, name):
        """What is on its way to the cluster is lost."""
        cluster = self.clusters[name]
        os.kill(cluster.pid, signal.SIGKILL)
        cluster.kill()
        cluster.start()
        self.set_up(name)

    def ended(self, state, code):
        outcome = self.process.finish()
        found = self.run_row()
        if state in ("interrupted", "paused") and outcome.code == 1:
            raise Missed  # the error for which it was waiting came first
        if (found[0], outcome.code) != (state, code):
            raise AssertionError(f"{found}, not {state}: {outcome}")

    def keep(self, name, way, *words, undo=None):
        """Tries until no moment is missed; the run is then the situation `name`. `undo`: of what a try did."""
        for _ in range(20):
            try:
                self.begin(*(word() if callable(word) else word for word in words))
                way()
                self.made[name] = self.run
                print(f"{self.run:24} {name:32} {self.run_row()}", flush=True)
                return
            except Missed:
                self.process.kill()
                if undo is None:
                    raise AssertionError(f"the moment of {name} was missed, and left its mark; begin anew") from None
                for table, column in (("lanes", "run"), ("changes", "run"), ("runs", "id")):
                    self.journal.execute(f"DELETE FROM {table} WHERE {column} = ?", (self.run,))
                undo()
        raise AssertionError(f"{name} is always missed")

    # Situations: how a run comes to its end. Its process is stopped when they are called.

    def planned(self):
        with self.journal_held("planned", ""):
            self.kill()

    def untouched(self):
        with self.journal_held("running", ""):
            self.kill()

    def killed(self, when):
        def way():
            self.proceed()
            self.until(when)
            self.kill()
            if not self.is_running():
                raise Missed
        return way

    def steered(self, verb, state, when):
        """Paused or cancelled by another process."""
        def way():
            self.proceed()
            self.until(when)
            self.done(verb, self.run, "--state", self.state)
            self.ended(state, 7)
        return way

    def interrupted(self, when):
        def way():
            self.proceed()
            self.until(when)
            self.process.signal(signal.SIGINT)
            self.ended("interrupted", 7)
        return way

    def ends(self, state, code):
        def way():
            self.proceed()
            self.ended(state, code)
        return way

    def died(self):
        """By --die-at."""
        self.proceed()
        self.until(lambda: self.process.process.poll() == -signal.SIGKILL)

    def half(self, verb, when):
        """Asked to, and killed before it hears of it."""
        def way():
            self.proceed()
            self.until(when)
            os.kill(self.process.pid, signal.SIGSTOP)
            self.done(verb, self.run, "--wait", "1ms", "--state", self.state, codes=(1,))
            self.kill()
        return way

    def fails_without(self, name, when):
        """The cluster answers nothing from that moment on."""
        def way():
            self.proceed()
            self.until(when)
            with self.frozen(name):
                self.ended("failed", 1)
        return way

    def common_ways(self, when):
        """Those of all methods, by the name of the situation; `when` the run is under way."""
        return {"killed": self.killed(when),
                "paused": self.steered("pause", "paused", when),
                "interrupted": self.interrupted(when),
                "cancelled": self.steered("cancel", "cancelled", when),
                "half_cancelled": self.half("cancel", when),
                "half_paused": self.half("pause", when)}.items()

    @contextlib.contextmanager
    def frozen_from(self, name):
        """The cluster answers nothing since before the run wrote its first result, which it has."""
        with contextlib.ExitStack() as stack:
            with self.journal_held("running", ""):
                self.until(self.waits_for_journal)
                stack.enter_context(self.frozen(name))
            self.until(lambda: self.run_row()[2])
            yield

    def killed_without(self, name):
        def way():
            with self.frozen_from(name):
                self.kill()
        return way

    def failed_without(self, name):
        def way():
            with self.frozen_from(name):
                self.ended("failed", 1)
        return way

    def kill_before_asking(self, name):
        """It has noted that it will ask the cluster, which hears nothing of it."""
        def way():
            self.killed_without(name)()
            self.killed_cluster(name)
        return way

    def kill_asked(self, name, is_begun):
        """The cluster has begun what was asked for, and the run could not note so."""
        def way():
            with self.frozen_from(name):
                self.journal.execute("BEGIN IMMEDIATE")
            self.until(is_begun)
            self.kill()
            self.journal.execute("ROLLBACK")
        return way

    def has_rows(self, least=1):
        return lambda: self.one("SELECT rows FROM runs WHERE id = ?", self.run) >= least

    def has_lane_done(self):
        return self.one("SELECT count(*) FROM lanes WHERE run = ? AND done = 1", self.run) > 0

    def is_running(self):
        return self.run_row()[0] == "running"

    # Tables

    def tables(self, cluster):
        """By name, from the file that the meta server has once it has tables."""
        path = pathlib.Path(self.folder, f"data-{cluster}", "meta", "apps.json")
        apps = json.loads(path.read_text(encoding="utf-8"))["apps"] if path.exists() else []
        return {app["app_name"]: app for app in apps if app["status"] == "available"}

    def fill(self, cluster, table, partitions, **which):
        self.done("import", "--cluster", cluster, "--table", table, "--quiet", "--create", "--partitions", partitions,
                  "-", stdin=rows(**which))

    def write(self, cluster, table, key, sort_key, value):
        self.shell(cluster, f"use {table}; set {key} {sort_key} {value}")

    # Copies

    def make_copies(self):
        self.fill("A", "t", 4)
        self.fill("A", "gone", 4)
        self.fill("A", "one", 1, count=2500)

        def copy(name, way, *more, table="t", create=True):
            target = "copy_" + name
            new = ["--create", "--partitions", 2] if create else []
            self.keep(target, way, "copy", "--from", "A", "--to", "B", "--table", table, "--to-table", target, *new,
                      *more, undo=lambda: target in self.tables("B") and self.shell("B", f"drop {target} -r 1"))

        slow = ("--max-rows-per-second", 60)
        some = self.has_rows(60)
        copy("planned", self.planned)
        copy("untouched", self.untouched)
        copy("no_target", self.kill_before_asking("B"))
        copy("target_made", self.kill_asked("B", lambda: "copy_target_made" in self.tables("B")))
        for name, way in self.common_ways(some):
            copy(name, way, *slow)
        copy("killed_plain", self.killed(some), "--through", "plain", "--max-rows-per-second", 1000, table="one")
        copy("killed_filtered", self.killed(self.has_rows(5)), "--hash-key-filter", "prefix:user1",
             "--max-rows-per-second", 10)
        copy("killed_set", self.kill_with_setting, *slow)
        copy("failed", self.fails_without("B", some), "--timeout", "3s", "--retry-for", "3s", *slow)
        copy("done", self.ends("done", 0))
        self.fill("B", "copy_live", 2, more=["written"])
        self.fill("B", "copy_nonempty", 3, changed=range(0, ROWS, 7))
        copy("live", self.killed(some), "--live", "--dual-written", "--into-nonempty", *slow, create=False)
        copy("nonempty", self.killed(some), "--into-nonempty", *slow, create=False)
        copy("source_gone", self.killed(some), *slow, table="gone")
        self.shell("A", "drop gone")

    def kill_with_setting(self):
        self.proceed()
        self.until(self.has_rows(60))
        self.done("set", self.run, "max-rows-per-second=100000", "full-speed=true", "--state", self.state)
        self.kill()

    # Comparisons. With --live a row that differs is read again after the lag, and until then the run has not ended.

    def make_verifications(self):
        self.fill("B", "equal", 2)
        self.fill("B", "differs", 3, changed=(7,), missing=(8, 9), more=("b",))
        self.fill("B", "changing", 2, changed=(7,))

        def verify(name, way, *more, to="equal"):
            self.keep("verify_" + name, way, "verify", "--from", "A", "--to", "B", "--table", "t", "--to-table", to,
                      *more, undo=lambda: None)

        verify("planned", self.planned)
        verify("untouched", self.untouched)
        verify("begun", self.killed_without("B"))
        live = ("--live", "--lag", "20s", "--settle-for", "60s")
        for name, way in self.common_ways(self.has_lane_done):
            more = ("--certificate", os.path.join(FOLDER, "certificate.json")) if name == "killed" else ()
            verify(name, way, *live, *more, to="changing")
        verify("failed", self.failed_without("B"), "--timeout", "3s")
        verify("done", self.ends("done", 0))
        verify("sampled", self.ends("done", 0), "--sample", "1/4", "--seed", 7)
        verify("differs", self.ends("done", 4), to="differs")
        self.write("B", "changing", "user1", "field2", "'value 7'")

    def make_repairs(self):
        def repair(name, way, *more, extra=()):
            target = "repair_" + name

            def fill():
                self.fill("B", target, 2, changed=(7,), missing=(8, 9), more=extra)

            def fill_again():
                self.shell("B", f"drop {target} -r 1")
                fill()

            fill()
            listed = ["--differences", self.differences(target)] if name == "list" else []
            self.keep(target, way, "repair", "--from", "A", "--to", "B", "--table", "t", "--to-table", target, *more,
                      *listed, undo=fill_again)

        repair("planned", self.planned)
        repair("untouched", self.untouched)
        repair("begun", self.killed_without("B"))
        repair("list", self.killed_without("B"))
        for name, way in self.common_ways(self.has_lane_done):
            repair(name, way, "--live", "--lag", "1s", "--settle-for", "60s")
        repair("failed", self.failed_without("B"), "--timeout", "3s")
        repair("done", self.ends("done", 0))
        repair("extra_left", self.ends("done", 4), extra=("b",))
        repair("extra_deleted", self.ends("done", 0), "--delete-extra", "--yes", extra=("b",))

    def differences(self, table):
        path = os.path.join(FOLDER, "differences.jsonl")
        self.done("diff", "--from", "A", "--to", "B", "--table", "t", "--to-table", table, "--json", "--output", path,
                  codes=(4,))
        return path

    # Splits and loads. Requests for files are held back where a run must not come to its end.

    def split_words(self, table, *more, origin=("--from", "objects:/ClusterA")):
        return ["split", *origin, "--table", "t", "--to", "objects:/split", "--cluster", "B", "--to-table", table,
                "--work-dir", os.path.join(FOLDER, "work"), *more]

    def make_splits(self):
        os.makedirs(os.path.join(FOLDER, "work"))
        self.done("backup", "--from", "A", "--table", "t", "--store", "objects", "--quiet", "--state", self.other)

        def split(name, way, *more, held=False, **origin):
            table = "split_" + name
            self.shell("B", f"create {table} -p 2")
            key = f"^PUT .*/{table}/.*u0001_"
            if held:
                self.objects.hold(key)
            self.keep(table, way, *self.split_words(table, *more, **origin),
                      undo=lambda: shutil.rmtree(os.path.join(self.objects.folder, "split", "B", table), True))
            if held:
                self.objects.release(key)

        split("planned", self.planned)
        split("untouched", self.untouched)
        split("plan_noted", self.died, "--die-at", "split.planned")
        split("metadata_written", self.died, "--die-at", "split.metadata_written")
        for name, way in self.common_ways(self.has_lane_done):
            split(name, way, held=True)
        split("scan", self.killed(self.has_lane_done), held=True, origin=("--from-cluster", "A"))
        refused = "^PUT .*/split_failed/.*u0001_"
        self.objects.refuse(refused)
        split("failed", self.ends("failed", 1))
        self.objects.release(refused)
        split("done", self.ends("done", 0))

    def loads(self, table):
        return [load for load in self.asked_meta("B", "bulk_load.status") if load["table"] == table]

    def make_loads(self):
        def load(name, way, *more, held=True, made_with=""):
            table = "load_" + name
            self.shell("B", f"create {table} -p 2 {made_with}")
            self.done(*self.split_words(table, "--quiet", "--state", self.other))
            if held:
                self.objects.hold(f"^GET .*/{table}/.*sst")
            self.keep(table, way, "load", "--from", "objects:/split", "--to", "B", "--table", table, *more,
                      undo=None if held else lambda: self.shell("B", f"use {table}; clear_app_envs -a"))

        noted = lambda: '"started":true' in self.run_row()[2]
        load("planned", self.planned, held=False)
        load("untouched", self.untouched, held=False)
        load("not_asked", self.kill_before_asking("B"), held=False)
        self.objects.refuse("^GET .*/load_refused/.*sst")
        load("refused", self.ends("failed", 1), held=False)
        self.objects.release("^GET .*/load_refused/.*sst")
        load("done", self.ends("done", 0), held=False)
        load("killed_ended", self.killed(noted))
        self.objects.release("^GET .*/load_killed_ended/.*sst")
        self.until(lambda: all(load["is_over"] for load in self.loads("load_killed_ended")))
        load("asked", self.kill_asked("B", lambda: any(not load["is_over"] for load in self.loads("load_asked"))))
        for name, way in self.common_ways(noted):
            load(name, way)
        load("behind", self.killed(noted), "--ingest-behind",
             made_with="-e rocksdb.allow_ingest_behind=true,rocksdb.usage_scenario=bulk_load")
        self.write("B", "load_behind", "user0", "field0", "newer")
        load("failed", self.fails_without("B", noted), "--timeout", "3s")
        load("cancel_failed", self.cancel_in_vain(noted), "--timeout", "3s")

    def cancel_in_vain(self, when):
        """The cluster is away when the run, whose process is gone, is to be cancelled."""
        def way():
            self.killed(when)()
            with self.frozen("B"):
                self.done("cancel", self.run, "--state", self.state, codes=(1,))
        return way

    # Restores and backups, the same

    def make_restores(self):
        def restore(name, way, *more):
            target = "restore_" + name
            self.keep(target, way, "restore", "--to", "B", "--store", "objects", "--cluster", "ClusterA", "--table",
                      "t", "--to-table", target, *more,
                      undo=lambda: target in self.tables("B") and self.shell("B", f"drop {target} -r 1"))

        noted = lambda: "app_id" in self.run_row()[2]
        files = "^GET .*/t_.*/chkpt_"
        restore("done", self.ends("done", 0))
        restore("planned", self.planned)
        restore("untouched", self.untouched)
        restore("not_asked", self.kill_before_asking("B"))
        self.objects.refuse(files)
        restore("refused", self.ends("failed", 1))
        self.objects.release(files)
        self.objects.hold(files)
        restore("killed_ended", self.killed(noted))
        app_id = self.tables("B")["restore_killed_ended"]["app_id"]
        self.objects.release(files)
        self.until(lambda: "100%" in self.shell("B", f"query_restore_status {app_id}"))
        self.objects.hold(files)
        restore("asked", self.kill_asked("B", lambda: "restore_asked" in self.tables("B")))
        for name, way in self.common_ways(noted):
            restore(name, way)
        restore("failed", self.fails_without("B", noted), "--timeout", "3s")

    def jobs(self, name):
        return [job["state"] for job in self.asked_meta("A", "backup.status")
                if job["table"].startswith(f"backup_{name}_")]

    def make_backups(self):
        def backup(name, way, *more, held=True):
            numbers = iter(range(1, 100))
            if held:
                self.objects.hold(checkpoints(name))

            def table():
                """Another at each try: the cluster remembers what a try before has done."""
                made = f"backup_{name}_{next(numbers)}"
                self.fill("A", made, 2)
                return made

            self.keep("backup_" + name, way, "backup", "--from", "A", "--table", table, "--store", "objects", *more,
                      undo=lambda: None)

        def checkpoints(name):
            return rf"^PUT .*/backup_{name}_\d+_\d+/.*/chkpt_"

        noted = lambda: "backup_id" in self.run_row()[2]
        # Those that end come first: files that are held back keep the servers' few places for uploads.
        self.objects.refuse(checkpoints("refused"))
        backup("refused", self.ends("failed", 1), held=False)
        backup("done", self.ends("done", 0), held=False)
        backup("planned", self.planned, held=False)
        backup("untouched", self.untouched, held=False)
        backup("not_asked", self.kill_before_asking("A"), held=False)
        backup("killed_ended", self.killed(noted))
        self.objects.release(checkpoints("killed_ended"))
        self.until(lambda: self.jobs("killed_ended") == ["done"])
        backup("asked", self.kill_asked("A", lambda: "running" in self.jobs("asked")))
        for name, way in self.common_ways(noted):
            backup(name, way)
        backup("failed", self.fails_without("A", noted), "--timeout", "3s")

    # The end

    def pack(self):
        for cluster in self.clusters.values():
            cluster.stop()
        with contextlib.closing(sqlite3.connect(self.state, isolation_level=None)) as journal:
            journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(os.path.join(FOLDER, "runs.json"), "w", encoding="utf-8") as file:
            json.dump(self.made, file, indent=1)
        path = HERE / "a70f8de.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name in ("data-A", "data-B", "objects", "journal.db", "differences.jsonl", "runs.json"):
                archive.add(os.path.join(FOLDER, name), name, filter=plain)
        print(f"{path.name}: {path.stat().st_size} bytes, {len(self.made)} runs")


def plain(entry):
    """Without what says who made it, and without what is made again."""
    if entry.name.endswith(("/LOCK", "/LOG", ".log.old")) or "/LOG.old" in entry.name:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def main():
    version = harness.run_program(["--version"], "/").out.strip()
    if version != VERSION:
        sys.exit(f"{version} in PEGMOVE; {VERSION} of commit a70f8de is wanted")
    maker = Maker()
    try:
        maker.make_copies()
        maker.make_verifications()
        maker.make_repairs()
        maker.make_splits()
        maker.make_loads()
        maker.make_restores()
        maker.make_backups()
        maker.pack()
    finally:
        maker.close()


if __name__ == "__main__":
    main()
