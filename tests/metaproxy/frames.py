"""Frames of THFT version 0: a client, and a meta server whose answers the test gives."""
import socket
import struct

from fake_server import Listener, read_exactly

QUERY = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX"
HEADER = 48
TIMEOUT_AT = 32  # the client's, in the header


def message(name, kind, seq):
    return struct.pack(">ii", -0x7fff0000 | kind, len(name)) + name.encode() + struct.pack(">i", seq)


def request(name, args, seq=1, timeout_ms=5000):
    body = message(name, 1, seq) + args
    return b"THFT" + struct.pack(">9iq", 0, HEADER, 0, len(body), 0, 0, 0, timeout_ms, 0, 0) + body


def query_args(table):
    return bytes.fromhex("0c00010b0001") + struct.pack(">i", len(table)) + table.encode() + \
        bytes.fromhex("0f0002080000000000") + b"\0"


def read_request(connection):
    """(name, seq, args)"""
    header = read_exactly(connection, HEADER)
    if header[:8] != b"THFT\0\0\0\0":
        raise AssertionError(f"no frame of THFT 0: {header!r}")
    body = read_exactly(connection, struct.unpack(">i", header[16:20])[0])
    size = struct.unpack(">i", body[4:8])[0]
    return body[8:8 + size].decode(), struct.unpack(">i", body[8 + size:12 + size])[0], body[12 + size:]


def reply(name, seq, result, error="ERR_OK"):
    body = struct.pack(">i", len(error)) + error.encode() + message(name + "_ACK", 2, seq) + result
    return struct.pack(">i", len(body) + 4) + body


def read_reply(connection):
    size = read_exactly(connection, 4)
    return size + read_exactly(connection, struct.unpack(">i", size)[0] - 4)


class Caller:
    """A client of the proxy."""

    def __init__(self, address):
        host, port = address.split(":")
        self.connection = socket.create_connection((host, int(port)), timeout=20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, frame):
        self.connection.sendall(frame)
        return read_reply(self.connection)

    def ask(self, table, timeout_ms=5000):
        """The answer's body."""
        frame = self.send(request(QUERY, query_args(table), timeout_ms=timeout_ms))
        return frame[4 + 4 + len("ERR_OK") + 8 + len(QUERY + "_ACK") + 4:]


class FakeMeta(Listener):
    """Answers each query with `answers[table]`, or else with `otherwise`; remembers what it was asked."""

    def __init__(self, otherwise=b""):
        self.answers, self.otherwise, self.asked = {}, otherwise, []
        super().__init__()

    def serve(self, connection):
        with connection:
            try:
                while True:
                    name, seq, args = read_request(connection)
                    self.asked.append((name, args))
                    size = struct.unpack(">i", args[6:10])[0]
                    table = args[10:10 + size].decode()
                    connection.sendall(reply(name, seq, self.answers.get(table, self.otherwise)))
            except (ConnectionError, OSError):
                return
