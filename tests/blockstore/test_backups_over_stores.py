"""Backups to a real HDFS and a real S3 server, through the program: made, looked into, killed in the
middle, restored. Where they are stands in the environment (tests/peers/peers.py run)."""
import json
import os
import signal
import time
import urllib.request

from harness import CliTest, row
from metrics_of import uploaded_bytes
from scenario import FixedCluster
from wait import until

PATH = "/user/pegasus/backup"


class OverStores(CliTest):
    ROWS = 5_000

    def setUp(self):
        self.folder = self.own_folder()
        self.config = os.path.join(self.folder, "config.ini")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("[block_service.hdfs_x]\ntype = hdfs_service\nargs = hdfs://"
                       f"{os.environ['PEGMOVE_TEST_HDFS_RPC']}/ user=root webhdfs={os.environ['PEGMOVE_TEST_HDFS']}\n"
                       f"[block_service.s3]\ntype = s3_service\nargs = {os.environ['PEGMOVE_TEST_S3']} backups\n"
                       f"[block_service.secure]\ntype = hdfs_service\nargs = hdfs://localhost/ auth=kerberos "
                       f"webhdfs={os.environ['PEGMOVE_TEST_HDFS_KERBEROS']}\n")
        name = "C" + str(time.time_ns())  # the stores are shared
        self.cluster_name = name
        # Checkpoints in a store are named by the server's address: it stays the same.
        self.a = FixedCluster(self.folder, name, 2, ["--config", self.config])
        self.addCleanup(lambda: self.a.kill())
        self.create(self.a, "t", 4, [row(f"h{i}", "s", os.urandom(300).hex()) for i in range(self.ROWS)])
        self.done("shell", "--cluster", self.a.meta, "-e", "use t; set_app_envs business.info night")

    def verb(self, verb, store, *more):
        return self.done(verb, "--store", store, "--path", PATH, "--config", self.config, "--state",
                         os.path.join(self.folder, "journal.db"), "--json", "--quiet", *more)

    def check(self, store, backup_id, table="t"):
        self.done("backups", "verify", "--store", store, "--path", PATH, "--cluster", self.cluster_name, "--config",
                  self.config, "--backup", backup_id)
        report = json.loads(self.verb("restore", store, "--to", self.a.meta, "--cluster", self.cluster_name, "--table",
                                      table, "--to-table", f"{store}_{backup_id}", "--backup", backup_id).out)
        self.assertEqual(report["app_envs"], ["business.info"] if table == "t" else [])
        self.done("verify", "--from", self.a.meta, "--to", self.a.meta, "--table", table, "--to-table",
                  f"{store}_{backup_id}", "--state", os.path.join(self.folder, "journal.db"))

    def test_back_up_and_restore(self):
        for store in ("hdfs_x", "s3", "secure"):
            report = json.loads(self.verb("backup", store, "--from", self.a.meta, "--table", "t").out)
            self.assertGreater(report["bytes"], 2_000_000)
            self.check(store, report["backup_id"])
            self.done("backups", "rm", "--store", store, "--path", PATH, "--cluster", self.cluster_name, "--config",
                      self.config, "--backup", report["backup_id"], "--yes")

    def test_without_a_ticket(self):
        """Who has none is told so, and what to do."""
        path = os.path.join(self.folder, "no_tickets")
        env = {**os.environ, "KRB5_CLIENT_KTNAME": path, "KRB5CCNAME": path}
        self.failed(1, ["secure", "no Kerberos ticket", "kinit"], "backups", "ls", "--store", "secure", "--path", PATH,
                    "--config", self.config, env=env)

    def test_split_and_load(self):
        """Backup, split and load, all over the store; behind newer writes."""
        for store in ("hdfs_x", "s3"):
            backup = json.loads(self.verb("backup", store, "--from", self.a.meta, "--table", "t").out)
            table = f"split_{store}"
            self.done("shell", "--cluster", self.a.meta, "-e", f"create {table} -p 6 -e rocksdb.allow_ingest_behind=true,"
                      f'rocksdb.usage_scenario=bulk_load; use {table}; set "h7" "s" "newer"; del "h8" "s"')
            config = os.path.join(self.folder, f"{store}.ini")
            with open(self.config, encoding="utf-8") as old, open(config, "w", encoding="utf-8") as file:
                file.write(f"{old.read()}[pegasus.clusters]\n{self.cluster_name} = {self.a.meta}\n")
            options = ["--config", config, "--state", os.path.join(self.folder, "journal.db"), "--quiet"]
            self.done("split", "--from", f"{store}:{PATH}/{self.cluster_name}", "--backup", backup["backup_id"], "--table",
                      "t", "--to", f"{store}:{PATH}/split", "--cluster", self.cluster_name, "--to-table", table, *options)
            self.done("load", "--from", f"{store}:{PATH}/split", "--to", self.cluster_name, "--table", table,
                      "--ingest-behind", *options)
            loaded = {one["hash_key"]: one["value"] for one in self.rows_of(self.a, table)}
            expected = {one["hash_key"]: one["value"] for one in self.rows_of(self.a, "t")}
            expected["h7"] = "newer"
            del expected["h8"]
            self.assertEqual(loaded, expected)

    def test_the_write_limit_of_hdfs_changes_while_a_backup_runs(self):
        """At 1 MB/s it would take half a minute; with the usual limit it ends at once."""
        self.create(self.a, "wide", 2, [row(f"h{i}", "s", os.urandom(4_000).hex()) for i in range(4_000)])
        self.limit_writes(1)
        self.done("shell", "--cluster", self.a.meta, "-e", f"backup 2 hdfs_x {PATH}")
        job = self.wait_for_job(2, "hdfs_x", lambda job: job.get("all_bytes"))
        self.assertGreater(job["all_bytes"], 16_000_000)
        self.assertEqual(job["state"], "running")
        self.limit_writes(200)
        self.wait_for_job(2, "hdfs_x", lambda job: job["state"] == "done", limit_s=15)
        self.check("hdfs_x", job["backup_id"], "wide")

    def limit_writes(self, megabytes):
        for address in self.a.replicas:
            url = f"http://{address}/updateConfig?hdfs_write_limit_rate_mb_per_sec={megabytes}"
            with urllib.request.urlopen(url, timeout=20) as reply:
                self.assertEqual(json.load(reply)["update_status"], "ERR_OK")

    def wait_for_job(self, app_id, store, is_there, limit_s=60):
        """The newest job of a table to a store, once it is so."""
        def look():
            answer = json.loads(self.done("shell", "--cluster", self.a.meta, "-e",
                                          f"remote_command -t meta-server backup.status {app_id}").out)
            jobs = [one for node in answer["details"].values() for one in node["message"] if one["provider"] == store]
            return jobs and is_there(jobs[-1]) and jobs[-1]
        return until(look, f"the backup of table {app_id} to {store}", limit_s)

    def test_a_killed_server_sends_only_what_the_store_does_not_have(self):
        for store in ("hdfs_x", "s3"):
            self.a.stop()
            self.a.more += ["--die-at", "backup.file_uploaded:12"]
            self.a.start()
            self.run_words("shell", "--cluster", self.a.meta, "-e", f"backup 1 {store} {PATH}")
            self.assertEqual(self.a.process.process.wait(timeout=60), -signal.SIGKILL)
            self.a.kill()
            del self.a.more[-2:]
            self.a.start()
            job = self.wait_for_job(1, store, lambda job: job["state"] == "done")
            sent = uploaded_bytes(self.a)
            self.assertLess(sent, job["bytes"], "nothing was found in the store")
            print(f"\n  {store}: {sent} of {job['bytes']} bytes sent after the restart", flush=True)
            self.check(store, job["backup_id"])
