"""Splits and bulk loads through kills at each of their steps, and clients that write beside a load."""
import json
import os
import random
import signal
import time

from backups import Backups, steps
from scenario import seconds


class LoadKills(Backups):
    REPLICAS = (2, 1)
    ROWS = 6_000
    SPLIT_FILE_SIZE = "100KB"

    def config_of_clusters(self):
        """The servers' block services, and where the cluster is."""
        path = os.path.join(self.folder, "clusters.ini")
        with open(self.config, encoding="utf-8") as servers, open(path, "w", encoding="utf-8") as file:
            file.write(servers.read() + f"\n[pegasus.clusters]\nClusterA = {self.a.meta}\n")
        return path

    def make(self, table, partitions, *envs):
        self.shell(f"create {table} -p {partitions}" + (f" -e {','.join(envs)}" if envs else ""))

    def split_words(self, to_table, *more):
        return ["split", "--from", "local:/ClusterA", "--table", "t", "--to", "local:/split", "--cluster", "ClusterA",
                "--to-table", to_table, "--config", self.config_of_clusters(), "--state", self.state, "--quiet",
                "--work-dir", self.folder, "--file-size", self.SPLIT_FILE_SIZE, *more]

    def files_of(self, run):
        """What the journal says that the units of a split have made: partition, name, rows and digest."""
        details = self.journal.ask("SELECT detail FROM units WHERE run = ?", run)
        return sorted((file["partition"], file["name"], file["rows"], file["digest"])
                      for (detail,) in details for file in json.loads(detail)["files"])

    def start_load(self, table, *more):
        return self.run_words("shell", "--cluster", self.a.meta, "-e",
                              f"start_bulk_load -a {table} -c ClusterA -p local -r /split {' '.join(more)}")

    def load_of(self, table):
        found = [load for load in self.remote("bulk_load.status")[0] if load["table"] == table]
        return found[0] if found else None

    def wait_for_load(self, table):
        return self.look_until(lambda: (load := self.load_of(table)) and load["is_over"] and load, f"the load of {table}")

    @seconds(60)
    def test_split_killed_at_every_step(self):
        """Resumed it has the same files with the same rows as one that nobody disturbed."""
        self.fill()
        self.backed_up()
        self.make("whole", 6)
        self.done(*self.split_words("whole"))
        whole = self.files_of(self.last_run())
        self.assertGreater(len(whole), 12)
        names = steps("split", "splitter/split.h")
        self.assertGreaterEqual(len(names), 6, names)
        for number, step in enumerate(names):
            self.make(f"copy{number}", 6)
            outcome = self.run_words(*self.split_words(f"copy{number}", "--die-at", step))
            self.assertEqual(outcome.code, -signal.SIGKILL, f"{step}: {outcome}")
            run = self.last_run()
            self.done("resume", run, "--config", self.config_of_clusters(), "--state", self.state, "--quiet")
            self.assertEqual(self.files_of(run), whole, step)
            self.assertEqual([name for name in os.listdir(os.path.join(self.folder, "pegmove-split", run))], [], step)
            self.start_load(f"copy{number}")
            self.assertEqual(self.wait_for_load(f"copy{number}")["status"], "BLS_SUCCEED")
            self.assertEqual(self.check_equal("t", f"copy{number}", target=self.a), self.ROWS)
        self.note(f"{len(names)} steps: {names}")

    @seconds(60)
    def test_split_from_a_cluster_killed_at_every_step(self):
        os.makedirs(self.store)
        self.fill()
        words = ["split", "--from-cluster", "ClusterA", "--table", "t", "--to", "local:/split", "--cluster", "ClusterA",
                 "--config", self.config_of_clusters(), "--state", self.state, "--quiet", "--work-dir", self.folder,
                 "--file-size", self.SPLIT_FILE_SIZE, "--to-table"]
        self.make("whole", 6)
        self.done(*words, "whole")
        whole = self.files_of(self.last_run())
        self.assertGreater(len(whole), 12)
        names = steps("split", "splitter/split.h")
        for number, step in enumerate(names):
            table = f"copy{number}"
            self.make(table, 6)
            outcome = self.run_words(*words, table, "--die-at", step)
            self.assertEqual(outcome.code, -signal.SIGKILL, f"{step}: {outcome}")
            run = self.last_run()
            self.done("resume", run, "--config", self.config_of_clusters(), "--state", self.state, "--quiet")
            self.assertEqual(self.files_of(run), whole, step)
            self.start_load(table)
            self.assertEqual(self.wait_for_load(table)["status"], "BLS_SUCCEED")
            self.assertEqual(self.check_equal("t", table, target=self.a), self.ROWS)
        self.note(f"{len(names)} steps: {names}")

    def last_run(self):
        return self.journal.ask("SELECT id FROM runs WHERE method = 'split' ORDER BY created_unix_ms DESC, id DESC")[0][0]

    @seconds(60)
    def test_load_killed_at_every_step(self):
        self.fill()
        self.backed_up()
        names = steps("load", "bulkload/node_requests.h")
        self.assertGreaterEqual(len(names), 10, names)
        for number, step in enumerate(names):
            table = f"copy{number}"
            self.make(table, 6)
            self.done(*self.split_words(table))
            self.start_to_die_at(step)
            self.start_load(table)  # the answer may be lost with the server
            self.wait_for_death()
            self.a.start()
            load = self.wait_for_load(table)
            self.assertEqual((load["status"], load["reason"]), ("BLS_SUCCEED", ""), step)
            self.assertEqual(self.check_equal("t", table, target=self.a), self.ROWS, step)
            self.assertEqual([name for _, folders, _ in os.walk(self.a.data) for name in folders if name == "bulk_load"],
                             [], f"{step}: what was downloaded stays beside the table")
            self.assertIn("is_bulk_loading       : NO", self.shell(f"query_bulk_load_status -a {table}"))
        self.note(f"{len(names)} steps: {names}")

    @seconds(30)
    def test_a_load_whose_cluster_is_away_is_cancelled_when_it_is_back(self):
        self.fill()
        self.backed_up()
        self.make("copy", 6)
        self.done(*self.split_words("copy"))
        self.start_to_die_at("load.file_downloaded")
        words = ["load", "--from", "local:/split", "--to", "ClusterA", "--table", "copy", "--config",
                 self.config_of_clusters(), "--state", self.state, "--quiet", "--timeout", "2s"]
        self.assertEqual(self.run_words(*words).code, 1)
        self.wait_for_death()
        ((run, _),) = self.loads()
        away = self.run_words("cancel", run, "--state", self.state, "--timeout", "2s")
        self.assertEqual(away.code, 1, str(away))
        self.assertIn("fix the cause, then repeat", away.err)
        self.assertEqual(self.loads()[0][1], "cancelling", "the cancel can be repeated")
        self.a.start()
        self.assertEqual(self.wait_for_load("copy")["status"], "BLS_SUCCEED")
        late = self.run_words("cancel", run, "--state", self.state)
        self.assertEqual(late.code, 1, str(late))
        self.assertIn("too late to cancel", late.err)
        self.assertEqual(self.loads(), [(run, "done")])
        self.assertIn('"rocksdb.usage_scenario": "normal"', self.shell("use copy; get_app_envs -j"))

    def loads(self):
        return self.journal.ask("SELECT id, state FROM runs WHERE method = 'load'")

    @seconds(30)
    def test_clients_write_before_during_and_after_a_load_behind(self):
        """The table is as if the loaded rows had been written first; a killed server included."""
        self.fill()
        self.backed_up()
        self.make("behind", 6, "rocksdb.allow_ingest_behind=true", "rocksdb.usage_scenario=bulk_load")
        self.make("model", 6)
        self.done(*self.split_words("behind"))
        self.done(*self.split_words("model"))
        self.start_load("model")
        self.wait_for_load("model")
        chance = random.Random(11)

        def write_both(count):
            commands = []
            for _ in range(count):
                key = f"user{chance.randrange(self.ROWS // 10)} field{chance.randrange(10):04d}"
                commands.append(chance.choice([f"set {key} new{chance.random()}", f"del {key}"]))
            for table in ("behind", "model"):
                self.shell("; ".join([f"use {table}", *commands]))

        write_both(60)
        self.start_to_die_at("load.files_ingested")
        write_both(20)
        self.start_load("behind", "--ingest_behind")
        self.wait_for_death()
        self.a.start()
        self.assertEqual(self.wait_for_load("behind")["status"], "BLS_SUCCEED")
        write_both(60)
        self.assertGreater(self.check_equal("model", "behind", target=self.a, source=self.a), self.ROWS // 2)
        self.shell("use behind; set_app_envs rocksdb.usage_scenario normal")
        self.shell(f"use behind; set_app_envs manual_compact.once.trigger_time {int(time.time())}")
        write_both(20)
        self.a.stop()  # files go while a compaction is under way
        self.check_equal("model", "behind", target=self.a, source=self.a)
