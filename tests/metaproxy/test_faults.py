"""A real ZooKeeper that is restarted, cut off, silent, or not there yet; meta servers that die."""
import unittest

from cutter import CUT, PASS, SILENT, Cutter
from frames import Caller, FakeMeta
from proxy import INVALID_DATA, OBJECT_NOT_FOUND, UNKNOWN, ZOOKEEPER, ProxyTest, route
from wait import until


def answer(name):
    """Of a meta server, with a field that nobody knows."""
    return bytes.fromhex("0c00000c0001000000064552525f4f4b0b0063") + bytes([0, 0, 0, len(name)]) + name.encode() + b"\0\0"


class FaultTest(ProxyTest):
    def setUp(self):
        self.a, self.b = FakeMeta(answer("A")), FakeMeta(answer("B"))
        self.addCleanup(self.a.close)
        self.addCleanup(self.b.close)
        self.put("t", route("A", self.a.address))

    def ask(self, proxy, table="t", timeout_ms=5000):
        with Caller(proxy.address) as caller:
            return caller.ask(table, timeout_ms)

    def behind_cutter(self):
        cutter = Cutter(self.zookeeper.port)
        self.addCleanup(cutter.close)
        proxy = self.proxy(zookeeper=cutter.address)
        self.assertEqual(self.ask(proxy), answer("A"))
        return cutter, proxy

    def test_a_restarted_zookeeper(self):
        proxy = self.proxy()
        self.assertEqual(self.ask(proxy), answer("A"))
        self.zookeeper.kill()
        until(lambda: not proxy.is_connected(), "the loss of the connection")
        self.assertEqual(self.ask(proxy), answer("A"))
        self.assertIn("is not connected", proxy.routes()["t"]["problem"])
        self.assertIn(ZOOKEEPER, self.ask(proxy, "other", timeout_ms=500))
        self.zookeeper.start()
        self.put("t", route("B", self.b.address))
        proxy.until_routed("t", self.b.address)
        self.assertEqual(self.ask(proxy), answer("B"))
        self.assertEqual(proxy.routes()["t"]["problem"], "")

    def test_an_expired_session(self):
        cutter, proxy = self.behind_cutter()
        cutter.mode = CUT
        until(lambda: not proxy.is_connected(), "the loss of the connection")
        self.put("t", route("B", self.b.address))
        # Each new session of this client gets a turn after the proxy's has expired: the node stays as it is.
        seen = cutter.seen
        until(lambda: cutter.seen > seen + 1 and proxy.routes()["t"]["age_ms"] > 2500, "the session's end")
        self.assertEqual(self.ask(proxy), answer("A"))
        cutter.mode = PASS
        proxy.until_routed("t", self.b.address)
        self.assertEqual(self.ask(proxy), answer("B"))
        proxy.process.stderr_until("the session was lost; opening another one")
        # The new session watches.
        self.put("t", route("A", self.a.address))
        proxy.until_routed("t", self.a.address)

    def test_a_silent_zookeeper_is_noticed_and_the_log_says_so(self):
        cutter, proxy = self.behind_cutter()
        cutter.mode = SILENT
        proxy.process.stderr_until(r"table 't': cluster 'A' at \S+, version \d+ of the node.* last confirmed .* still used")
        self.assertEqual(self.ask(proxy), answer("A"))
        self.assertRegex(proxy.get("/metrics"), r'metaproxy_route_has_problem\{table="t"\} 1')
        self.assertIn("metaproxy_zookeeper_connected 0", proxy.get("/metrics"))
        cutter.mode = PASS
        until(lambda: proxy.routes()["t"]["problem"] == "", "the return of ZooKeeper")

    def test_a_zookeeper_that_comes_later(self):
        self.zookeeper.kill()
        proxy = self.proxy()
        self.assertIn(ZOOKEEPER, self.ask(proxy, timeout_ms=500))
        self.zookeeper.start()
        until(lambda: self.ask(proxy) == answer("A"), "the first route")

    def test_wrong_nodes_stop_nothing(self):
        proxy = self.proxy()
        self.assertEqual(self.ask(proxy), answer("A"))
        self.put("bad", '{"cluster_name": "onebox", meta_addrs')
        self.assertIn(INVALID_DATA, self.ask(proxy, "bad"))
        for wrong in ("not json", "", "[" * 100_000, '{"meta_addrs": ["a"]}', "\0\xff", '{"meta_addrs": "%s"}' % ("x," * 90_000)):
            self.put("t", wrong)
            version = self.node("t")[1]
            until(lambda: f"version {version} of the node is wrong" in proxy.routes()["t"]["problem"], "the wrong node")
            self.assertEqual(self.ask(proxy), answer("A"))
        self.delete("t")
        until(lambda: OBJECT_NOT_FOUND in self.ask(proxy), "the deletion")
        self.put("t", route("B", self.b.address))
        self.assertEqual(self.ask(proxy), answer("B"))

    def test_dead_meta_servers(self):
        proxy = self.proxy()
        self.put("t", route("A", "127.0.0.1:1", self.a.address))
        self.assertEqual(self.ask(proxy), answer("A"))
        self.a.close()
        self.assertIn(UNKNOWN, self.ask(proxy, timeout_ms=500))
        self.put("t", route("B", self.b.address))
        proxy.until_routed("t", self.b.address)
        self.assertEqual(self.ask(proxy), answer("B"))

    def test_clients_that_reset_or_send_rubbish_cost_only_their_connection(self):
        import socket
        import struct
        proxy = self.proxy()
        for rubbish in (b"JUNK" * 20, b"THFT\0\0\0\7" + b"\0" * 60, b"THFT" + b"\xff" * 60, b"RDSN" + b"\0" * 200):
            with Caller(proxy.address) as caller:
                caller.connection.sendall(rubbish)
                caller.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.assertEqual(self.ask(proxy), answer("A"))
        until(lambda: "client_connection_count 1\n" in proxy.get("/metrics"), "the end of those connections")


if __name__ == "__main__":
    unittest.main()
