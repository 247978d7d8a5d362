"""TBinaryProtocol by declaration: bytes to values and back, with nothing lost on the way."""
import struct

STOP, BOOL, BYTE, DOUBLE, I16, I32, I64, STRING, STRUCT, MAP, SET, LIST = 0, 2, 3, 4, 6, 8, 10, 11, 12, 13, 14, 15
BASE = {"bool": BOOL, "byte": BYTE, "i8": BYTE, "i16": I16, "i32": I32, "i64": I64, "string": STRING}
NUMBERS = {BYTE: ">b", DOUBLE: ">d", I16: ">h", I32: ">i", I64: ">q"}
ADDRESS_TYPES = {0: "invalid", 1: "ipv4", 2: "group"}
MAX_DEPTH = 16


class ThriftError(Exception):
    """Bytes that are not what was declared."""


def wire_type(kind):
    if kind[0] == "base":
        return BASE[kind[1]]
    return {"custom": STRUCT, "struct": STRUCT, "enum": I32, "list": LIST, "set": SET, "map": MAP}[kind[0]]


class Unknown:
    """A field that is not declared: its bytes, read without a declaration."""

    def __init__(self, wire, data):
        self.wire, self.data = wire, data

    def __eq__(self, other):
        return isinstance(other, Unknown) and (self.wire, self.data) == (other.wire, other.data)

    def __repr__(self):
        return f"undeclared({self.wire}, {self.data.hex()})"


class Struct:
    """Fields by name, in the order on the wire. Undeclared ones are named after their number."""

    def __init__(self, name, fields=None):
        self.name, self.fields = name, dict(fields or {})

    def get(self, name, otherwise=None):
        return self.fields.get(name, otherwise)

    def __eq__(self, other):
        return isinstance(other, Struct) and (self.name, self.fields) == (other.name, other.fields)

    def __repr__(self):
        return self.name + "(" + ", ".join(f"{name}={shown(value)}" for name, value in self.fields.items()) + ")"


def shown(value):
    """A value in readable form, on one line."""
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        return repr(text) if text.isprintable() and value.isascii() else "x:" + value.hex()
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(one)}" for key, one in value.items()) + "}"
    return repr(value)


class Reader:
    def __init__(self, idl, data, at=0):
        self.idl, self.data, self.at = idl, data, at

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise ThriftError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, wire):
        return struct.unpack(NUMBERS[wire], self.take(struct.calcsize(NUMBERS[wire])))[0]

    def text(self):
        return self.take(self.number(I32))

    def skip(self, wire, depth=0):
        """Goes past one value, read without a declaration."""
        if depth > MAX_DEPTH:
            raise ThriftError(f"nested deeper than {MAX_DEPTH} at {self.at}")
        if wire == BOOL:
            self.take(1)
        elif wire in NUMBERS:
            self.number(wire)
        elif wire == STRING:
            self.text()
        elif wire in (LIST, SET):
            element, count = self.number(BYTE), self.number(I32)
            for _ in range(count):
                self.skip(element, depth + 1)
        elif wire == MAP:
            key, value, count = self.number(BYTE), self.number(BYTE), self.number(I32)
            for _ in range(count):
                self.skip(key, depth + 1)
                self.skip(value, depth + 1)
        elif wire == STRUCT:
            while (field := self.number(BYTE)) != STOP:
                self.number(I16)
                self.skip(field, depth + 1)
        else:
            raise ThriftError(f"no such type: {wire} at {self.at}")

    def custom(self, name):
        if name == "blob":
            return self.text()
        if name in ("error_code", "task_code"):
            return self.text().decode("ascii", "surrogateescape")
        if name == "rpc_address":
            raw = self.number(I64) & (1 << 64) - 1
            ip = ".".join(str(raw >> shift & 255) for shift in (56, 48, 40, 32))
            return (ip, raw >> 16 & 0xFFFF, ADDRESS_TYPES.get(raw & 0xFFFF, raw & 0xFFFF))
        if name == "gpid":
            raw = self.number(I64)
            return (struct.unpack(">i", struct.pack(">q", raw)[4:])[0], raw >> 32)
        if name == "host_port":
            return (self.text().decode("utf-8", "surrogateescape"), self.number(I16) & 0xFFFF, self.number(BYTE))
        raise ThriftError(f"no such custom type: {name}")

    def elements(self, kinds):
        """The element types of a container and how many there are. The types may be anything if none."""
        wires = [self.number(BYTE) for _ in kinds]
        count = self.number(I32)
        if count < 0 or count > len(self.data) - self.at:
            raise ThriftError(f"{count} elements announced at {self.at}")
        if count and wires != [wire_type(kind) for kind in kinds]:
            raise ThriftError(f"elements of type {wires} instead of {kinds} at {self.at}")
        return count

    def value(self, kind):
        word = kind[0]
        if word == "base" and kind[1] == "bool":
            return self.take(1) != b"\0"
        if word == "base" and kind[1] == "string":
            return self.text().decode("utf-8", "surrogateescape")
        if word == "base":
            return self.number(BASE[kind[1]])
        if word == "enum":
            return self.number(I32)
        if word == "custom":
            return self.custom(kind[1])
        if word == "struct":
            return self.struct(kind[1])
        if word in ("list", "set"):
            return [self.value(kind[1]) for _ in range(self.elements(kind[1:]))]
        return {self.value(kind[1]): self.value(kind[2]) for _ in range(self.elements(kind[1:]))}

    def struct(self, name):
        found = Struct(name)
        while (wire := self.number(BYTE)) != STOP:
            number = self.number(I16)
            field = self.idl.structs[name].get(number)
            if field is None:
                start = self.at
                self.skip(wire)
                found.fields[number] = Unknown(wire, self.data[start:self.at])
                continue
            if wire != wire_type(field.kind):
                raise ThriftError(f"{name}.{field.name} has type {wire} instead of {wire_type(field.kind)}")
            found.fields[field.name] = self.value(field.kind)
        return found


class Writer:
    def __init__(self, idl):
        self.idl, self.parts = idl, []

    def bytes(self):
        return b"".join(self.parts)

    def number(self, wire, value):
        self.parts.append(struct.pack(NUMBERS[wire], value))

    def text(self, data):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        self.number(I32, len(data))
        self.parts.append(data)

    def custom(self, name, value):
        if name in ("blob", "error_code", "task_code"):
            self.text(value)
        elif name == "rpc_address":
            ip, port, kind = value
            low = {text: number for number, text in ADDRESS_TYPES.items()}.get(kind, kind)
            raw = int.from_bytes(bytes(map(int, ip.split("."))), "big") << 32 | port << 16 | low
            self.parts.append(struct.pack(">Q", raw))
        elif name == "gpid":
            self.parts.append(struct.pack(">ii", value[1], value[0]))
        elif name == "host_port":
            self.text(value[0])
            self.parts.append(struct.pack(">Hb", *value[1:]))
        else:
            raise ThriftError(f"no such custom type: {name}")

    def value(self, kind, value):
        word = kind[0]
        if word == "base" and kind[1] == "bool":
            self.parts.append(b"\1" if value else b"\0")
        elif word == "base" and kind[1] == "string":
            self.text(value)
        elif word in ("base", "enum"):
            self.number(wire_type(kind), value)
        elif word == "custom":
            self.custom(kind[1], value)
        elif word == "struct":
            self.struct(kind[1], value)
        elif word in ("list", "set"):
            self.number(BYTE, wire_type(kind[1]))
            self.number(I32, len(value))
            for one in value:
                self.value(kind[1], one)
        else:
            self.number(BYTE, wire_type(kind[1]))
            self.number(BYTE, wire_type(kind[2]))
            self.number(I32, len(value))
            for key, one in value.items():
                self.value(kind[1], key)
                self.value(kind[2], one)

    def struct(self, name, value):
        declared = {field.name: field for field in self.idl.structs[name].values()}
        for key, one in value.fields.items():
            if isinstance(one, Unknown):
                self.number(BYTE, one.wire)
                self.number(I16, key)
                self.parts.append(one.data)
                continue
            self.number(BYTE, wire_type(declared[key].kind))
            self.number(I16, declared[key].number)
            self.value(declared[key].kind, one)
        self.number(BYTE, STOP)
