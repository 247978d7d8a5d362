"""Bytes that no client sends: the servers close such connections and go on serving the others."""
import random
import socket
import struct

import fake_server
from harness import CliTest, port_of, row


def rdsn(name, body, body_length=None, app_id=0, partition=0):
    header = bytearray(192)
    header[0:4] = b"RDSN"
    struct.pack_into("<II", header, 8, 192, 0)
    struct.pack_into("<II", header, 16, len(body) if body_length is None else body_length, 0)
    struct.pack_into("<QQ48s", header, 24, 1, 1, name)
    struct.pack_into("<iiQ", header, 96, app_id, partition, 0x441)
    struct.pack_into("<iiQ", header, 120, 1000, 0, 0)
    return bytes(header) + body


def thft(body, version=0, header_length=48, body_length=None, app_id=0, partition=0):
    size = len(body) if body_length is None else body_length
    return struct.pack(">4sIIIIIiiiiQ", b"THFT", version, header_length, 0, size, 0, app_id, partition, 1000, 0, 0) + body


def message(name, arguments=b"\x0c\0\1\0\0", length=None):
    return struct.pack(">Ii", 0x80010001, len(name) if length is None else length) + name + b"\0\0\0\1" + arguments


def query(table, indices):
    """Asks for partitions by number."""
    fields = [fake_server.field(fake_server.STRUCT, 1, fake_server.text(table)),
              fake_server.field(fake_server.LIST, 2, fake_server.list_of(fake_server.I32, [
                  fake_server.i32(index) for index in indices]))]
    return fake_server.body_of([fake_server.field(fake_server.STRING, 1, fake_server.text(table)), fields[1]])


CODES = [b"RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX", b"RPC_CM_CREATE_APP", b"RPC_CM_LIST_APPS", b"RPC_CM_CLUSTER_INFO",
         b"RPC_CM_UPDATE_APP_ENV", b"RPC_CM_DROP_APP", b"RPC_NEGOTIATION", b"RPC_RRDB_RRDB_GET", b"RPC_RRDB_RRDB_PUT",
         b"RPC_RRDB_RRDB_MULTI_PUT", b"RPC_RRDB_RRDB_MULTI_GET", b"RPC_RRDB_RRDB_GET_SCANNER", b"RPC_RRDB_RRDB_SCAN",
         b"RPC_RRDB_RRDB_BATCH_GET", b"RPC_RRDB_RRDB_SORTKEY_COUNT", b"RPC_NO_SUCH_CODE", b""]


def hostile_inputs():
    dice = random.Random(20240607)
    yield b""
    for magic in (b"", b"THFT", b"RDSN", b"GET ", b"POST", b"_RAW"):
        for size in (1, 3, 60, 5000, 200_000):
            yield magic + dice.randbytes(size)
    for whole in (rdsn(b"RPC_CM_LIST_APPS", b"\x0c\0\0\0\0"), thft(message(b"RPC_CM_LIST_APPS"))):
        for cut in (4, 10, 47, 100, len(whole) - 1):
            yield whole[:cut]
    for huge in (0xFFFFFFFF, 0x7FFFFFFF, 1 << 30):
        yield rdsn(b"RPC_CM_LIST_APPS", b"abc", body_length=huge)
        yield thft(b"abc", body_length=huge)
        yield struct.pack(">4sIII", b"THFT", 1, huge, huge)
        yield thft(message(b"RPC_CM_LIST_APPS", length=huge & 0x7FFFFFFF))
    yield thft(b"", header_length=0)
    yield thft(b"", version=7)
    yield thft(message(b"RPC_CM_LIST_APPS", length=-1))
    for name in CODES:
        for app_id, partition in ((0, 0), (1, 0), (1, -1), (1, 1 << 30), (-1, -2)):
            nested = b"\x0c\0\1" * 20_000
            for body in (b"", dice.randbytes(300), nested, b"\x0f\0\1\x0b\x7f\xff\xff\xff", b"\x0b\0\1\x7f\xff\xff\xff",
                         b"\x0c\0\0\x0d\0\1\x0b\x0b\x7f\xff\xff\xff"):
                yield rdsn(name, body, app_id=app_id, partition=partition)
                yield thft(message(name, body), app_id=app_id, partition=partition)
    yield rdsn(CODES[0], query("t", [-1, -(2**31), 2**31 - 1, 5, 1 << 16]))
    yield rdsn(CODES[0], query("t" * 100_000, list(range(-1000, 1000))))


class Hostile(CliTest):
    def setUp(self):
        self.a = self.cluster(replicas=1)
        self.create(self.a, "t", 2, [row(f"h{i}", "s", "v") for i in range(20)])

    def check_still_serves(self):
        self.assertIsNone(self.a.process.process.poll(), "the server has died")
        self.assertEqual(len(self.rows_of(self.a, "t")), 20)
        self.fill(self.a, "t", [row("h0", "s", "v")])
        self.assertEqual(self.tables_of(self.a), ["t"])

    def test_hostile_bytes_end_their_own_connection_at_most(self):
        for address in (self.a.meta, self.a.replicas[0]):
            for data in hostile_inputs():
                with socket.create_connection(("127.0.0.1", port_of(address)), timeout=20) as connection:
                    try:
                        connection.sendall(data)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(65536):
                            pass
                    except TimeoutError:
                        self.fail(f"the connection stays open after {data[:60]!r}... to {address}")
                    except OSError:
                        pass  # closed by the server
            self.check_still_serves()
        ended = self.a.stop()
        self.assertEqual(ended.code, 0, str(ended))

    def test_a_huge_claim_takes_no_huge_memory(self):
        before = self.resident()
        held = []
        for _ in range(50):
            connection = socket.create_connection(("127.0.0.1", port_of(self.a.replicas[0])), timeout=20)
            connection.sendall(rdsn(b"RPC_RRDB_RRDB_PUT", b"x" * 100, body_length=60 << 20, app_id=1))
            held.append(connection)
        self.check_still_serves()
        self.assertLess(self.resident() - before, 100 << 20)
        for connection in held:
            connection.close()

    def resident(self):
        with open(f"/proc/{self.a.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))

    def test_a_thousand_connections_that_are_dropped(self):
        for address in (self.a.meta, self.a.replicas[0]):
            for _ in range(1000):
                socket.create_connection(("127.0.0.1", port_of(address)), timeout=20).close()
        self.check_still_serves()

    def test_many_connections_that_stay_open_and_silent(self):
        held = []
        for address in (self.a.meta, self.a.replicas[0]):
            for _ in range(300):
                held.append(socket.create_connection(("127.0.0.1", port_of(address)), timeout=20))
                held[-1].sendall(b"RDS")
        self.check_still_serves()
        self.assertEqual(self.a.stop().code, 0, "it does not stop while connections are open")
        for connection in held:
            connection.close()

    def test_a_client_that_never_reads_harms_only_itself(self):
        request = rdsn(b"RPC_CM_LIST_APPS", b"\x0c\0\0\0\0")
        with socket.create_connection(("127.0.0.1", port_of(self.a.meta)), timeout=2) as greedy:
            try:
                for _ in range(300):
                    greedy.sendall(request * 500)
            except TimeoutError:
                pass  # the server reads no more of it
            self.check_still_serves()
            self.assertLess(self.resident(), 1 << 30)
