"""Recorded dialogues of the real MetaProxy with official clients and meta servers (tests/golden/meta-proxy), against
the program: each request is sent as recorded, the meta servers answer as recorded, and each answer must be the recorded
one byte for byte, but for the differences that are listed here."""
import json
import os
import struct
import unittest

from frames import QUERY, TIMEOUT_AT, Caller, FakeMeta
from proxy import ROOT_NODE, ProxyTest
from wait import until

GOLDEN = os.path.join(os.path.dirname(__file__), "..", "golden", "meta-proxy")

# By the request's number in the file: what the original answered, and what we answer, and why. Each must still occur.
DIFFERENCES = {
    "proxy-pegic.jsonl": {
        2: ("ERR_INVALID_DATA", "asked A.meta", "one meta server is enough"),
        5: (None, "ERR_UNKNOWN", "no meta server answers: the client is told so within its time limit"),
        11: ("ERR_INVALID_DATA", "asked A.meta", "one meta server is enough"),
        15: (None, "ERR_HANDLER_NOT_FOUND", "every request is answered"),
        18: ("ERR_INVALID_DATA", "asked A.meta", "one meta server is enough"),
    },
    "proxy-python.jsonl": {},
}
DEAD_TIMEOUT_MS = 500  # instead of the recorded 10 s, for tables whose meta servers are dead


class Recording:
    """The exchanges of a file in their order: ("zookeeper", line) or ("ask", request, of_meta, answer)."""

    def __init__(self, name):
        self.steps, self.open = [], {}
        with open(os.path.join(GOLDEN, name), encoding="utf-8") as file:
            for line in map(json.loads, file):
                self.add(line)

    def add(self, line):
        if "event" in line:
            # The driver's notes of "python" have no words of their own for the change's end.
            if line["event"].startswith("ZooKeeper: "):
                self.steps.append(["zookeeper", line["event"].removeprefix("ZooKeeper: ")])
            return
        frame = bytes.fromhex(line["header"] + line["body"])
        if (line["from"], line["to"]) == ("client", "proxy"):
            step = ["ask", line["rpc"], frame, None, None]
            self.steps.append(step)
            self.open[line["seq"], line["rpc"]] = step
        elif line["to"] == "proxy":
            self.last_asked(line["body"])[3] = (line["from"], bytes.fromhex(line["body"]))
        elif line["to"] == "client":
            self.open[line["seq"], line["rpc"].removesuffix("_ACK")][4] = frame

    def last_asked(self, _):
        return next(step for step in reversed(self.steps) if step[0] == "ask")


class ReplayTest(ProxyTest):
    def setUp(self):
        self.metas = {"A.meta": FakeMeta(), "B.meta": FakeMeta()}
        for meta in self.metas.values():
            self.addCleanup(meta.close)
        self.places = {"127.0.0.1:34601": self.metas["A.meta"].address, "127.0.0.1:35601": self.metas["B.meta"].address,
                       # Nobody listens there, as in the recording.
                       "127.0.0.1:34602": "127.0.0.1:1", "127.0.0.1:34603": "127.0.0.1:2", "127.0.0.1:35602": "127.0.0.1:3"}

    def moved(self, text):
        for recorded, here in self.places.items():
            text = text.replace(recorded, here)
        return text

    def change(self, words, proxy):
        """A change in ZooKeeper; returns when the proxy has seen it."""
        verb, path, *rest = words.split(" ", 2)
        table, data = path.removeprefix(ROOT_NODE + "/"), self.moved(rest[0]) if rest else ""
        with self.zookeeper.client() as client:
            if path == ROOT_NODE:
                return
            if verb == "delete":
                if client.get(path) is None:
                    return
                client.delete(path)
            else:
                client.put(path, data)
        version = None if verb == "delete" else self.node(table)[1]
        if table not in proxy.routes() and table not in self.was_routed:
            return
        try:
            json.loads(data)
            is_good = verb != "delete"
        except ValueError:
            is_good = False
        until(lambda: self.has_seen(proxy.routes().get(table), version, is_good), "the change: " + words)

    def has_seen(self, known, version, is_good):
        if version is None:
            return known is None
        if not is_good:
            return known and f"version {version} of the node is wrong" in known["problem"]
        return known is None or known["version"] == version

    def replay(self, name):
        recording, proxy = Recording(name), self.proxy()
        self.was_routed, differences, number = set(), {}, -1
        with Caller(proxy.address) as caller:
            for step in recording.steps:
                if step[0] == "zookeeper":
                    self.change(step[1], proxy)
                    continue
                number += 1
                found = self.ask(caller, *step[1:])
                self.was_routed = set(proxy.routes())
                if found:
                    differences[number] = found
        expected = {at: (theirs, ours) for at, (theirs, ours, _) in DIFFERENCES[name].items()}
        self.assertEqual(differences, expected)
        self.assertGreater(number, 0)
        return proxy

    def ask(self, caller, rpc, frame, of_meta, answer):
        """Sends the request; what is different: (what the original answered, what we do), or None."""
        for meta in self.metas.values():
            meta.asked.clear()
            meta.otherwise = bytes.fromhex("0c00000c00010000000f") + b"ERR_NEVER_ASKED" + b"\0\0"
        if of_meta:
            self.metas[of_meta[0]].otherwise = of_meta[1]
        if b"deadmeta" in frame:
            frame = frame[:TIMEOUT_AT] + struct.pack(">i", DEAD_TIMEOUT_MS) + frame[TIMEOUT_AT + 4:]
        ours = caller.send(frame)
        asked = [(name, args) for name, meta in self.metas.items() for args in meta.asked]
        if of_meta:
            self.assertEqual(asked, [(of_meta[0], (QUERY, frame[-len(asked[0][1][1]):]))], "the request to the meta server")
        if ours == answer:
            return None
        theirs = answer and error_in(answer)
        return theirs, f"asked {asked[0][0]}" if asked and not of_meta else error_in(ours)

    def test_pegic(self):
        proxy = self.replay("proxy-pegic.jsonl")
        # The last change was to text that is no JSON, of which the original dies.
        with Caller(proxy.address) as caller:
            self.metas["A.meta"].otherwise = b"as before"
            self.assertIn(b"ERR_UNKNOWN", caller.ask("t", timeout_ms=500), "that is no answer of a meta server")
            self.assertTrue(self.metas["A.meta"].asked)
        self.assertIn("not a JSON object", proxy.routes()["t"]["problem"])

    def test_python(self):
        self.replay("proxy-python.jsonl")


def error_in(frame):
    """The first error in an answer that is not ERR_OK."""
    import re
    found = [word.decode() for word in re.findall(rb"ERR_[A-Z_]+", frame)]
    return next((word for word in found if word != "ERR_OK"), "ERR_OK")


if __name__ == "__main__":
    unittest.main()
