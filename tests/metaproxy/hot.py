"""Two embedded clusters that know each other, a real ZooKeeper and a MetaProxy, for tests of `pegmove hot`."""
import glob
import json
import os
import re
import shutil
import signal
import tempfile

from harness import Cluster, Process, run_program
from ports import free_ports
from proxy import ROOT_NODE, ProxyTest, route

ROWS = 200
GIVEN_BACK = 6
DENY = "replica.deny_client_request"


class PairedCluster(Cluster):
    """One replica server; the same addresses at each start."""

    def __init__(self, folder, name, port, config):
        self.meta_port = port
        super().__init__(folder, name, 1, ["--config", config, "--replica-port", port + 1])


class HotBase(ProxyTest):
    """Table t is on A, with ROWS rows, and its node names A. PORTS ports are free at `self.port` + 4."""
    PORTS = 0
    relays = {}  # by name: what can be killed and started again

    def group(self, port):
        """What both clusters have in their configuration."""
        return ("[duplication-group]\nA = 1\nB = 2\n[pegasus.clusters]\n"
                f"A = 127.0.0.1:{port}\nB = 127.0.0.1:{port + 2}\n")

    def setUp(self):
        self.own = tempfile.mkdtemp(prefix="pegmove-hot-")
        self.addCleanup(shutil.rmtree, self.own, ignore_errors=True)
        self.addCleanup(self.end_guards)
        port, self.config = free_ports(4 + self.PORTS), os.path.join(self.own, "group.ini")
        self.port = port
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(self.group(port))
        self.a, self.b = (PairedCluster(self.own, name, port + 2 * index, self.config)
                          for index, name in enumerate("AB"))
        self.addCleanup(lambda: (self.a.kill(), self.b.kill()))
        self.make_table("t")
        self.first_proxy = self.proxy()
        self.through = self.first_proxy.address

    def end_guards(self):
        """Those of runs that were left under a fence: they try to give back for ever."""
        for folder in glob.glob("/proc/[0-9]*"):
            try:
                with open(f"{folder}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                if words[1:2] == [b"guard"] and self.config.encode() in words:
                    os.kill(int(os.path.basename(folder)), signal.SIGTERM)
            except OSError:
                pass  # it has ended

    def make_table(self, table):
        self.shell(self.a.meta, f"create {table} -p 4 -r 1")
        rows = os.path.join(self.own, f"{table}.jsonl")
        with open(rows, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"hash_key": f"h{i}", "sort_key": "s", "value": f"v{i}"}) + "\n"
                            for i in range(ROWS))
        self.done("import", "--cluster", self.a.meta, "--table", table, rows)
        with self.zookeeper.client() as client:  # version 0
            if client.get(f"{ROOT_NODE}/{table}") is not None:
                client.delete(f"{ROOT_NODE}/{table}")
        self.put(table, route("A", self.a.meta))

    def done(self, *words, code=0):
        outcome = run_program([*words], self.own)
        self.assertEqual(outcome.code, code, outcome)
        return outcome

    def shell(self, cluster, command):
        return self.done("shell", "--cluster", cluster, "-e", command).out

    def set(self, key, value):
        """As a client of the proxy."""
        self.assertIn("OK", self.shell(self.through, f"use t; set {key} s \"{value}\""))

    def value(self, cluster, key):
        found = re.search(r'^"(.*)"$', self.shell(cluster, f"use t; get {key} s"), re.M)
        return found and found[1]

    def rows(self, cluster, table="t"):
        """Hash key to value."""
        out = self.done("export", "--cluster", cluster.meta, "--table", table, "--quiet", "-").out
        return {row["hash_key"]: row["value"] for row in map(json.loads, out.splitlines())}

    def denied(self, cluster, table="t"):
        return DENY in self.shell(cluster.meta, f"use {table}; get_app_envs")

    def serves(self, table="t"):
        """The cluster that the node names, and the node's version."""
        data, version = self.node(table)
        return json.loads(data)["cluster_name"], version

    def words(self, *more, table="t", proxy=None, zookeeper=None):
        return ["hot", "--from", "A", "--to", "B", "--table", table, "--zookeeper",
                zookeeper or self.zookeeper.address, "--zk-root", ROOT_NODE, "--proxies", proxy or self.through,
                "--no-direct-clients", "--config", self.config, *more]

    def begin(self, *more, **where):
        """The process, and the run's id."""
        process = Process(self.words(*more, **where), self.own)
        self.addCleanup(process.kill)
        return process, process.stderr_until(r"run (hot-\S+);")[1]

    def steer(self, verb, run, *more, code=0):
        return self.done(verb, run, "--config", self.config, *more, code=code)
