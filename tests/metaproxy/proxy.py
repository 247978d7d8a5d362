"""The program under test, as a MetaProxy, and what the tests of this folder share."""
import json
import os
import signal
import tempfile
import unittest
import urllib.request

from harness import Process
from ports import free_ports
from wait import until
from zookeeper import ZooKeeper

ROOT_NODE = "/pegasus-cluster"
OBJECT_NOT_FOUND, INVALID_DATA, UNKNOWN, ZOOKEEPER = (
    b"ERR_OBJECT_NOT_FOUND", b"ERR_INVALID_DATA", b"ERR_UNKNOWN", b"ERR_ZOOKEEPER_OPERATION")


def route(cluster, *metas):
    return '{"cluster_name": "%s", "meta_addrs": "%s"}' % (cluster, ",".join(metas))


class Proxy:
    """The same address at each start."""

    def __init__(self, folder, zookeeper, *more):
        self.address, self.folder = f"127.0.0.1:{free_ports(1)}", folder
        self.words = ["metaproxy", "--listen", self.address, "--zookeeper", zookeeper, "--zk-root", ROOT_NODE,
                      "--session-timeout", "1s", *more]
        self.start()

    def start(self):
        self.process = Process(self.words, self.folder)
        self.process.stdout_until("ready; Ctrl-C")

    def kill(self):
        self.process.kill()

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=20) as answer:
            return answer.read().decode()

    def routes(self):
        return {entry["table"]: entry for entry in json.loads(self.get("/routes"))["routes"]}

    def is_connected(self):
        return json.loads(self.get("/routes"))["connected"]

    def until_routed(self, table, metas, what="the new route"):
        until(lambda: self.routes().get(table, {}).get("meta_addrs") == metas, what)

    def end(self):
        """Its outcome after SIGTERM."""
        if self.process.process.poll() is None:
            self.process.signal(signal.SIGTERM)
        return self.process.finish()


class ProxyTest(unittest.TestCase):
    """A ZooKeeper of its own for each class."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pegmove-metaproxy-"))
        cls.zookeeper = ZooKeeper(cls.folder)
        cls.addClassCleanup(cls.zookeeper.kill)
        with cls.zookeeper.client() as client:
            client.create(ROOT_NODE)

    def put(self, table, data):
        with self.zookeeper.client() as client:
            client.put(f"{ROOT_NODE}/{table}", data)

    def delete(self, table):
        with self.zookeeper.client() as client:
            client.delete(f"{ROOT_NODE}/{table}")

    def node(self, table):
        with self.zookeeper.client() as client:
            return client.get(f"{ROOT_NODE}/{table}")

    def proxy(self, *more, zookeeper=None):
        proxy = Proxy(self.folder, zookeeper or self.zookeeper.address, *more)
        self.addCleanup(proxy.end)
        return proxy

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path
