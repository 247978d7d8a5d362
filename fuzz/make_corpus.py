#!/usr/bin/env python3
"""Makes the first inputs of the fuzz targets from the recorded frames and backups.

  fuzz/make_corpus.py FOLDER     writes FOLDER/fuzz_backup/*, fuzz_frame/* and fuzz_message/*

Each input is named after its contents, so that running this again adds nothing. fuzz_*.cc say what the first byte of an input means.
"""
import hashlib
import json
import re
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests/golden"
REQUEST, RDSN_REPLY, THRIFT_REPLY, MEND_LENGTHS = 0, 1, 2, 0x80
LONGEST = 4096


def positions_of_codes():
    """The name of each code in rpc_code.h, and its position."""
    text = (ROOT / "src/wire/rpc_code.h").read_text()
    names = re.findall(r'X\(k\w+,\s*"(\w+)"\)', text)
    if not names:
        sys.exit("make_corpus.py: no codes found in src/wire/rpc_code.h")
    return {name: position for position, name in enumerate(names)}


def read_lines(path):
    with path.open() as file:
        return [json.loads(line) for line in file]


def rdsn_frames():
    for line in read_lines(GOLDEN / "frames.rdsn.jsonl"):
        header, body = bytes.fromhex(line["header"]), bytes.fromhex(line["body"])
        yield line["rpc"], line["kind"] == "request", RDSN_REPLY, header + body, body


def thrift_body(message):
    """The bytes after a strict TMessage."""
    name_size, = struct.unpack_from(">I", message, 4)
    return message[12 + name_size:]


def thrift_frames():
    for path in sorted((GOLDEN / "transcripts").glob("*.jsonl")):
        for line in read_lines(path):
            if "frame" not in line:
                continue
            frame, is_request = bytes.fromhex(line["frame"]), line["dir"] == "request"
            if not is_request:
                error_size, = struct.unpack_from(">I", frame, 4)
                message = frame[8 + error_size:]
            elif frame[7] == 1:
                message = frame[16 + struct.unpack_from(">I", frame, 8)[0]:]
            else:
                message = frame[48:]
            yield line["rpc"], is_request, THRIFT_REPLY, frame, thrift_body(message)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folders = {target: Path(sys.argv[1], target) for target in ("fuzz_backup", "fuzz_frame", "fuzz_message")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)

    def write(target, first, contents):
        if len(contents) >= LONGEST:
            return
        contents = bytes([first]) + contents
        (folders[target] / hashlib.sha1(contents).hexdigest()).write_bytes(contents)

    positions, kept = positions_of_codes(), {}
    for name, is_request, reply_kind, frame, body in [*rdsn_frames(), *thrift_frames()]:
        sort = (name, reply_kind)
        kept[sort] = kept.get(sort, 0) + 1
        if kept[sort] > 20:  # more of the same do not help the fuzzer
            continue
        kind = REQUEST if is_request else reply_kind
        write("fuzz_frame", kind, frame)
        write("fuzz_frame", kind | MEND_LENGTHS, frame)
        position = positions.get(name.removesuffix("_ACK"))
        if position is not None and body:
            write("fuzz_message", 2 * position + (not is_request), body)
    for first, name in enumerate(("backup_info", "backup_metadata", "app_metadata", "pegmove_envs", "current_checkpoint")):
        for path in GOLDEN.glob(f"cold-backup*/**/{name}"):
            write("fuzz_backup", first, path.read_bytes())
    for first, name in ((5, "bulk_load_info"), (6, "bulk_load_metadata")):
        for path in GOLDEN.glob(f"bulk-load/**/{name}"):
            write("fuzz_backup", first, path.read_bytes())
    write("fuzz_backup", 3, b'{"t_1":{"default_ttl":"86400"}}')
    write("fuzz_backup", 4, b"/user/pegasus/backup/t_12")
    for target, folder in folders.items():
        print(f"{target}: {len(list(folder.iterdir()))} inputs in {folder}")


if __name__ == "__main__":
    main()
