"""Backups to a real HDFS and a real S3 server, through the program: made, looked into, killed in the
middle, restored. Where they are stands in the environment (tests/peers/peers.py run)."""
import json
import os
import signal
import time
import urllib.request

from harness import CliTest, row
from scenario import FixedCluster

PATH = "/user/pegasus/backup"


class OverStores(CliTest):
    ROWS = 5_000

    def setUp(self):
        self.folder = self.own_folder()
        self.config = os.path.join(self.folder, "config.ini")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("[block_service.hdfs_x]\ntype = hdfs_service\nargs = hdfs://"
                       f"{os.environ['PEGMOVE_TEST_HDFS_RPC']}/ user=root webhdfs={os.environ['PEGMOVE_TEST_HDFS']}\n"
                       f"[block_service.s3]\ntype = s3_service\nargs = {os.environ['PEGMOVE_TEST_S3']} backups\n")
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

    def uploaded_bytes(self):
        total = 0
        for address in self.a.replicas:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as reply:
                for entity in json.load(reply)["entities"]:
                    total += sum(metric["value"] for metric in entity["metrics"]
                                 if metric["name"] == "backup_file_upload_total_bytes")
        return total

    def check(self, store, backup_id):
        self.done("backups", "verify", "--store", store, "--path", PATH, "--cluster", self.cluster_name, "--config",
                  self.config, backup_id)
        report = json.loads(self.verb("restore", store, "--to", self.a.meta, "--cluster", self.cluster_name, "--table",
                                      "t", "--to-table", f"{store}_{backup_id}", "--backup-id", backup_id).out)
        self.assertEqual(report["app_envs"], ["business.info"])
        self.done("verify", "--from", self.a.meta, "--to", self.a.meta, "--table", "t", "--to-table",
                  f"{store}_{backup_id}", "--state", os.path.join(self.folder, "journal.db"))

    def test_back_up_and_restore(self):
        for store in ("hdfs_x", "s3"):
            report = json.loads(self.verb("backup", store, "--from", self.a.meta, "--table", "t").out)
            self.assertGreater(report["bytes"], 2_000_000)
            self.check(store, report["backup_id"])
            self.done("backups", "rm", "--store", store, "--path", PATH, "--cluster", self.cluster_name, "--config",
                      self.config, report["backup_id"], "--yes")

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
            job = {}
            end = time.monotonic() + 60
            while job.get("state") != "done":
                self.assertLess(time.monotonic(), end, str(job))
                answer = json.loads(self.done("shell", "--cluster", self.a.meta, "-e",
                                              "remote_command -t meta-server backup.status 1").out)
                job = [one for node in answer["details"].values() for one in node["message"]
                       if one["provider"] == store][-1]
            sent = self.uploaded_bytes()
            self.assertLess(sent, job["bytes"], "nothing was found in the store")
            print(f"\n  {store}: {sent} of {job['bytes']} bytes sent after the restart", flush=True)
            self.check(store, job["backup_id"])
