"""THFT frames, versions 0 and 1: requests taken apart and put together again, and answers."""
import struct

from thrift import BYTE, I16, I32, STOP, STRUCT, Reader, ThriftError, Writer, wire_type

HEADER_V0 = struct.Struct(">4sIIIIIiiiiQ")
HEADER_V1 = struct.Struct(">4sIII")
VERSION_1, CALL, REPLY = 0x80010000, 1, 2


class Request:
    """A request as recorded. `value` is its argument, or None if its code is not declared; `body`
    the bytes behind the name and the number then."""
    is_rdsn = False

    def __init__(self, idl, codes, frame):
        self.idl, self.codes, self.frame = idl, codes, frame
        magic, self.version = struct.unpack_from(">4sI", frame)
        if magic != b"THFT" or self.version not in (0, 1):
            raise ThriftError(f"not a THFT frame of version 0 or 1: {frame[:8].hex()}")
        body = self.read_v0() if self.version == 0 else self.read_v1()
        self.read_body(body)

    def read_v0(self):
        (_, _, size, _, length, _, self.app_id, self.partition, self.timeout_ms, self.thread_hash,
         self.partition_hash) = HEADER_V0.unpack_from(self.frame)
        if size != HEADER_V0.size or size + length != len(self.frame):
            raise ThriftError(f"frame of {len(self.frame)} bytes announces {size} + {length}")
        return HEADER_V0.size

    def read_v1(self):
        _, _, meta_size, length = HEADER_V1.unpack_from(self.frame)
        if HEADER_V1.size + meta_size + length != len(self.frame):
            raise ThriftError(f"frame of {len(self.frame)} bytes announces {meta_size} + {length}")
        reader, self.meta = Reader(self.idl, self.frame, HEADER_V1.size), {}
        while (wire := reader.number(BYTE)) != STOP:
            number, start = reader.number(I16), reader.at
            reader.skip(wire)
            self.meta[number] = (wire, self.frame[start:reader.at])
        word = lambda number: struct.unpack(">i", self.meta[number][1])[0] if number in self.meta else 0
        self.app_id, self.partition = word(1), word(2)
        return HEADER_V1.size + meta_size

    def read_body(self, at):
        reader = Reader(self.idl, self.frame, at)
        version, self.name = reader.number(I32) & 0xFFFFFFFF, reader.text().decode("ascii")
        self.type, self.seqid = version & 0xFF, reader.number(I32)
        if version & 0xFFFF0000 != VERSION_1:
            raise ThriftError(f"message of version {version:x}")
        self.head, self.value = self.frame[at:reader.at], None
        self.body = self.frame[reader.at:]
        self.kind = self.codes.get(self.name, (None, None))[0]
        if self.kind is not None:
            wire, self.argument = reader.number(BYTE), reader.number(I16)
            if wire != wire_type(self.kind):
                raise ThriftError(f"{self.name}: argument of type {wire}")
            self.value = reader.value(self.kind)
            if reader.number(BYTE) != STOP or reader.at != len(self.frame):
                raise ThriftError(f"{self.name}: bytes behind the argument")

    def encoded(self):
        """The frame with what `app_id` and `value` say now."""
        writer = Writer(self.idl)
        writer.parts.append(self.head)
        if self.value is None:
            writer.parts.append(self.body)
        else:
            writer.number(BYTE, wire_type(self.kind))
            writer.number(I16, self.argument)
            writer.value(self.kind, self.value)
            writer.number(BYTE, STOP)
        return self.header(len(writer.bytes())) + writer.bytes()

    def header(self, length):
        if self.version == 0:
            # 7919: src/common of Pegasus computes a partition's thread hash so.
            thread_hash = self.app_id * 7919 + self.partition if self.thread_hash else 0
            return HEADER_V0.pack(b"THFT", 0, HEADER_V0.size, 0, length, 0, self.app_id, self.partition,
                                  self.timeout_ms, thread_hash, self.partition_hash)
        meta = Writer(self.idl)
        for number, (wire, data) in self.meta.items():
            meta.number(BYTE, wire)
            meta.number(I16, number)
            meta.parts.append(struct.pack(">i", self.app_id) if number == 1 else data)
        meta.number(BYTE, STOP)
        return HEADER_V1.pack(b"THFT", 1, len(meta.bytes()), length) + meta.bytes()

    def __repr__(self):
        where = f" {self.app_id}.{self.partition}" if self.app_id > 0 else ""
        return f"{self.name}{where} {self.body.hex() if self.value is None else repr(self.value)}"


class Answer:
    """An answer. `value` is the result, None if there is none (or its code is not declared)."""

    def __init__(self, idl, codes, frame):
        reader = Reader(idl, frame)
        self.frame = frame
        if reader.number(I32) != len(frame):
            raise ThriftError(f"answer of {len(frame)} bytes announces another length")
        self.error = reader.text().decode("ascii")
        version, self.name = reader.number(I32) & 0xFFFFFFFF, reader.text().decode("ascii")
        self.seqid = reader.number(I32)
        if version != VERSION_1 | REPLY:
            raise ThriftError(f"answer of version and type {version:x}")
        self.body = frame[reader.at:]
        self.kind = codes.get(self.name.removesuffix("_ACK"), (None, None))[1]
        self.value = None
        if self.error == "ERR_OK" and self.kind is not None and reader.number(BYTE) != STOP:
            self.field = reader.number(I16)
            self.value = reader.value(self.kind)
            if reader.number(BYTE) != STOP or reader.at != len(frame):
                raise ThriftError(f"{self.name}: bytes behind the result")

    def encoded_value(self, idl):
        writer = Writer(idl)
        if self.value is not None:
            writer.number(BYTE, wire_type(self.kind))
            writer.number(I16, self.field)
            writer.value(self.kind, self.value)
        writer.number(BYTE, STOP)
        return writer.bytes()

    def __repr__(self):
        error = "" if self.error == "ERR_OK" else self.error + " "
        if self.value is not None:
            return error + repr(self.value)
        return f"{error}{self.name} {self.body.hex()}"
