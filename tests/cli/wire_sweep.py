"""Wrong bodies of a request, made from its declaration: a correct one is encoded, and then each type,
number, length and field in it is spoiled, one at a time. A model says which of them still decode."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "replay"))

from idl import read_codes, read_declarations, read_idl  # noqa: E402,F401
from thrift import (BOOL, BYTE, DOUBLE, I16, I32, I64, LIST, MAP, NUMBERS, SET, STOP, STRING, STRUCT,  # noqa: E402
                    Reader, Struct, ThriftError, Writer, wire_type)

# What a server may make of a body: it does not decode; it does; it does and means what the correct
# one means; its bounds decide.
REFUSED, DECODED, HARMLESS, EITHER = "refused", "decoded", "harmless", "either"

# A value of each type, and what no type is.
VALUES = {BOOL: b"\1", BYTE: b"\x7f", DOUBLE: bytes(8), I16: b"\1\2", I32: b"\0\0\0\1", I64: bytes(8),
          STRING: b"\0\0\0\1x", STRUCT: b"\x03\0\1\x05\0", MAP: b"\x0b\x08\0\0\0\1\0\0\0\1k\0\0\0\1",
          SET: b"\x08\0\0\0\1\0\0\0\1", LIST: b"\x0c\0\0\0\1\x03\0\1\5\0"}
NO_TYPES = (1, 5, 7, 9, 16, 0x7F, 0x80, 0xFF)
LIMITS = {BYTE: (0, -128, 127), I16: (0, -1, -32768, 32767), I32: (0, -1, -2**31, 2**31 - 1),
          I64: (0, -1, -2**63, 2**63 - 1, 2**32)}
TEXTS = (b"", b"\0", b"\xff\xfe", b"\xff\xff\xff\xff", b"../../own", b"x" * 70_000)


def nested(depth):
    """The value of a struct that holds a struct that holds ..."""
    return b"\x0c\0\1" * depth + b"\0" * (depth + 1)


class Model(Reader):
    """Reads as the servers do: a field of another type is skipped, element types are not compared."""

    def elements(self, kinds):
        for _ in kinds:
            self.number(BYTE)
        count = self.number(I32)
        if count < 0 or count > len(self.data) - self.at:
            raise ThriftError(f"{count} elements announced")
        return count

    def skip(self, wire, depth=0):
        if wire in (LIST, SET, MAP):
            at = self.at + (2 if wire == MAP else 1)
            if len(self.data) < at + 4 or struct.unpack_from(">i", self.data, at)[0] < 0:
                raise ThriftError("a negative count")
        super().skip(wire, depth)

    def struct(self, name):
        while (wire := self.number(BYTE)) != STOP:
            field = self.idl.structs[name].get(self.number(I16))
            if field is None or wire != wire_type(field.kind):
                self.skip(wire)
            else:
                self.value(field.kind)
        return Struct(name)


def decodes(idl, kind, body):
    reader = Model(idl, body)
    try:
        reader.take(3)  # the type and the number of the one field: nobody looks at them
        reader.value(kind)
        return reader.number(BYTE) == STOP and reader.at == len(body)
    except (ThriftError, struct.error):
        return False


class Marks(Writer):
    """Encodes, and keeps where in the bytes each thing stands."""

    def __init__(self, idl):
        super().__init__(idl)
        self.fields, self.counts, self.elements, self.scalars, self.texts = [], [], [], [], []

    def at(self):
        return sum(map(len, self.parts))

    def text(self, data):
        start = self.at()
        super().text(data)
        self.counts.append(start)
        self.texts.append((start, self.at()))

    def value(self, kind, value):
        start, wire = self.at(), wire_type(kind)
        if wire in NUMBERS or wire == BOOL:
            self.scalars.append((start, wire, kind))
        elif kind in (("custom", "rpc_address"), ("custom", "gpid")):
            self.scalars.append((start, I64, kind))
        elif wire in (LIST, SET, MAP):
            types = 2 if wire == MAP else 1
            self.elements += range(start, start + types)
            self.counts.append(start + types)
        super().value(kind, value)

    def field(self, number, kind, value):
        start = self.at()
        super().number(BYTE, wire_type(kind))
        super().number(I16, number)
        inner = self.at()
        self.value(kind, value)
        self.fields.append((start, inner, self.at(), wire_type(kind)))

    def struct(self, name, value):
        for declared in self.idl.structs[name].values():
            self.field(declared.number, declared.kind, value.fields[declared.name])
        super().number(BYTE, STOP)


class Examples:
    """Correct values of any kind. `texts`, `numbers`: those of fields of certain names."""

    def __init__(self, idl, blob, texts, numbers):
        self.idl, self.blob, self.texts, self.numbers = idl, blob, texts, numbers

    def of(self, kind, name=""):
        word = kind[0]
        if word == "struct":
            return Struct(kind[1], {field.name: self.of(field.kind, field.name)
                                    for field in self.idl.structs[kind[1]].values()})
        if word in ("list", "set"):
            return [self.of(kind[1], name)] * 2
        if word == "map":
            return {self.of(kind[1], "keys"): self.of(kind[2], "values")}
        if word == "enum":
            return self.numbers.get(name, min(self.idl.enums[kind[1]]))
        if word == "custom":
            return {"blob": self.blob, "error_code": "ERR_OK", "task_code": "", "gpid": (1, 0),
                    "rpc_address": ("127.0.0.1", 34801, "ipv4"), "host_port": ("localhost", 34801, 1)}[kind[1]]
        if kind[1] == "string":
            return self.texts.get(name, "text")
        return self.numbers.get(name, 1)


def field_variants(body, marks):
    """Types, numbers, order, doubles, gaps and ends of fields."""
    for start, inner, end, wire in marks.fields:
        before, whole, after = body[:start], body[start:end], body[end:]
        for other, value in VALUES.items():
            if other != wire:
                yield f"of type {other}", before + bytes([other]) + body[start + 1:inner] + value + after
            yield f"behind an unknown one of type {other}", before + bytes([other]) + b"\x7f\xf0" + value + body[start:]
        for other in [*VALUES, *NO_TYPES, STOP]:
            yield f"with type byte {other}", before + bytes([other]) + body[start + 1:]
        for number in (0, -1, 32767, -32768, 99):
            yield f"with number {number}", before + whole[:1] + struct.pack(">h", number) + body[inner:]
        yield "doubled", before + whole * 2 + after
        yield "missing", before + after
        for cut in {start, start + 1, start + 2, inner, inner + (end - inner) // 2, end - 1, end}:
            yield f"cut at {cut}", body[:cut]
        for depth in (10, 1000):
            yield f"behind {depth} structs", before + b"\x0c\x7f\xf0" + nested(depth) + body[start:]
    for (start, _, end, _), (next_start, _, next_end, _) in zip(marks.fields, marks.fields[1:]):
        if end == next_start:
            yield "swapped with the next", body[:start] + body[next_start:next_end] + body[start:end] + body[next_end:]


def value_variants(idl, body, marks):
    """Lengths, counts, element types and numbers."""
    def replaced(at, data):
        return body[:at] + data + body[at + len(data):]

    for at in marks.counts:
        is_now = struct.unpack_from(">i", body, at)[0]
        for count in (-1, -2**31, 2**31 - 1, 0, is_now - 1, is_now + 1, len(body), 1 << 20, 1 << 28):
            yield f"count {count} at {at}", replaced(at, struct.pack(">i", count))
    for at in marks.elements:
        for other in (*VALUES, *NO_TYPES, STOP):
            yield f"element type {other} at {at}", replaced(at, bytes([other]))
    for at, wire, kind in marks.scalars:
        if wire == BOOL:
            numbers = [b"\0", b"\2", b"\xff"]
        else:
            beyond = (min(idl.enums[kind[1]]) - 1, max(idl.enums[kind[1]]) + 1) if kind[0] == "enum" else ()
            numbers = [struct.pack(NUMBERS[wire], number) for number in (*LIMITS[wire], *beyond)]
        for number in numbers:
            yield f"number {number.hex()} at {at}", replaced(at, number)
    for start, end in marks.texts:
        for text in TEXTS:
            yield f"text {text[:9]!r} at {start}", body[:start] + struct.pack(">i", len(text)) + text + body[end:]


def encoded(idl, kind, value, number=0):
    """The body of a message: its one field, and STOP."""
    marks = Marks(idl)
    marks.field(number, kind, value)
    return b"".join(marks.parts) + b"\0"


HARMLESS_WORDS = ("behind an unknown one", "behind 10 structs", "doubled", "swapped")


def sweep(idl, kind, example, number=0):
    """The correct body, and [(what is wrong, body, what may become of it)]."""
    marks = Marks(idl)
    marks.field(number, kind, example)
    body = b"".join(marks.parts) + b"\0"
    outer = max(marks.fields, key=lambda field: field[2] - field[1])
    found = {body: ("nothing", HARMLESS)}
    ends = [("nothing at all", b""), ("a byte behind it", body + b"\0"), ("more behind it", body * 2),
            ("no STOP at the end", body[:-1]), ("no STOP but a 1", body[:-1] + b"\1")]
    for what, wrong in [*ends, *field_variants(body, marks), *value_variants(idl, body, marks)]:
        # What stands in the body beside its one field is not a field more: nothing may.
        expected = DECODED if decodes(idl, kind, wrong) else REFUSED
        if expected == DECODED and what.startswith(HARMLESS_WORDS) and wrong[:3] == body[:3]:
            expected = HARMLESS
        if what.startswith("element type"):
            expected = EITHER
        found.setdefault(wrong, (what, expected))
    assert outer[2] == len(body) - 1
    return body, [(what, wrong, expected) for wrong, (what, expected) in found.items()]
