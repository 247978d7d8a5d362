"""Damage and full disks: one partition falls out, the others and what was read go on."""
import ctypes
import glob
import json
import os
import resource
import signal
import subprocess

from harness import PROGRAM, CliTest, Cluster, row

PARTITIONS = 4


class DamagedPartition(CliTest):
    def setUp(self):
        self.target = None
        self.source = self.cluster(replicas=2)
        self.rows = [row(f"h{i}", "s", f"v{i}") for i in range(200)]
        self.create(self.source, "t", PARTITIONS, self.rows)

    def damage(self, pattern, text=b"\0garbage\n" * 20):
        """Overwrites the files of partition 1; the cluster is stopped before and started after."""
        self.source.stop()
        paths = glob.glob(os.path.join(self.source.data, "replica*", "1.1.pegasus", "data", "rdb", pattern))
        self.assertTrue(paths, pattern)
        for path in paths:
            with open(path, "wb") as file:
                file.write(text)
        self.source.start()

    def check_only_partition_1_is_out(self):
        log = self.source.process.stderr_until("its other partitions serve").string
        self.assertIn("partition 1 of table 't'", log)
        self.assertIn("1.1.pegasus", log)
        shown = self.done("shell", "--cluster", self.source.meta, "-e", "app t -d").out
        self.assertRegex(shown, r"(?m)^1 +\d+ +0/1 +- ")
        for index in (0, 2, 3):
            self.assertRegex(shown, rf"(?m)^{index} +\d+ +1/1 +127\.0\.0\.1:\d+")
        self.assertRegex(shown, r"read_unhealthy_partition_count +: 1")
        counted = self.done("shell", "--cluster", self.source.meta, "-e", "use t; count_data -c -p 0")
        self.assertRegex(counted.out + counted.err, r"\b[1-9]\d*\b")

    def check_copy_and_export_fail_clearly(self):
        target = self.cluster(name="B")
        out = os.path.join(self.folder, "out.jsonl")
        words = ["--table", "t", "--timeout", "2s", "--quiet"]
        between = ["--from", self.source.meta, "--to", target.meta]
        self.failed(3, ["1 of 4 partitions", ": 1 ", "table 't' on cluster"], "copy", *between, "--create", *words)
        self.failed(1, ["partition 1 of table 't'"], "export", "--cluster", self.source.meta, out, *words)
        self.create(target, "t", 4)
        copied = self.failed((1, 3), ["partition 1 of table 't'"], "verify", *between, *words)
        self.assertNotEqual(copied.code, 4)
        self.assertEqual(glob.glob(out + "*"), [], "half a file that looks like a whole one")

    def test_a_partition_with_a_damaged_manifest_falls_out_alone(self):
        self.damage("MANIFEST-*")
        self.check_only_partition_1_is_out()
        self.check_copy_and_export_fail_clearly()

    def test_a_partition_with_a_damaged_current_falls_out_alone(self):
        self.damage("CURRENT")
        self.check_only_partition_1_is_out()

    def test_a_partition_with_a_missing_manifest_falls_out_alone(self):
        self.source.stop()
        for path in glob.glob(os.path.join(self.source.data, "replica*", "1.1.pegasus", "data", "rdb", "MANIFEST-*")):
            os.remove(path)
        self.source.start()
        self.check_only_partition_1_is_out()

    def test_a_table_file_that_is_damaged_is_an_error_never_missing_rows(self):
        # Many restarts, each of which puts the log into a table file.
        for _ in range(2):
            self.source.stop()
            self.source.start()
        self.damage("*.sst")
        self.failed(1, "partition 1", "export", "--cluster", self.source.meta, "--table", "t", "--timeout", "2s",
                    "--quiet", "out.jsonl")


def mount_tmpfs(folder, size):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"pegmove-cli", folder.encode(), b"tmpfs", 0, b"size=%d" % size) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class FullDisk(CliTest):
    SIZE = 24 << 20

    def setUp(self):
        self.mounted = os.path.join(self.folder, "disk")
        os.makedirs(self.mounted, exist_ok=True)

    def tearDown(self):
        subprocess.run(["umount", "--lazy", self.mounted], capture_output=True, check=False)

    def write_until_it_fails(self, cluster):
        for i in range(60):
            rows = "".join(json.dumps(row(f"h{i}-{j}", "s", os.urandom(300_000).hex())) + "\n" for j in range(4))
            outcome = self.run_words("import", "--cluster", cluster.meta, "--table", "t", "--quiet", "-",
                                     stdin=rows.encode())
            if outcome.code != 0:
                return outcome
        raise AssertionError("the disk does not fill")

    def check_reads_and_writes_after(self, cluster, make_room):
        failed = self.write_until_it_fails(cluster)
        self.assertEqual(failed.code, 1, str(failed))
        self.assertIn("table 't'", failed.err)
        self.assertRegex(failed.err, "(?i)ERR_DISK|no space|disk is full|disk")
        self.assertIn(row("first", "s", "kept"), self.small_rows(cluster))
        again = self.run_words("import", "--cluster", cluster.meta, "--table", "t", "-",
                               stdin=json.dumps(row("big", "s", os.urandom(400_000).hex())).encode())
        self.assertNotEqual(again.code, 0, "the disk is full: " + str(again))
        make_room()
        self.fill(cluster, "t", [row(f"after{i}", "s", "v" * 1000) for i in range(20)])
        self.assertEqual(sum(one["hash_key"].startswith("after") for one in self.small_rows(cluster)), 20)
        self.assertEqual(cluster.stop().code, 0)
        cluster.start()
        rows = self.small_rows(cluster)
        self.assertEqual(sum(one["hash_key"].startswith("after") for one in rows), 20)
        self.assertIn(row("first", "s", "kept"), rows)

    def small_rows(self, cluster):
        return [one for one in self.rows_of(cluster, "t") if len(one["value"]) < 5000]

    def test_full_disk_refuses_writes_goes_on_reading_and_recovers(self):
        ballast = os.path.join(self.mounted, "ballast")
        try:
            mount_tmpfs(self.mounted, self.SIZE)
        except OSError as refused:
            print(f"\n  no tmpfs can be mounted ({refused}): the size of files is limited instead", flush=True)
            return self.check_with_limited_files()
        with open(ballast, "wb") as file:
            file.write(b"\0" * (self.SIZE // 2))
        cluster = Cluster(self.folder, "A", data=os.path.join(self.mounted, "data"))
        self.addCleanup(cluster.kill)
        self.create(cluster, "t", 2, [row("first", "s", "kept")])
        self.check_reads_and_writes_after(cluster, lambda: os.remove(ballast))

    def check_with_limited_files(self):
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, unlimited[1]))

        cluster = self.cluster(preexec_fn=limit)
        self.create(cluster, "t", 2, [row("first", "s", "kept")])
        self.check_reads_and_writes_after(
            cluster, lambda: resource.prlimit(cluster.pid, resource.RLIMIT_FSIZE, unlimited))

    def test_a_full_disk_of_the_export_is_an_error(self):
        cluster = self.cluster()
        self.create(cluster, "t", 1, [row(f"h{i}", "s", "v" * 1000) for i in range(200)])
        with open("/dev/full", "wb") as full:
            done = subprocess.run([PROGRAM, "export", "--cluster", cluster.meta, "--table", "t", "-"],
                                  stdout=full, stderr=subprocess.PIPE, cwd=self.folder, timeout=30, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(b"No space left", done.stderr)
