"""The values of a meta server, read from its file without pegmove: src/server/meta/store/meta_log.h."""
import json
import os

from crc64 import crc_table

FORMAT = b"pegmove meta store 1\n"
MARK = b"\xffrecord\xff"
REMOVED = 0xFFFFFFFF


TABLE = crc_table(0x82F63B78)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size=4):
        return int.from_bytes(self.take(size), "big")

    def left(self):
        return len(self.data) - self.at


def read_values(folder):
    """Paths to values, which are JSON; what a kill has cut off at the end is left out."""
    with open(os.path.join(folder, "meta_store"), "rb") as file:
        reader = Reader(file.read())
    values = {}
    head = reader.take(len(FORMAT) + 8)
    if not head.startswith(FORMAT) or reader.number() != crc32c(head):
        raise AssertionError(f"{folder}/meta_store has no good head")
    while reader.left() >= len(MARK) + 8 and reader.take(len(MARK)) == MARK:
        crc, size = reader.number(), reader.number()
        changes = reader.take(size)
        if crc != crc32c(size.to_bytes(4, "big") + changes):
            break
        make_changes(values, Reader(changes))
    return {path: json.loads(value) for path, value in values.items()}


def make_changes(values, changes):
    while changes.left() > 0:
        path = changes.take(changes.number()).decode()
        size = changes.number()
        if size != REMOVED:
            values[path] = changes.take(size)
            continue
        for below in [each for each in values if each == path or each.startswith(path + "/")]:
            del values[below]
