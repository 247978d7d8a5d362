"""What the scenarios share: two clusters, a journal, copies under way that are watched and steered."""
import contextlib
import json
import os
import re
import signal
import sqlite3
import tempfile
import time

import harness
from metrics_of import total_of
from ports import free_ports
from tables import StoredTable, difference, tsv
from wait import LIMIT_S, PAUSE_S, until

FUTURE = int(time.time()) + 500_000
DONE, FAILED, USAGE, PREFLIGHT, DIFFER, INTERRUPTED = 0, 1, 2, 3, 4, 7


def seconds(about):
    """How long a scenario takes about: the long ones are begun first."""
    def mark(method):
        method.seconds = about
        return method
    return mark


class FixedCluster(harness.Cluster):
    """An embedded cluster that has the same addresses when it is started again."""

    def __init__(self, folder, name, replicas=1, more=()):
        self.meta_port = free_ports(1 + replicas)
        super().__init__(folder, name, replicas, [*more, "--replica-port", self.meta_port + 1])


class Copier(harness.Process):
    """A `copy` or `resume` that works; `run` is its run's ID once it has said it."""

    def __init__(self, words, folder, **more):
        super().__init__(words, folder, **more)
        self.run = None

    def wait_for_run(self):
        self.run = self.stderr_until(r"run ([a-z]+-\d{8}-\d+)")[1]
        return self.run

    def ended(self):
        return self.process.poll() is not None


class Journal:
    """The journal, read as the SQLite file it is."""

    def __init__(self, path):
        self.path = path

    def ask(self, query, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query, values).fetchall()

    def run(self, run):
        """(state, reason, rows)"""
        return self.ask("SELECT state, reason, rows FROM runs WHERE id = ?", run)[0]

    def rows(self, run):
        return self.run(run)[2]

    def noted(self, run):
        """(rows, when the copier noted them, in milliseconds)"""
        return self.ask("SELECT rows, updated_unix_ms FROM runs WHERE id = ?", run)[0]


class Scenario(harness.CliTest):
    """Clusters A and B, a table `t` that is filled on A, a journal."""

    REPLICAS = (2, 2)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="s-")
        self.state = os.path.join(self.folder, "journal.db")
        self.journal = Journal(self.state)
        more = self.cluster_options()
        self.a = self.start_cluster("A", self.REPLICAS[0], more)
        self.b = self.start_cluster("B", self.REPLICAS[1], more)

    def cluster_options(self):
        return ()

    def start_cluster(self, name, replicas, more=()):
        cluster = FixedCluster(self.folder, name, replicas, more)
        self.addCleanup(lambda: cluster.kill())
        return cluster

    def group_options(self):
        """For clusters that know each other's IDs, so that DUPLICATE can be had."""
        path = os.path.join(self.folder, "group.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[duplication-group]\nA = 1\nB = 2\n")
        return ("--config", path)

    # Tables

    def load(self, cluster, table, rows, partitions=None):
        """Rows as (hash key, sort key, value[, expiry]); makes the table if a partition count is given."""
        create = ("--create", "--partitions", partitions) if partitions else ()
        self.done("import", "--cluster", cluster.meta, "--table", table, "--format", "tsv", "--quiet", *create, "-",
                  stdin=rows if isinstance(rows, bytes) else tsv(rows), limit_s=120)

    def table(self, cluster, name="t"):
        return StoredTable(cluster, name)

    def check_equal(self, table="t", to_table=None, source=None, target=None):
        """Both tables have the same rows; returns the number. By the files alone."""
        now = int(time.time())
        one, other = self.table(source or self.a, table), self.table(target or self.b, to_table or table)
        left, right = one.digest(now=now), other.digest(now=now)
        if left != right:
            self.fail(f"{left}\n{right}\n" + difference(one, other, now))
        return left.rows

    # Copies

    @staticmethod
    def note(text):
        """A measured fact that is shown with the scenario's result."""
        print("note: " + text, flush=True)

    def words(self, *more, table="t"):
        return ["copy", "--from", self.a.meta, "--to", self.b.meta, "--table", table, "--state", self.state, *more]

    def copied(self, *more, table="t"):
        """A copy that must succeed; its report."""
        return json.loads(self.done(*self.words("--json", *more, table=table), limit_s=120).out)

    def copier(self, *more, table="t"):
        """A copy in the background, once it has told its ID."""
        copier = Copier(self.words("--json", *more, table=table), self.folder)
        self.addCleanup(copier.kill)
        copier.wait_for_run()
        return copier

    def resumer(self, run, *more):
        """A resume in the background, once the run is its own."""
        copier = Copier(["resume", run, "--state", self.state, "--json", *more], self.folder)
        self.addCleanup(copier.kill)
        copier.run = run
        self.look_until(lambda: self.status(run)["process"] == copier.pid, "the resume", copier)
        return copier

    def resumed(self, run, *more):
        """A resume that must succeed; its report."""
        return json.loads(self.done("resume", run, "--state", self.state, "--json", *more, limit_s=120).out)

    def finished(self, copier, code=DONE):
        outcome = copier.finish()
        self.assertEqual(outcome.code, code, str(outcome))
        return outcome

    def hurry(self, run):
        """What is left is done as fast as it goes."""
        self.steer("set", run, "max-rows-per-second=0")

    def rate(self, copier, rows):
        """Rows a second while so many are copied, by the times that the copier itself notes: how quickly this is
        read has no part in it."""
        before = self.journal.noted(copier.run)

        def noted_after(earlier, least):
            def look():
                now = self.journal.noted(copier.run)
                return now[1] > earlier[1] and now[0] >= least and now
            return self.look_until(look, f"{least} rows", copier)
        begin = noted_after(before, 0)
        end = noted_after(begin, begin[0] + rows)
        return (end[0] - begin[0]) * 1000 / (end[1] - begin[1])

    def steer(self, *words):
        return self.done(*words, "--state", self.state)

    def status(self, run):
        return json.loads(self.steer("status", run, "--json").out)

    def look_until(self, condition, what, copier=None, limit_s=LIMIT_S, pause_s=PAUSE_S):
        """Looks until it is so; a copier that ends meanwhile fails the scenario."""
        def look():
            found = condition()
            if not found and copier is not None and copier.ended() and not (found := condition()):
                self.fail(f"{what}: the process ended before: {copier.finish()}")
            return found
        return until(look, what, limit_s, pause_s)

    def wait_for_rows(self, copier, rows):
        """Until the journal says that so many rows are in the target."""
        return self.look_until(lambda: self.journal.rows(copier.run) >= rows, f"{rows} rows copied", copier)

    def wait_for_reason(self, copier):
        return self.look_until(lambda: self.journal.run(copier.run)[1], "a reason for waiting", copier)

    def kill_hard(self, copier):
        """As the kernel kills when there is no memory left."""
        os.kill(copier.pid, signal.SIGKILL)
        copier.kill()
        self.assertEqual(copier.process.wait(), -signal.SIGKILL)

    def scanned_bytes(self, cluster, app_id):
        """What the scans of a table have given away so far, by the servers' own count."""
        return total_of(cluster.replicas, "scan_bytes", table_id=str(app_id))

    def failed_saying(self, codes, says, *words, **more):
        """Fails in one of these ways and says each of the patterns on stderr."""
        outcome = self.run_words(*words, **more)
        self.assertIn(outcome.code, codes if isinstance(codes, tuple) else (codes,), str(outcome))
        for pattern in [says] if isinstance(says, str) else says:
            self.assertRegex(outcome.err, re.compile(pattern, re.IGNORECASE), str(outcome))
        return outcome
