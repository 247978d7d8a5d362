"""RDSN frames: requests and answers of real servers and C++ clients, taken apart and put together."""
import struct

from connection import Connection
from thrift import BYTE, I16, STOP, Reader, ThriftError, Writer, wire_type

HEADER = struct.Struct("<4sIIIIIQQ48sIIiiQQiiQ48sII")
NAMES = ("magic", "version", "header_size", "header_crc", "body_size", "body_crc", "number", "trace", "name", "code",
         "code_hash", "app_id", "partition", "context", "from_address", "timeout_ms", "thread_hash", "partition_hash",
         "error", "error_code", "error_hash")
THREADS_OF_TABLE = 7919
IS_REQUEST = 1  # of the context's bits
IPV4 = 1
LARGEST_BODY = 64 << 20


class Header:
    """The fixed part of a frame, a field for each of NAMES."""

    def __init__(self, data):
        self.fields = dict(zip(NAMES, HEADER.unpack_from(data)))
        for name in ("name", "error"):
            self.fields[name] = self.fields[name].split(b"\0")[0].decode("ascii")
        if self.magic != b"RDSN" or self.header_size != HEADER.size or self.body_size > LARGEST_BODY:
            raise ThriftError(f"not an RDSN frame: {bytes(data[:HEADER.size]).hex()}")

    def __getattr__(self, name):
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(name) from None

    def changed(self, **fields):
        """The header's bytes with these fields instead."""
        packed = {**self.fields, **fields}
        return HEADER.pack(*(value.encode("ascii") if isinstance(value, str) else value for value in packed.values()))

    def from_port(self):
        """The port that the sender names as its own; 0 if it names none."""
        return self.from_address >> 16 & 0xFFFF if self.from_address & 0xFFFF == IPV4 else 0


def address(port):
    """An rpc_address on loopback as it stands in a header."""
    return 0x7F000001 << 32 | port << 16 | IPV4


class Message:
    """What requests and answers have in common. `value` is the argument or the result; None if there is none, or its
    code is not declared, and `body` has the bytes then."""
    is_rdsn = True

    def __init__(self, idl, codes, frame, which):
        self.idl, self.frame, self.header = idl, frame, Header(frame)
        self.name, self.seqid = self.header.name, self.header.number
        self.app_id, self.partition = self.header.app_id, self.header.partition
        self.body = frame[HEADER.size:]
        if len(self.body) != self.header.body_size:
            raise ThriftError(f"{self.name}: {len(self.body)} bytes behind the header instead of "
                              f"{self.header.body_size}")
        self.kind = codes.get(self.name.removesuffix("_ACK"), (None, None))[which]
        self.value = self.read_value(Reader(idl, self.body)) if self.kind is not None and self.body else None

    def read_value(self, reader):
        wire = reader.number(BYTE)
        if wire == STOP:
            return None
        if wire != wire_type(self.kind):
            raise ThriftError(f"{self.name}: a value of type {wire}")
        self.field = reader.number(I16)
        value = reader.value(self.kind)
        if reader.number(BYTE) != STOP or reader.at != len(self.body):
            raise ThriftError(f"{self.name}: bytes behind the value")
        return value


class RdsnRequest(Message):
    def __init__(self, idl, codes, frame):
        super().__init__(idl, codes, frame, 0)

    def encoded(self):
        """The frame with what `app_id` and `value` say now."""
        body = self.body if self.value is None else struct_body(self.idl, self.kind, self.field, self.value)
        thread_hash = self.header.thread_hash
        if thread_hash:  # src/common of Pegasus: a partition's is THREADS_OF_TABLE times its table, plus it
            thread_hash += (self.app_id - self.header.app_id) * THREADS_OF_TABLE
        return self.header.changed(app_id=self.app_id, thread_hash=thread_hash, body_size=len(body), body_crc=0,
                                   header_crc=0) + body

    def answered(self, body=b"", error="ERR_OK", port=0):
        """The frame of an answer to this request."""
        return self.header.changed(
            name=self.name + "_ACK", context=self.header.context & ~IS_REQUEST, from_address=address(port),
            error=error, body_size=len(body), body_crc=0, header_crc=0) + body

    def __repr__(self):
        where = f" {self.app_id}.{self.partition}" if self.app_id > 0 else ""
        return f"{self.name}{where} {self.body.hex() if self.value is None else repr(self.value)}"


class RdsnAnswer(Message):
    def __init__(self, idl, codes, frame):
        super().__init__(idl, codes, frame, 1)
        self.error = self.header.error
        if self.header.context & IS_REQUEST:
            raise ThriftError(f"{self.name}: not an answer")

    def __repr__(self):
        error = "" if self.error == "ERR_OK" else self.error + " "
        return error + (repr(self.value) if self.value is not None else f"{self.name} {self.body.hex()}")


def struct_body(idl, kind, field, value):
    """A body that has this value."""
    writer = Writer(idl)
    writer.number(BYTE, wire_type(kind))
    writer.number(I16, field)
    writer.value(kind, value)
    writer.number(BYTE, STOP)
    return writer.bytes()


class RdsnConnection(Connection):
    def receive(self):
        """The next answer's frame."""
        self.take(HEADER.size)
        size = HEADER.size + Header(self.kept).body_size
        self.take(size)
        frame, self.kept = self.kept[:size], self.kept[size:]
        return frame


def frames_of(stream):
    """The frames that come on a socket, until it ends."""
    kept = b""
    while True:
        while len(kept) >= HEADER.size and len(kept) >= HEADER.size + Header(kept).body_size:
            size = HEADER.size + Header(kept).body_size
            yield kept[:size]
            kept = kept[size:]
        piece = stream.recv(1 << 18)
        if not piece:
            return
        kept += piece

