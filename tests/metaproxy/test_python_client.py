"""The official Python client through the proxy, while its table is switched to another cluster."""
import json
import os
import signal
import subprocess
import unittest

from harness import Cluster, run_program
from proxy import ProxyTest, route

HERE = os.path.dirname(__file__)
PYTHON = os.environ.get("PYPEGASUS_PYTHON", "")


class PythonClientTest(ProxyTest):
    def shell(self, cluster, command):
        outcome = run_program(["shell", "--cluster", cluster.meta, "-e", command], self.folder)
        self.assertEqual(outcome.code, 0, outcome)

    def test_a_switch(self):
        clusters = {}
        for name, partitions in (("A", 4), ("B", 8)):
            cluster = clusters[name] = Cluster(self.folder, name)
            self.addCleanup(cluster.stop)
            if name == "B":
                self.shell(cluster, "create before -p 4 -r 1")  # so that the table has another id
            self.shell(cluster, f"create t -p {partitions} -r 1")
            rows = self.file(name + ".jsonl", json.dumps({"hash_key": "where", "sort_key": "s", "value": "on " + name}))
            outcome = run_program(["import", "--cluster", cluster.meta, "--table", "t", rows], self.folder)
            self.assertEqual(outcome.code, 0, outcome)
        self.put("t", route("A", clusters["A"].meta))
        proxy = self.proxy()
        client = subprocess.Popen([PYTHON, "-W", "ignore::UserWarning", os.path.join(HERE, "python_client.py"), proxy.address],
                                  cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        self.assertEqual(client.stdout.readline().strip(), "on A")
        self.put("t", route("B", clusters["B"].meta))
        proxy.until_routed("t", clusters["B"].meta)
        self.shell(clusters["A"], "use t; set_app_envs replica.deny_client_request reconfig*all")
        client.stdin.write("refused\n")
        client.stdin.close()
        # It returns one error, as the client is made, and asks the proxy again after at most two seconds.
        said = [line.strip() for line in client.stdout]
        self.assertEqual(said[-1], "on B", said)
        self.assertEqual(client.wait(), 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    unittest.main()
