"""Replicas of the embedded cluster: how many a table gets, and how tools see them; and names of new tables."""
import json
import os
import re
import shutil
import urllib.request

from harness import CliTest, row

FEW = "there are not enough alive replica servers(1) for the requested replica count(3)"
RULE = "Invalid name: Only 0-9a-zA-Z.:_ are valid."


class Replicas(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster("A", replicas=None)

    def shell(self, *commands, cluster=None):
        return self.done("shell", "--cluster", (cluster or self.a).meta, "-e", "; ".join(commands))

    def http(self, path):
        with urllib.request.urlopen(f"http://{self.a.meta}{path}") as reply:
            return json.load(reply)

    def setUp(self):
        if "t" not in self.tables_of(self.a):
            made = self.shell("create t -p 4")
            self.assertIn("t is ready now: (4/4)", made.out)
            self.assertNotIn("WARNING", made.err)
            self.fill(self.a, "t", [row(f"h{i}", "s", "v") for i in range(20)])

    def test_a_cluster_has_three_replica_servers_and_a_table_three_replicas(self):
        self.assertEqual(len(self.a.replicas), 3)
        shown = self.shell("app t -d").out
        address = r"127\.0\.0\.1:\d+"
        rows = re.findall(rf"(?m)^\d +1 +3/3 +({address}) +\[({address}),({address})\]", shown)
        self.assertEqual(len(rows), 4, shown)
        for replicas in rows:
            self.assertEqual(set(replicas), set(self.a.replicas))
        self.assertRegex(shown, r"fully_healthy_partition_count +: 4")
        self.assertRegex(shown, r"unhealthy_partition_count +: 0")

    def test_nodes_count_their_secondaries(self):
        rows = re.findall(r"(?m)^127\.0\.0\.1:\d+ +ALIVE +(\d+) +(\d+) +(\d+)", self.shell("nodes -d").out)
        self.assertEqual(len(rows), 3)
        sums = [sum(int(one[column]) for one in rows) for column in range(3)]
        self.assertEqual(sums[0], sums[1] + sums[2])
        self.assertEqual(sums[2], 2 * sums[1])

    def test_the_disk_of_every_replica_is_counted(self):
        shown = self.shell("app_disk t -d").out
        self.assertRegex(shown, r"replicas not counted +: 0/12")

    def test_http_shows_the_same(self):
        detail = self.http("/meta/app?name=t&detail")
        self.assertEqual(detail["general"]["max_replica_count"], "3")
        self.assertEqual(detail["replicas"]["0"]["replica_count"], "3/3")
        self.assertRegex(detail["replicas"]["0"]["secondaries"], r"^\[127\.0\.0\.1:\d+,127\.0\.0\.1:\d+\]$")
        self.assertEqual(detail["nodes"]["total"], {"node": "total", "primary": "4", "secondary": "8", "total": "12"})
        self.assertEqual(detail["healthy"]["fully_healthy_partition_count"], "4")
        nodes = self.http("/meta/nodes?detail")["details"]
        self.assertEqual({one["address"] for one in nodes.values()}, set(self.a.replicas))
        self.assertEqual({one["replica_count"] for one in nodes.values()}, {"4"})
        self.assertEqual(sum(int(one["secondary_count"]) for one in nodes.values()), 8)

    def test_the_replica_count_changes(self):
        self.shell("create changed -p 2 -r 1")
        self.done("shell", "--cluster", self.a.meta, stdin=b"set_replica_count changed 2\ny\n")
        self.assertRegex(self.shell("app changed -d").out, r"(?m)^0 +1 +2/2 +\S+ +\[\S+\]")
        self.shell("drop changed")

    def test_with_fewer_servers_a_create_is_refused_with_a_hint(self):
        small = self.cluster("S", replicas=1)
        refused = self.run_words("shell", "--cluster", small.meta, "-e", "create t -p 4 -r 3")
        self.assertEqual(refused.code, 1, str(refused))
        for text in ("ERR_INVALID_PARAMETERS", FEW, "`create NAME -r 1`", "--replica-servers 3"):
            self.assertIn(text, refused.err)
        log = small.process.stderr_until("--replica-servers").string
        self.assertIn(FEW, log)
        self.assertEqual(self.tables_of(small), [])

    def test_with_fewer_servers_a_table_gets_fewer_replicas_unless_it_is_said(self):
        small = self.cluster("S", replicas=2)
        made = self.shell("create t -p 4", cluster=small)
        self.assertIn("WARNING: a new table has 3 replicas, and the cluster has live replica servers for 2: it gets 2",
                      made.err)
        self.assertRegex(self.shell("app t -d", cluster=small).out, r"(?m)^0 +1 +2/2 ")

    def test_copy_refuses_to_make_a_table_with_more_replicas_than_servers(self):
        small = self.cluster("S", replicas=1)
        words = ["copy", "--from", self.a.meta, "--to", small.meta, "--table", "t", "--create"]
        self.failed(3, ["the source has 3 replicas, and 1 replica servers are alive", "create t -p 4 -r 1"], *words)
        self.shell("create t -p 4 -r 1", cluster=small)
        self.done(*words[:-1])
        self.assertEqual(self.rows_of(small, "t"), self.rows_of(self.a, "t"))

    def test_a_cluster_does_not_start_with_fewer_servers_than_replicas(self):
        cluster = self.cluster("R", replicas=3)
        self.shell("create t -p 1", cluster=cluster)
        cluster.stop()
        self.failed(3, ["the table t (id 1) has 3 replicas", "--replica-servers 3"], "cluster", "start", "--name", "R",
                    "--data", cluster.data, "--meta-port", 0, "--replica-servers", 2)
        cluster.replica_servers = 4
        cluster.start()
        self.assertRegex(self.shell("app t -d", cluster=cluster).out, r"(?m)^0 +1 +3/3 ")


class Names(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster("A")

    NAMES = {"a/b": RULE, "a b": RULE, "\u00fc": RULE, "..": "Invalid name", "x" * 300: "Invalid name: 300 bytes"}

    def test_nothing_makes_a_table_with_a_name_that_tools_cannot_use(self):
        if "t" not in self.tables_of(self.a):
            self.create(self.a, "t", 2)
        for name, text in self.NAMES.items():
            self.failed(2, ["--to-table", text], "restore", "--to", self.a.meta, "--store", "disk", "--cluster", "A",
                        "--table", "t", "--to-table", name)
            self.failed(3, ["--to-table", text], "copy", "--from", self.a.meta, "--to", self.a.meta, "--table", "t",
                        "--to-table", name, "--create")
            self.failed(3, text, "import", "--cluster", self.a.meta, "--table", name, "--create", "-")
            for command in (f"create '{name}'", f"rename t '{name}'", f"recall 99 '{name}'",
                            f"restore_app -c A -p p -a t -i 1 -t 1 -b disk -n '{name}'"):
                refused = self.run_words("shell", "--cluster", self.a.meta, "-e", command)
                self.assertEqual(refused.code, 1, command + str(refused))
                self.assertIn(text, refused.err, command)
        self.assertEqual(self.tables_of(self.a), ["t"])

    def test_a_table_that_an_earlier_version_named_otherwise_is_served_but_not_backed_up(self):
        store = os.path.join(self.own_folder(), "store")
        config = os.path.join(self.own_folder(), "servers.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.disk]\ntype = local_service\nargs = {store}\n")
        cluster = self.cluster("O", more=("--config", config))
        cluster.stop()
        meta = os.path.join(cluster.data, "meta")
        shutil.rmtree(meta)
        os.mkdir(meta)
        table = {"app_id": 1, "app_name": "a/b", "app_type": "pegasus", "atomic_idempotent": False,
                 "create_second": 1700000001, "drop_second": 0, "duplicating": False, "envs": {}, "expire_second": 0,
                 "init_partition_count": 1, "is_bulk_loading": False, "is_stateful": True, "max_replica_count": 1,
                 "partitions": [{"ballot": 1, "node": 0}], "status": "available"}
        with open(os.path.join(meta, "apps.json"), "w", encoding="utf-8") as file:
            json.dump({"apps": [table], "meta_function_level": "lively", "next_app_id": 2, "version": 2}, file)
        cluster.start()
        self.fill(cluster, "a/b", [row("h", "s", "v")])
        words = ["backup", "--state", os.path.join(self.own_folder(), "journal.db"), "--quiet", "--from", cluster.meta, "--store",
                 "disk", "--table"]
        self.failed(1, ["table 'a/b' cannot be found in a backup", "`rename` in the shell"], *words, "a/b")
        self.assertFalse(os.path.exists(os.path.join(store, "O")))
        self.done("shell", "--cluster", cluster.meta, "-e", "rename a/b b")
        self.done(*words, "b")
