"""Tables as their files have them, read by table_dump, and rows to fill them with."""
import glob
import os
import re
import subprocess
import time

from meta_store import read_values

TABLE_DUMP = os.environ.get("TABLE_DUMP", "build/release/table_dump")
DUMP_LIMIT_S = 120


class Digest:
    """How many rows a table has, and a digest of their keys, values and expiry."""

    def __init__(self, text):
        count, self.sum = text.split()
        self.rows = int(count)

    def __eq__(self, other):
        return (self.rows, self.sum) == (other.rows, other.sum)

    def __repr__(self):
        return f"{self.rows} rows, {self.sum}"


class StoredTable:
    """A table of an embedded cluster, by its files. Nobody may write to it while it is read."""

    def __init__(self, cluster, name):
        self.data, self.name = cluster.data, name
        values = read_values(os.path.join(cluster.data, "meta"))
        apps = [value for path, value in values.items() if re.fullmatch("/apps/[^/]+", path)]
        apps = [app for app in apps if app.get("app_name") == name and app["status"] == "available"]
        if not apps:
            raise AssertionError(f"no table {name} in {cluster.data}")
        self.app = apps[-1]
        self.partitions = self.app["partition_count"]
        self.envs = self.app["envs"]

    def folders(self, partitions=None):
        found = []
        for index in range(self.partitions) if partitions is None else partitions:
            place = os.path.join(self.data, "replica*", f"{self.app['app_id']}.{index}.pegasus", "data", "rdb")
            matches = glob.glob(place)
            if len(matches) != 1:
                raise AssertionError(f"partition {index} of {self.name}: {place} is {matches}")
            found += matches
        return found

    def read(self, *options, now=None, partitions=None):
        words = [TABLE_DUMP, *options, "--now", str(int(time.time()) if now is None else now)]
        done = subprocess.run([*words, *self.folders(partitions)], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=DUMP_LIMIT_S, check=False)
        if done.returncode != 0:
            raise AssertionError(f"table_dump of {self.name}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode()

    def count(self, **more):
        return int(self.read("--count", **more))

    def digest(self, **more):
        return Digest(self.read("--digest", **more))

    def lines(self, **more):
        return self.read(**more).splitlines()

    def rows(self, **more):
        """(hash key, sort key) to (value, expiry); values above 64 bytes stand as hash and size."""
        def text(field):
            return b"" if field == "-" else field.encode() if field.startswith("#") else bytes.fromhex(field)

        found = {}
        for line in self.lines(**more):
            hash_key, sort_key, value, expire_ts = line.split(" ")
            found[text(hash_key), text(sort_key)] = (text(value), int(expire_ts))
        return found


def difference(one, other, now, shown=10):
    """A few lines of what two tables differ in, for people."""
    left, right = (set(table.read("--hash-only", now=now).splitlines()) for table in (one, other))
    lines = [f"- {line[:500]}" for line in sorted(left - right)[:shown]]
    lines += [f"+ {line[:500]}" for line in sorted(right - left)[:shown]]
    return f"only in {one.name} {len(left - right)}, only in {other.name} {len(right - left)}\n" + "\n".join(lines)


def escaped(text):
    """Bytes in a column of TSV."""
    if isinstance(text, str):
        text = text.encode()
    return b"".join(b"\\x%02x" % byte if byte < 0x20 or byte > 0x7e or byte == 0x5c else bytes([byte])
                    for byte in text)


def tsv(rows):
    """(hash key, sort key, value[, expiry]) as lines; keys and values of plain text are quick."""
    lines = []
    for hash_key, sort_key, value, *expiry in rows:
        fields = [field.encode() if isinstance(field, str) and field.isalnum() else escaped(field)
                  for field in (hash_key, sort_key, value)]
        lines.append(b"\t".join(fields + [b"%d" % expire_ts for expire_ts in expiry if expire_ts]))
    return b"\n".join(lines) + (b"\n" if lines else b"")


def many_rows(count, value_size=20, sort_keys=10, expiry=None):
    """Several rows a hash key; every third expires at `expiry`, if that is given, or later."""
    value = "v" * value_size
    for number in range(count):
        expire_ts = expiry + number % 1000 if expiry and number % 3 == 0 else 0
        yield f"user{number // sort_keys}", f"field{number % sort_keys:04}", f"{number}{value}", expire_ts
