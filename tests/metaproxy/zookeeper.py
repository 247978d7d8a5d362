"""A real ZooKeeper (Debian's package), and a client of a page that changes its nodes: another program than the one
under test."""
import contextlib
import os
import shutil
import socket
import struct
import subprocess

from ports import free_ports
from wait import until

JARS = "/usr/share/java/zookeeper.jar:/usr/share/java/log4j-1.2.jar"
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
TICK_MS = 100  # a session lasts at least two ticks, at most 20


class ZooKeeper:
    """One server on a port that it keeps; its data survives a kill."""

    def __init__(self, folder):
        if not os.path.exists(JARS.split(":")[0]) or not shutil.which("java"):
            raise AssertionError("no ZooKeeper: script/bootstrap installs Debian's package zookeeper, and a JDK")
        self.folder, self.port = os.path.join(folder, "zookeeper"), free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "zoo.cfg"), "w", encoding="utf-8") as file:
            file.write(f"tickTime={TICK_MS}\ndataDir={self.folder}/data\nclientPort={self.port}\n"
                       "clientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n")
        self.process = None
        self.start()

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", JARS, MAIN, "zoo.cfg"],
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self.answers, "the start of ZooKeeper")

    def answers(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
                raise AssertionError("ZooKeeper did not start: " + log.read()[-2000:])
        try:
            with Client(self.port) as client:
                return client.get("/") is not None
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def client(self):
        return Client(self.port)


class Client:
    """Calls of ZooKeeper's protocol (zookeeper.jute), one after the other."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        try:
            # ConnectRequest: protocol version, last zxid, timeout, session id, password.
            self.send(struct.pack(">iqiq", 0, 0, 2000, 0) + text(b"\0" * 16))
            self.receive()
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.call(-11, b"")  # closeSession
        self.socket.close()

    def send(self, body):
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def receive(self):
        size = struct.unpack(">i", self.exactly(4))[0]
        return self.exactly(size)

    def exactly(self, size):
        got = b""
        while len(got) < size:
            piece = self.socket.recv(size - len(got))
            if not piece:
                raise ConnectionError("ZooKeeper closed the connection")
            got += piece
        return got

    def call(self, operation, body):
        self.send(struct.pack(">ii", 1, operation) + body)
        answer = self.receive()
        return struct.unpack(">i", answer[12:16])[0], answer[16:]  # after xid and zxid

    def must(self, operation, body, path):
        error, answer = self.call(operation, body)
        if error:
            raise AssertionError(f"ZooKeeper refuses operation {operation} on {path}: {error}")
        return answer

    def create(self, path, data=b""):
        acl = struct.pack(">ii", 1, 31) + text(b"world") + text(b"anyone")
        self.must(1, text(path) + text(data) + acl + struct.pack(">i", 0), path)

    def set(self, path, data):
        self.must(5, text(path) + text(data) + struct.pack(">i", -1), path)

    def put(self, path, data):
        if self.get(path) is None:
            self.create(path, data)
        else:
            self.set(path, data)

    def delete(self, path):
        self.must(2, text(path) + struct.pack(">i", -1), path)

    def get(self, path):
        """(data, version); None when there is no node."""
        error, answer = self.call(4, text(path) + b"\0")
        if error == -101:
            return None
        size = max(struct.unpack(">i", answer[:4])[0], 0)
        return answer[4:4 + size], struct.unpack(">i", answer[4 + size + 32:4 + size + 36])[0]


def text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">i", len(value)) + value
