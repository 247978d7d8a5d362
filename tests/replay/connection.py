"""Connections that speak THFT, and questions of the tool's own to a cluster."""
import socket
import struct

from frames import HEADER_V0, Answer
from thrift import BYTE, I16, I32, STOP, Struct, Writer, wire_type
from wait import until

ANSWER_DEADLINE_S = 20


class NoAnswer(Exception):
    """The server closed the connection, or has not answered in time."""


class Connection:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), ANSWER_DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def close(self):
        self.socket.close()

    def send(self, frame):
        try:
            self.socket.sendall(frame)
        except OSError as error:
            raise NoAnswer(f"cannot send: {error}") from error

    def take(self, count):
        """Reads until so many bytes are kept."""
        while len(self.kept) < count:
            try:
                piece = self.socket.recv(1 << 16)
            except TimeoutError:
                raise NoAnswer(f"no answer within {ANSWER_DEADLINE_S} s") from None
            except OSError as error:
                raise NoAnswer(f"cannot receive: {error}") from error
            if not piece:
                raise NoAnswer("the server closed the connection")
            self.kept += piece

    def receive(self):
        """The next answer's frame."""
        self.take(4)
        size = struct.unpack(">i", self.kept[:4])[0]
        if not 4 < size < 1 << 30:
            raise NoAnswer(f"an answer of {size} bytes is announced")
        self.take(size)
        frame, self.kept = self.kept[:size], self.kept[size:]
        return frame

    def has_more(self):
        """Whether something came that nobody asked for."""
        self.socket.setblocking(False)
        try:
            self.kept += self.socket.recv(1 << 16)
        except OSError:
            pass
        self.socket.settimeout(ANSWER_DEADLINE_S)
        return bool(self.kept)


class Questions:
    """Requests that no recording has: tables are made and looked up with them."""

    def __init__(self, idl, codes, address):
        self.idl, self.codes, self.address = idl, codes, address
        self.connection, self.seqid = None, 0

    def close(self):
        if self.connection is not None:
            self.connection.close()

    def ask(self, name, **fields):
        if self.connection is None:
            self.connection = Connection(self.address)
        self.seqid += 1
        kind, writer = self.codes[name][0], Writer(self.idl)
        writer.number(I32, -0x7FFEFFFF)  # 0x80010001: a call
        writer.text(name)
        writer.number(I32, self.seqid)
        writer.number(BYTE, wire_type(kind))
        writer.number(I16, 1)
        writer.value(kind, Struct(kind[1], fields))
        writer.number(BYTE, STOP)
        body = writer.bytes()
        self.connection.send(HEADER_V0.pack(b"THFT", 0, HEADER_V0.size, 0, len(body), 0, 0, 0, 5000, 0, 0) + body)
        answer = Answer(self.idl, self.codes, self.connection.receive())
        if answer.value is None:
            raise NoAnswer(f"{self.address} answers {name} with {answer.error}")
        return answer.value

    def create(self, name, partitions):
        """Makes the table, which must not exist; returns its id when all partitions are served."""
        options = Struct("create_app_options", {
            "partition_count": partitions, "replica_count": 1, "success_if_exist": False,
            "app_type": "pegasus", "is_stateful": True, "envs": {}})
        made = self.ask("RPC_CM_CREATE_APP", app_name=name, options=options)
        if made.get("err") != "ERR_OK":
            raise NoAnswer(f"table {name} cannot be made on {self.address}: {made.get('err')}")
        until(lambda: self.primaries(name, partitions), f"a primary for each partition of table {name}",
              ANSWER_DEADLINE_S, pause_s=0.05)  # a real cluster takes a while
        return made.get("appid")

    def primaries(self, name, partitions):
        """The primary of each partition as host:port, empty unless all have one."""
        found = self.ask("RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX", app_name=name, partition_indices=[])
        served = [one.get("primary") for one in found.get("partitions", []) if one.get("ballot") > 0]
        if len(served) < partitions or any(port == 0 for _, port, _ in served):
            return []
        return [f"{host}:{port}" for host, port, _ in served]

    def drop(self, name, reserve_s):
        options = Struct("drop_app_options", {"success_if_not_exist": True, "reserve_seconds": reserve_s})
        return self.ask("RPC_CM_DROP_APP", app_name=name, options=options).get("err")
