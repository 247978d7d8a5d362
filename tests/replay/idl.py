"""What idl/*.thrift and the code lists of src/wire declare: structs, enums, and each code's messages."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Codes of two bodies that are no structs (src/wire/code_messages.h says so in its comment).
BARE_MESSAGES = {
    "RPC_RRDB_RRDB_CLEAR_SCANNER": ("i64", None),
    "RPC_CLI_CLI_CALL": ("command", "string"),
}
BASE_TYPES = ("bool", "byte", "i8", "i16", "i32", "i64", "string")


class DeclarationError(Exception):
    """A file that the tables are read from does not look as expected."""


class Field:
    """A declared field. `kind` is ("base", name), ("custom", name), ("struct", name), ("enum", name),
    ("list", kind), ("set", kind) or ("map", kind, kind)."""

    def __init__(self, number, name, kind, optional):
        self.number, self.name, self.kind, self.optional = number, name, kind, optional


class Idl:
    """The structs (name -> number -> Field) and enums (name -> number -> name) of all files together."""

    def __init__(self):
        self.structs, self.enums, self.custom = {}, {}, set()

    def kind_of(self, text):
        """The kind that a type is written as, e.g. `list<dsn.blob>`."""
        text = text.strip()
        inner = re.fullmatch(r"(list|set|map)\s*<(.*)>", text, re.S)
        if inner and inner[1] == "map":
            key, value = inner[2].split(",", 1)
            return ("map", self.kind_of(key), self.kind_of(value))
        if inner:
            return (inner[1], self.kind_of(inner[2]))
        if text in BASE_TYPES:
            return ("base", text)
        if text.startswith("dsn.") and text[4:] in self.custom:
            return ("custom", text[4:])
        if text in self.enums:
            return ("enum", text)
        if text in self.structs:
            return ("struct", text)
        raise DeclarationError(f"type {text!r} is not declared before its use")


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", re.sub(r"(//|#)[^\n]*", " ", text), flags=re.S)


def add_struct(idl, name, body):
    fields = {}
    idl.structs[name] = fields  # before its fields: they may name the struct itself
    pattern = (r"(\d+)\s*:\s*(optional\s+|required\s+)?((?:list|set|map)\s*<[^;=]*?>|[\w.]+)\s+(\w+)"
               r"\s*(?:=\s*[\w.\"-]+)?\s*[,;]?")
    left = body
    for found in re.finditer(pattern, body):
        number, optional, kind, field = found.groups()
        fields[int(number)] = Field(int(number), field, idl.kind_of(kind), bool(optional))
        left = left.replace(found[0], "", 1)
    if left.strip():
        raise DeclarationError(f"struct {name}: cannot read {left.strip()!r}")


def read_declarations(idl, text, is_custom=False):
    """Adds the structs and enums of one file."""
    for word, name, body in re.findall(r"\b(struct|enum)\s+(\w+)\s*\{(.*?)\}", without_comments(text), re.S):
        if word == "enum":
            idl.enums[name] = {int(value): entry for entry, value in re.findall(r"(\w+)\s*=\s*(-?\d+)", body)}
        elif is_custom:
            idl.custom.add(name)
        else:
            add_struct(idl, name, body)


def read_idl(folder=os.path.join(ROOT, "idl")):
    idl = Idl()
    names = sorted(name for name in os.listdir(folder) if name.endswith(".thrift"))
    names.sort(key=lambda name: name != "dsn.thrift")  # its types are used by all others
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            read_declarations(idl, file.read(), is_custom=name == "dsn.thrift")
    return idl


def read_codes(idl, folder=os.path.join(ROOT, "src", "wire")):
    """RPC name -> (kind of the request, kind of the reply or None)."""
    def source(name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return without_comments(file.read()).replace("\\\n", "\n")

    kind = lambda text: text and idl.kind_of("dsn." + text if text in idl.custom else text)
    names = dict(re.findall(r'X\((k\w+),\s*"(\w+)"\)', source("rpc_code.h")))
    codes = {}
    for code, request, reply in re.findall(r"X\((k\w+),\s*(\w+),\s*(\w+)\)", source("code_messages.h")):
        codes[names[code]] = (kind(request), kind(reply))
    if not codes:
        raise DeclarationError("no codes in src/wire/code_messages.h")
    for name in set(names.values()) - set(codes):
        if name not in BARE_MESSAGES:
            raise DeclarationError(f"{name} has no messages in code_messages.h")
        codes[name] = tuple(kind(text) for text in BARE_MESSAGES[name])
    return codes
