"""Splits whose units Spark's executors carry out: the same files and rows as this machine's own, executors that
are lost, a driver that is lost, and what is said when Spark or a unit fails."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import time

from harness import CliTest, Process, row
from scenario import Journal
from wait import until

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "cold-backup"
MASTER = "local-cluster[2,1,1024]"
SLOW_S = 600


def children_of(pid):
    """All that descend from a process, with their command lines."""
    parents, lines = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
                lines[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
    found, last = {}, {pid}
    while last:
        last = {child for child, parent in parents.items() if parent in last}
        found.update((child, lines[child]) for child in last)
    return found


def is_alive(pid):
    with contextlib.suppress(OSError, IndexError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


class OnSpark(CliTest):
    PARTITIONS, ROWS = 16, 4_000

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = os.path.join(cls.folder, "config.ini")
        store = ("[block_service.hdfs_x]\ntype = hdfs_service\nargs = hdfs://"
                 f"{os.environ['PEGMOVE_TEST_HDFS_RPC']}/ user=root webhdfs={os.environ['PEGMOVE_TEST_HDFS']}\n")
        cls.name = "S" + str(time.time_ns())  # the store is shared
        pathlib.Path(cls.config).write_text(store, encoding="utf-8")
        cls.a = cls.shared_cluster(cls.name, more=["--config", cls.config])
        pathlib.Path(cls.config).write_text(f"{store}[pegasus.clusters]\n{cls.name} = {cls.a.meta}\n", encoding="utf-8")
        one = cls("run_words")
        one.create(cls.a, "t", cls.PARTITIONS, [row(f"h{i}", "s", os.urandom(200).hex()) for i in range(cls.ROWS)])
        one.done("backup", "--from", cls.a.meta, "--table", "t", "--store", "hdfs_x", "--config", cls.config, "--state",
                 os.path.join(cls.folder, "backup.db"), "--quiet")

    def setUp(self):
        self.state = os.path.join(self.own_folder(), "journal.db")
        self.journal = Journal(self.state)
        self.to = self.id().rsplit(".", 1)[1]
        self.work = self.own_folder()

    def words(self, table, *more):
        return ["split", "--from", f"hdfs_x:/{self.name}", "--table", "t", "--to", f"hdfs_x:/{self.name}/{self.to}",
                "--cluster", self.name, "--to-table", table, "--config", self.config, "--state", self.state, "--quiet",
                "--work-dir", self.work, *more]

    def on_spark(self, table, *more, **how):
        return [*self.spark_words(**how), *self.words(table, *more)[1:]]

    @staticmethod
    def spark_words(master=MASTER, home=os.environ["PEGMOVE_TEST_SPARK"]):
        words = ["split", "--engine", "spark", "--master", master, "--spark-submit", home + "/bin/spark-submit"]
        for setting in ("spark.ui.enabled=false", "spark.driver.bindAddress=127.0.0.1", "spark.driver.host=127.0.0.1"):
            words += ["--spark-conf", setting]
        return words

    def table(self, name, partitions=24):
        self.done("shell", "--cluster", self.a.meta, "-e", f"create {name} -p {partitions}")
        return name

    def runs(self):
        return [run for (run,) in self.journal.ask("SELECT id FROM runs WHERE method = 'split' ORDER BY created_unix_ms")]

    def units_done(self):
        has_journal = os.path.exists(self.state) and self.journal.ask("SELECT 1 FROM sqlite_master WHERE name = 'units'")
        return len(self.journal.ask("SELECT 1 FROM units WHERE done = 1")) if has_journal else 0

    def files_of(self, run):
        return sorted((file["partition"], file["name"], file["rows"], file["digest"])
                      for (detail,) in self.journal.ask("SELECT detail FROM units WHERE run = ? ORDER BY unit", run)
                      for file in json.loads(detail)["files"])

    def check_files(self, run):
        """They are those that this machine makes."""
        self.done(*self.words(self.table("here" + self.to)))
        here = self.files_of(self.runs()[-1])
        self.assertGreaterEqual(len(here), 24)
        self.assertEqual(self.files_of(run), here)

    def check_load(self, table):
        self.done("load", "--from", f"hdfs_x:/{self.name}/{self.to}", "--to", self.name, "--table", table, "--config",
                  self.config, "--state", self.state, "--quiet")
        report = self.done("verify", "--from", self.a.meta, "--to", self.a.meta, "--table", "t", "--to-table", table,
                           "--state", self.state)
        self.assertIn(f"{self.ROWS:,} rows", report.out)

    def start_and_wait_for_a_unit(self, table):
        work = Process(self.on_spark(table), self.folder)
        self.addCleanup(work.kill)

        def one_is_done():
            self.assertIsNone(work.process.poll(), "it ended before a unit was done")
            return self.units_done()
        until(one_is_done, "a unit's end", SLOW_S)
        self.assertLess(self.units_done(), 8, "too late to disturb it")
        return work

    def test_the_same_files_as_this_machine_makes(self):
        report = json.loads(self.done(*self.on_spark(self.table("there"), "--json"), limit_s=SLOW_S).out)
        self.assertEqual((report["partitions"], report["rows"]["written"]), (24, self.ROWS))
        self.check_files(self.runs()[0])
        self.check_load("there")
        self.assertEqual([name for _, _, names in os.walk(self.work) for name in names], [], "files stay")

    def test_an_executor_that_is_lost(self):
        work = self.start_and_wait_for_a_unit(self.table("lost"))
        executors = [child for child, line in children_of(work.process.pid).items() if "CoarseGrainedExecutorBackend" in line]
        self.assertEqual(len(executors), 2)
        os.kill(executors[0], signal.SIGKILL)
        self.assertLess(self.units_done(), 12, "nothing is left to lose")
        self.assertEqual(work.process.wait(timeout=SLOW_S), 0, str(work.finish()))
        self.check_files(self.runs()[0])
        self.check_load("lost")

    def test_a_kill_ends_spark_too_and_resume_does_the_rest(self):
        work = self.start_and_wait_for_a_unit(self.table("killed"))
        others = children_of(work.process.pid)
        self.assertGreater(len(others), 3)
        work.kill()
        self.wait_until(lambda: not any(map(is_alive, others)), "the end of Spark's processes")
        done = self.units_done()
        self.assertLess(done, 16)
        run = self.runs()[0]
        self.done("resume", run, "--config", self.config, "--state", self.state, "--quiet", limit_s=SLOW_S)
        self.check_files(run)
        self.check_load("killed")

    def test_what_fails_is_named(self):
        table = self.table("wrong")
        self.failed(2, "needs --master", *self.words(table, "--engine", "spark"))
        self.failed(2, "need --engine spark", *self.words(table, "--master", "yarn"))
        self.failed(2, "need --engine spark", *self.words(table, "--spark-conf", "a=b"))
        self.failed(2, ["spark.hadoop.fs.s3a.secret.key looks like a secret", "--spark-properties"],
                    *self.on_spark(table, "--spark-conf", "spark.hadoop.fs.s3a.secret.key=x"))
        self.failed(2, "/nowhere is not a file", *self.on_spark(table, "--spark-properties", "/nowhere"))
        self.failed(2, ["/nowhere/bin/spark-submit", "SPARK_HOME"], *self.on_spark(table, home="/nowhere"))
        self.failed(1, ["spark-submit ended with 1", "Master must", "pegmove resume"],
                    *self.on_spark(table, master="nonsense"))

    def test_a_damaged_block_is_named(self):
        """Spark tries again, and gives up with the unit's own words."""
        store = os.path.join(self.work, "store")
        shutil.copytree(GOLDEN, store)
        path = max(pathlib.Path(store).glob("*/*/golden_4/2/*/*.sst"), key=lambda path: path.stat().st_size)
        data = bytearray(path.read_bytes())
        data[20] ^= 0xFF
        path.write_bytes(data)
        config = os.path.join(self.work, "local.ini")
        pathlib.Path(config).write_text(f"[block_service.local]\ntype = local_service\nargs = {store}\n", encoding="utf-8")
        self.failed(1, ["on Spark: unit", "golden_4/2/", path.name], *self.spark_words(),
                              "--from", "local:/oneboxA", "--table", "golden", "--to", "local:/split", "--cluster", "B",
                              "--app-id", 9, "--partitions", 8, "--config", config, "--state", self.state, "--quiet",
                              "--work-dir", self.work, limit_s=SLOW_S)
