"""split and load: what the documentation types, from a real cluster's backup to the rows in another
table, and what they say to wrong requests."""
import glob
import json
import os
import re
import shutil
import urllib.error
import urllib.request

from harness import CliTest, row

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden")
BACKUP = "1795335319246"  # of the golden cold backup: table golden, id 4, 4 partitions


def golden_rows():
    """The rows that the real cluster's shell showed: hash key, sort key and value, as bytes."""
    quoted = re.compile(r'"((?:\\x[0-9A-F]{2})*)"')
    rows = set()
    with open(os.path.join(GOLDEN, "cold-backup", "golden.scan.txt"), encoding="utf-8") as file:
        for line in file:
            if line.startswith('"'):
                rows.add(tuple(bytes.fromhex(text.replace("\\x", "")) for text in quoted.findall(line)))
    return rows


def as_bytes(one):
    """A row of `pegmove export` in the form of golden_rows()."""
    import base64
    return tuple(base64.b64decode(one[name + "_b64"]) if name + "_b64" in one else one[name].encode()
                 for name in ("hash_key", "sort_key", "value"))


class WithStore(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.store = os.path.join(cls.folder, "store")
        cls.config = os.path.join(cls.folder, "config.ini")
        cls.write_config("")
        cls.b = cls.shared_cluster("ClusterB", more=["--config", cls.config])
        cls.write_config(f"[pegasus.clusters]\nClusterB = {cls.b.meta}\n")
        shutil.copytree(os.path.join(GOLDEN, "cold-backup"), os.path.join(cls.store, "backups"))

    @classmethod
    def write_config(cls, more):
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.local]\ntype = local_service\nargs = {cls.store}\n{more}")

    def setUp(self):
        self.state = os.path.join(self.folder, "journal.db")
        self.to = "split-" + self.id().rsplit(".", 1)[1]

    def shell(self, text):
        return self.done("shell", "--cluster", self.b.meta, "-e", text).out

    def options(self, *more):
        return ["--config", self.config, "--state", self.state, "--quiet", *more]

    def split_words(self, to_table, *more, table="golden", backup=BACKUP):
        return ["split", "--from", "local:/backups/oneboxA", "--backup", backup, "--table", table, "--to",
                f"local:/{self.to}", "--cluster", "ClusterB", "--to-table", to_table, *self.options(*more)]

    def load_words(self, table, *more):
        return ["load", "--from", f"local:/{self.to}", "--to", "ClusterB", "--table", table, *self.options(*more)]

    def query(self, table):
        return self.run_words("shell", "--cluster", self.b.meta, "-e", f"query_bulk_load_status -a {table}")

    def wait_for_load(self, table):
        self.wait_until(lambda: "is_bulk_loading       : NO" in self.query(table).out, "the load's end")


class SplitAndLoad(WithStore):
    def test_the_golden_backup_comes_into_any_partition_count(self):
        expected = golden_rows()
        self.shell("set_meta_level lively")
        for partitions in (1, 3, 4, 7, 16):
            table = f"any{partitions}"
            self.shell(f"create {table} -p {partitions}")
            # Some rows of it have expired since the backup was made.
            report = json.loads(self.done(*self.split_words(table, "--json")).out)
            self.assertEqual((report["partitions"], report["foreign_rows"]), (partitions, 0))
            loaded = json.loads(self.done(*self.load_words(table, "--json")).out)
            self.assertEqual((loaded["table"], loaded["partitions"]), (table, partitions))
            self.assertGreaterEqual(loaded["writes_held_ms"], 0)
            found = {as_bytes(one) for one in self.rows_of(self.b, table)}
            self.assertLessEqual(found, expected)
            self.assertEqual(len(found), report["rows"]["written"])
            self.assertGreater(len(found), 800)
            self.assertIn("lively", self.shell("get_meta_level"))
            self.assertIn('"rocksdb.usage_scenario": "normal"', self.shell(f"use {table}; get_app_envs -j"))

    def test_as_the_documentation_types_it(self):
        self.shell("create TableB -p 8 -e rocksdb.allow_ingest_behind=true")
        self.shell("use TableB; set_app_envs rocksdb.usage_scenario bulk_load")
        self.shell('use TableB; set "bulk00" "s000" "newer"; del "bulk00" "s001"')
        self.done(*self.split_words("TableB"))
        self.assertIn("start bulk load succeed", self.shell(
            f"start_bulk_load -a TableB -c ClusterB -p local -r /{self.to} --ingest_behind"))
        self.wait_for_load("TableB")
        shown = self.shell("query_bulk_load_status -a TableB -d")
        self.assertIn("app_bulk_load_status  : BLS_SUCCEED", shown)
        self.assertEqual(shown.count("BLS_SUCCEED"), 9, shown)
        self.assertIn("YES", shown)
        rows = {as_bytes(one)[:2]: as_bytes(one)[2] for one in self.rows_of(self.b, "TableB")}
        self.assertEqual(rows[(b"bulk00", b"s000")], b"newer")
        self.assertNotIn((b"bulk00", b"s001"), rows)
        self.assertEqual(rows[(b"bulk00", b"s002")], b"v0")
        for text, says in (("pause_bulk_load -a TableB", "is not executing bulk load"),
                           ("restart_bulk_load -a TableB", "ERR_INACTIVE_STATE"),
                           ("cancel_bulk_load -a TableB -f", "ERR_INACTIVE_STATE"),
                           ("start_bulk_load -a TableB -c x -p local", "remote_root_path should not be empty"),
                           ("start_bulk_load -a TableB -c nowhere -p local -r x", "read bulk_load_info failed"),
                           ("query_bulk_load_status -a TableB -i 99 -d", "invalid partition index"),
                           ("query_bulk_load_status -a none", "ERR_APP_NOT_EXIST")):
            outcome = self.run_words("shell", "--cluster", self.b.meta, "-e", text)
            self.assertNotEqual(outcome.code, 0, str(outcome))
            self.assertIn(says, outcome.err, str(outcome))
        self.assertIn("clear bulk load result succeed", self.shell("clear_bulk_load -a TableB"))

    def test_what_is_wrong_is_named_before_anything_is_done(self):
        self.shell("create t1 -p 4")
        self.failed(3, ["no complete backup 7 of table 'golden'", "pegmove backups ls"], *self.split_words("t1", backup=7))
        self.failed(3, "no complete backup", *self.split_words("t1", table="other"))
        self.failed(3, ["the table to load must exist", "'none'"], *self.split_words("none"))
        self.failed(3, ["--partitions 8", "has 4"], *self.split_words("t1", "--partitions", 8))
        self.failed(2, "--from 'backups'", "split", "--from", "backups", "--table", "golden", "--to", "local:/x",
                    "--cluster", "ClusterB", *self.options())
        self.failed(2, "--work-dir", *self.split_words("t1", "--work-dir", "/nowhere"))
        self.failed(2, "--memory", *self.split_words("t1", "--memory", "much"))
        self.failed(3, "raise `--memory` or lower `--workers`", *self.split_words("t1", "--memory", "1MiB"))
        self.failed(3, "raise `--disk` or lower `--workers`", *self.split_words("t1", "--disk", "1MiB"))
        outcome = self.run_words("split", "--from", "local:/backups/oneboxA", "--table", "golden", "--to", "local:/x",
                                 "--cluster", "Unknown", *self.options())
        self.assertEqual(outcome.code, 3)
        self.assertIn("--app-id and --partitions", outcome.err)
        self.failed(3, "bulk_load_info", *self.load_words("t1"))
        self.failed(3, "allow_ingest_behind", *self.load_words("t1", "--ingest-behind"))
        self.failed(3, "'none'", *self.load_words("none"))
        self.failed(2, "is unknown", "load", "--from", "local:/x", "--to", "C", "--table", "t", *self.options())

    def test_a_load_is_started_over_http(self):
        self.shell("create web -p 4 -e rocksdb.allow_ingest_behind=true")
        self.shell('use web; set "bulk00" "s000" "newer"')
        self.done(*self.split_words("web"))
        url = f"http://{self.b.meta}/meta/app/start_bulk_load"
        request = {"app_name": "web", "cluster_name": "ClusterB", "file_provider_type": "local",
                   "remote_root_path": "/" + self.to, "ingest_behind": True}

        def post(body):
            try:
                with urllib.request.urlopen(url, data=body.encode(), timeout=20) as reply:
                    return reply.status, reply.read().decode()
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code, refused.read().decode()

        self.assertEqual(post("nonsense"), (400, "invalid request structure"))
        self.assertEqual(post(json.dumps({**request, "cluster_name": ""})), (400, "cluster_name should not be empty"))
        self.assertEqual(post(json.dumps({**request, "ingest_behind": 7})), (400, "invalid request structure"))
        status, text = post(json.dumps({**request, "app_name": "none"}))
        self.assertEqual((status, json.loads(text)["error"]), (200, "ERR_APP_NOT_EXIST"))
        status, text = post(json.dumps(request))
        self.assertEqual((status, json.loads(text)), (200, {"error": "ERR_OK", "hint_msg": ""}))
        self.wait_for_load("web")
        rows = {as_bytes(one)[:2]: as_bytes(one)[2] for one in self.rows_of(self.b, "web")}
        self.assertEqual((rows[(b"bulk00", b"s000")], rows[(b"bulk00", b"s002")]), (b"newer", b"v0"))

    def test_the_version_of_values_is_asked(self):
        self.shell("create versions -p 2")
        self.failed(3, ["--data-version 0", "has 1"], *self.split_words("versions", "--data-version", 0))
        self.done(*self.split_words("versions", "--data-version", 1))

    def test_old_servers_get_files_that_they_can_read(self):
        """RocksDB before 6.27 knows CRC32C (1), and not XXH3 (4), which later ones write. It is in a file's footer."""
        for words, checksum in (([], 4), (["--old-servers"], 1)):
            table = f"checksum{checksum}"
            self.to = table
            self.shell(f"create {table} -p 3")
            self.done(*self.split_words(table, *words, table="golden"))
            files = glob.glob(os.path.join(self.store, self.to, "**", "*.sst"), recursive=True)
            self.assertEqual({open(file, "rb").read()[-53] for file in files}, {checksum})
            self.done(*self.load_words(table))
        self.assertEqual(*({as_bytes(one) for one in self.rows_of(self.b, f"checksum{n}")} for n in (1, 4)))

    def on_spark(self, table, script, *more):
        """A split whose spark-submit is this script; `$folder` is what the driver is given."""
        self.shell(f"create {table} -p 2")
        submit = os.path.join(self.own_folder(), "spark-submit")
        with open(submit, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nfor folder; do :; done\n" + script)
        os.chmod(submit, 0o755)
        return self.split_words(table, "--engine", "spark", "--master", "yarn", "--spark-submit", submit, *more)

    def test_what_spark_tells_is_not_believed_blindly(self):
        self.failed(1, "no result of unit 0 was reported", *self.on_spark("s1", "exit 0"))
        counts = dict.fromkeys(("read", "written", "bytes", "expired", "filtered"), 1)

        def tells(**more):
            file = {"partition": 0, "name": "u0000_0001.sst", "size": 1, "md5": "0" * 32, "rows": 1, "digest": "0", **more}
            return ("echo '" + json.dumps({"counts": counts, "files": [file]}) + "' >$folder/results/0.json\n"
                    "echo pegmove-unit 0; exit 0")

        for number, wrong in enumerate(({"partition": 70}, {"name": "u0001_0001.sst"}, {"name": "u0000_/../../x"})):
            self.failed(1, "unit 0 cannot have written a file", *self.on_spark(f"s2{number}", tells(**wrong)))
        self.failed(1, "results/0.json: ", *self.on_spark("s3", "echo nonsense >$folder/results/0.json; echo pegmove-unit 0"))
        self.failed(1, ["spark-submit ended with 1", "No module named 'x'"],
                    *self.on_spark("s4", "echo \"ModuleNotFoundError: No module named 'x'\"; exit 1"))
        self.failed(1, "on Spark: unit 3 ended", *self.on_spark("s5", "echo unit 3 ended >$folder/results/failed; exit 1"))

    def test_what_spark_is_told(self):
        told = os.path.join(self.own_folder(), "told")
        self.failed(1, "spark-submit ended with 9", *self.on_spark(
            "s6", f"printf '%s\\n' \"$@\" >{told}; cat $folder/bundle/split.json $folder/bundle/stores.ini >{told}.spec; exit 9",
            "--spark-conf", "spark.x=y"))
        with open(told, encoding="utf-8") as file:
            words = file.read().splitlines()
        for expected in (["--deploy-mode", "client", "--master", "yarn"], ["--conf", "spark.x=y"],
                         ["--conf", "spark.speculation=false"]):
            self.assertIn(" ".join(expected), " ".join(words))
        with open(told + ".spec", encoding="utf-8") as file:
            spec = file.read()
        self.assertIn("[block_service.local]", spec)
        self.assertNotIn("spark.x", spec)

    def test_files_of_another_split_are_not_mixed_with(self):
        self.shell("create t2 -p 2")
        self.done(*self.split_words("t2"))
        self.failed(3, ["already has files", "--to"], *self.split_words("t2"))

    def test_a_set_for_another_table_is_refused(self):
        self.done("split", "--from", "local:/backups", "--table", "golden", "--to", f"local:/{self.to}", "--cluster",
                  "Other", "--to-table", "t3", "--app-id", 99, "--partitions", 2, *self.options())
        self.shell("create t3 -p 2")
        self.failed(3, ["is for a table with id 99"], *self.load_words("t3", "--cluster", "Other"))

    def test_key_filters(self):
        self.shell("create t4 -p 2")
        report = json.loads(self.done(*self.split_words("t4", "--json", "--hash-key-filter", "prefix:bulk00")).out)
        self.assertGreater(report["rows"]["filtered"], 100)
        self.done(*self.load_words("t4"))
        self.assertEqual({one["hash_key"] for one in self.rows_of(self.b, "t4")}, {"bulk00"})

    def test_a_load_of_its_own_backup_from_a_live_cluster(self):
        self.fill(self.b, "own", [row(f"h{i}", "s", "v" * 100) for i in range(500)], "--create", "--partitions", 8)
        backup = json.loads(self.done("backup", "--from", "ClusterB", "--store", "local", "--path", "/backups", "--table",
                                      "own", "--json", *self.options()).out)
        self.shell("create own7 -p 7")
        self.done("split", "--from", "local:/backups/ClusterB", "--backup", backup["backup_id"], "--table", "own", "--to",
                  f"local:/{self.to}", "--cluster", "ClusterB", "--to-table", "own7", *self.options())
        self.done(*self.load_words("own7"))
        self.assertEqual(self.rows_of(self.b, "own7"), self.rows_of(self.b, "own"))

    def test_straight_from_a_cluster(self):
        """The same files from a scan: rows, expiry, and any partition count."""
        self.fill(self.b, "live", [row(f"h{i}", f"s{i % 3}", "v" * (i % 50), 2_000_000_000 + i)
                                   for i in range(3_000)], "--create", "--partitions", 8)
        for partitions in (6, 7):
            table = f"live{partitions}"
            self.shell(f"create {table} -p {partitions}")
            report = json.loads(self.done(
                "split", "--from-cluster", "ClusterB", "--table", "live", "--to", f"local:/{self.to}", "--cluster",
                "ClusterB", "--to-table", table, "--file-size", "20KB", "--json", *self.options()).out)
            self.assertEqual((report["rows"]["written"], report["foreign_rows"]), (3_000, 0))
            self.assertGreater(report["files"], partitions)
            self.done(*self.load_words(table))
            self.assertEqual(self.rows_of(self.b, table), self.rows_of(self.b, "live"))
        words = ["--table", "live", "--to", "local:/x", "--cluster", "ClusterB", *self.options()]
        self.failed(2, "give either --from, the folder of a backup, or --from-cluster", "split", *words)
        self.failed(2, "--backup needs --from", "split", "--from-cluster", "ClusterB", "--backup", 7, *words)
        self.failed(3, "'none'", "split", "--from-cluster", "ClusterB", "--table", "none", *words[2:])
        self.shell("use live; set_app_envs replica.deny_client_request reconfig*read")
        self.failed(3, "reconfig*read denies reads (table 'live' on cluster ClusterB)", "split", "--from-cluster",
                    "ClusterB", *words)
