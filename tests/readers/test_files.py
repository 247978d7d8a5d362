"""The files of a split as RocksDB's Java library reads them: rows, order, bytes, and where they lie."""
import glob
import json
import os
import pathlib
import shutil
import subprocess

from harness import CliTest
from test_split_load import golden_rows

GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "cold-backup"
READER = pathlib.Path(__file__).parent.parent / "peers" / "rocksdbjni" / "ReadFiles.java"
HEADER = 12  # of a value: expiry and timetag
POLYNOMIAL = 0x9A6C9329AC4BC9B5


def crc64(data):
    """Pegasus's hash of keys, bit by bit."""
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
    return crc ^ 0xFFFFFFFFFFFFFFFF


def parts_of(key):
    length = int.from_bytes(key[:2], "big")
    return key[2:2 + length], key[2 + length:]


class Files(CliTest):
    def read(self, files):
        words = ["java", "-cp", os.environ["ROCKSDBJNI"] + "/*", str(READER), *files]
        done = subprocess.run(words, capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        rows = {}
        for line in done.stdout.decode().splitlines():
            file, key, value = line.split("\t")
            rows.setdefault(file, []).append((bytes.fromhex(key), bytes.fromhex(value)))
        return rows

    def test_rows_order_and_bytes_for_any_partition_count(self):
        store = os.path.join(self.folder, "store")
        shutil.copytree(GOLDEN, os.path.join(store, "backups"))
        config = os.path.join(self.folder, "config.ini")
        pathlib.Path(config).write_text(f"[block_service.local]\ntype = local_service\nargs = {store}\n", encoding="utf-8")
        expected = golden_rows()
        for partitions in (1, 3, 4, 7, 16):
            report = json.loads(self.done(
                "split", "--from", "local:/backups/oneboxA", "--table", "golden", "--to", f"local:/{partitions}",
                "--cluster", "B", "--app-id", 9, "--partitions", partitions, "--config", config, "--state",
                os.path.join(self.folder, "journal.db"), "--file-size", "4KB", "--quiet", "--json").out)
            folder = f"{store}/{partitions}/B/golden"
            rows, found = self.read(glob.glob(folder + "/*/*.sst")), set()
            for partition in range(partitions):
                metadata = json.loads(pathlib.Path(f"{folder}/{partition}/bulk_load_metadata").read_text(encoding="utf-8"))
                files = {f"{folder}/{partition}/{file['name']}": file for file in metadata["files"]}
                mine = {file: rows.pop(file) for file in list(rows) if file.startswith(f"{folder}/{partition}/")}
                self.assertEqual(set(mine), set(files))
                found |= self.check_partition(mine, partition, partitions)
            self.assertEqual(rows, {})
            self.assertLessEqual(found, expected)
            self.assertEqual(len(found), report["rows"]["written"])
            self.assertGreater(len(found), 800)

    def check_partition(self, files, partition, partitions):
        """Its rows; no two files overlap, keys ascend, each belongs there."""
        last, found = b"", set()
        for rows in sorted(files.values()):
            for key, value in rows:
                if key == b"":
                    self.assertEqual(sum(map(len, files.values())), 1, "the invisible record is alone")
                    continue
                self.assertLess(last, key)
                last = key
                hash_key, sort_key = parts_of(key)
                self.assertEqual(crc64(hash_key or sort_key) % partitions, partition)
                found.add((hash_key, sort_key, value[HEADER:]))
        return found
