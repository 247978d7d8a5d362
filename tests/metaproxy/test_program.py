"""`pegmove metaproxy` and `pegmove routes` as programs: options, output, exit codes; real clusters and ZooKeeper."""
import json
import socket
import unittest

from frames import Caller, FakeMeta
from harness import Cluster, run_program
from proxy import OBJECT_NOT_FOUND, ROOT_NODE, ProxyTest, route
from test_faults import answer


class MetaProxyProgramTest(ProxyTest):
    def run_it(self, *words, stdin=b""):
        return run_program(words, self.folder, stdin)

    def test_ends_cleanly(self):
        outcome = self.proxy().end()
        self.assertEqual(outcome.code, 0, outcome)

    def test_help_has_examples(self):
        for words in (["metaproxy"], ["routes"], ["routes", "ls"], ["routes", "show"], ["routes", "set"]):
            outcome = self.run_it(*words, "--help")
            self.assertEqual(outcome.code, 0, outcome)
            self.assertIn("Example: pegmove " + " ".join(words), outcome.out)

    def test_wrong_options(self):
        for words, text in ((["metaproxy"], "--zookeeper"), (["metaproxy", "--zookeeper", "x"], "--zookeeper"),
                            (["metaproxy", "--zookeeper", "h:1", "--zk-root", "x"], "--zk-root"),
                            (["metaproxy", "--zookeeper", "h:1", "--listen", "34601"], "--listen"),
                            (["metaproxy", "--zookeeper", "h:1", "--tables", ","], "--tables"),
                            (["metaproxy", "--config", "none.yml"], "none.yml"),
                            (["routes", "ls"], "--zookeeper")):
            outcome = self.run_it(*words)
            self.assertEqual(outcome.code, 2, outcome)
            self.assertIn(text, outcome.err)

    def test_a_port_that_is_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = "127.0.0.1:%d" % taken.getsockname()[1]
            outcome = self.run_it("metaproxy", "--listen", place, "--zookeeper", self.zookeeper.address)
        self.assertEqual(outcome.code, 3, outcome)
        self.assertIn(place, outcome.err)

    def test_the_original_file_and_the_list_of_tables(self):
        meta = FakeMeta(answer("A"))
        self.addCleanup(meta.close)
        self.put("t", route("A", meta.address))
        self.put("u", route("A", meta.address))
        config = self.file("meta-proxy.yml", "zookeeper:\n  address: [%s]\n  root: %s\n  timeout: 1000\n"
                           "  table_watcher_cache_capacity: 16\nmetric:\n  type: falcon\n  tags: [region=here]\n"
                           % (self.zookeeper.address, ROOT_NODE))
        from harness import Process
        from ports import free_ports
        place = f"127.0.0.1:{free_ports(1)}"
        process = Process(["metaproxy", "--config", config, "--listen", place, "--tables", "t"], self.folder)
        self.addCleanup(process.kill)
        process.stdout_until("ready; Ctrl-C")
        process.stderr_until("metric.type falcon: metrics are not pushed; fetch them from http://ADDRESS/metrics")
        with Caller(place) as caller:
            self.assertEqual(caller.ask("t"), answer("A"))
            self.assertIn(OBJECT_NOT_FOUND, caller.ask("u"))
        wrong = self.file("wrong.yml", "zookeeper:\n  address: [%s]\n  timeout: soon\n" % self.zookeeper.address)
        outcome = self.run_it("metaproxy", "--config", wrong)
        self.assertEqual(outcome.code, 2, outcome)
        self.assertIn("wrong.yml: line 3: zookeeper.timeout must be a number", outcome.err)


class RoutesTest(ProxyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clusters = {name: Cluster(cls.folder, name) for name in ("A", "B")}
        for cluster in cls.clusters.values():
            cls.addClassCleanup(cluster.stop)
        cls.config = cls.file(cls, "config.ini", "[pegasus.clusters]\n" + "".join(
            f"{name} = {cluster.meta}\n" for name, cluster in cls.clusters.items()))
        for cluster in cls.clusters.values():
            made = run_program(["shell", "--cluster", cluster.meta, "-e", "create t -p 4 -r 1"], cls.folder)
            assert made.code == 0, made

    def routes(self, verb, *words, code=0):
        outcome = run_program(["routes", verb, "--zookeeper", self.zookeeper.address, "--zk-root", ROOT_NODE, "--config",
                               self.config, "--timeout", "10s", *words], self.folder)
        self.assertEqual(outcome.code, code, outcome)
        return outcome

    def test_from_creation_to_switch(self):
        metas = {name: cluster.meta for name, cluster in self.clusters.items()}
        outcome = self.routes("set", "--table", "t", "--to", "A", code=1)
        self.assertIn(ROOT_NODE + "/t", outcome.err)
        self.assertIn("--create", outcome.err)
        self.routes("set", "--table", "t", "--to", "A", "--create")
        self.assertEqual(self.node("t"), (route("A", metas["A"]).encode(), 0), "the text as table-migrator writes it")
        shown = json.loads(self.routes("show", "--table", "t", "--json").out)
        self.assertEqual((shown["cluster_name"], shown["meta_addrs"], shown["version"]), ("A", metas["A"], 0))

        outcome = self.routes("set", "--table", "t", "--to", metas["B"], "--version", "5", code=1)
        self.assertIn("has version 0, not 5", outcome.err)
        self.assertEqual(self.node("t")[1], 0)
        outcome = self.routes("set", "--table", "t", "--to", metas["B"], "--version", "0", "--json")
        changed = json.loads(outcome.out)
        self.assertEqual((changed["before"]["cluster_name"], changed["cluster_name"], changed["version"]), ("A", "B", 1))
        self.assertIn("reconfig*all", outcome.err)
        self.assertEqual(self.node("t"), (route("B", metas["B"]).encode(), 1))
        self.put("wrong", "not json")
        listed = json.loads(self.routes("ls", "--json").out)
        self.assertEqual([entry["table"] for entry in listed], ["t", "wrong"])
        self.assertIn("not a JSON object", listed[1]["problem"])
        self.assertRegex(self.routes("ls").out, r"t  version 1  B  \S+\nwrong  version 0  \(wrong\)")
        self.assertIn("routes set", self.routes("show", "--table", "wrong", code=1).err)
        self.delete("wrong")

    def test_errors_name_the_node_and_the_next_step(self):
        self.assertIn(ROOT_NODE + "/none; `pegmove routes ls`", self.routes("show", "--table", "none", code=1).err)
        self.assertIn("cannot be the name of a node", self.routes("show", "--table", "a/b", code=2).err)
        outcome = self.routes("set", "--table", "unknown", "--to", "A", "--create", code=1)
        self.assertIn("nothing was changed", outcome.err)
        self.assertIsNone(self.node("unknown"))
        outcome = run_program(["routes", "ls", "--zookeeper", "127.0.0.1:1", "--timeout", "500ms"], self.folder)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("ZooKeeper 127.0.0.1:1 does not answer", outcome.err)
        proxy = self.proxy()
        outcome = self.routes("set", "--table", "t", "--to", proxy.address, code=2)
        self.assertIn("is a MetaProxy", outcome.err)

    def test_root_that_does_not_exist(self):
        outcome = run_program(["routes", "ls", "--zookeeper", self.zookeeper.address, "--zk-root", "/none"], self.folder)
        self.assertEqual(outcome.code, 1, outcome)
        self.assertIn("node /none in ZooKeeper", outcome.err)


if __name__ == "__main__":
    unittest.main()
