"""What the scenarios of duplications share: two clusters that know each other, writers that note what was acknowledged,
and looking whether both tables are equal, by their files."""
import os
import random
import re
import struct
import tempfile
import threading
import time
import urllib.request

import harness
import wire_client
from crc64 import crc64
from metrics_of import total_of
from ports import free_ports
from scenario import Scenario
from tables import StoredTable, difference
from wait import until

PARTITIONS = 4
PUT, REMOVE, INCR = (f"RPC_RRDB_RRDB_{name}" for name in ("PUT", "REMOVE", "INCR"))
MULTI_PUT, MULTI_REMOVE = (f"RPC_RRDB_RRDB_MULTI_{name}" for name in ("PUT", "REMOVE"))
SORT_KEY = b"s"
RECEIVED = "dup_requests"  # the metric of DUPLICATE requests that a server was sent


def field(wire_type, number):
    return struct.pack(">bh", wire_type, number)


def blob(data):
    return struct.pack(">i", len(data)) + data


def raw_key(hash_key, sort_key=SORT_KEY):
    return struct.pack(">H", len(hash_key)) + hash_key + sort_key


def put_body(hash_key, value, expire_ts=0):
    return field(12, 1) + field(12, 1) + blob(raw_key(hash_key)) + field(12, 2) + blob(value) + \
        field(8, 3) + struct.pack(">i", expire_ts) + b"\0\0"


def remove_body(hash_key):
    return field(12, 1) + blob(raw_key(hash_key)) + b"\0"


def multi_put_body(hash_key, rows):
    """Rows: sort key to value."""
    kvs = b"".join(field(12, 1) + blob(key) + field(12, 2) + blob(value) + b"\0" for key, value in rows.items())
    return field(12, 1) + field(12, 1) + blob(hash_key) + field(15, 2) + struct.pack(">bi", 12, len(rows)) + kvs + \
        field(8, 3) + struct.pack(">i", 0) + b"\0\0"


def multi_remove_body(hash_key, sort_keys):
    keys = b"".join(map(blob, sort_keys))
    return field(12, 1) + field(12, 1) + blob(hash_key) + field(15, 2) + struct.pack(">bi", 12, len(sort_keys)) + \
        keys + field(10, 3) + struct.pack(">q", 0) + b"\0\0"


def incr_body(hash_key):
    return field(12, 1) + field(12, 1) + blob(raw_key(hash_key)) + field(10, 2) + struct.pack(">q", 1) + \
        field(8, 3) + struct.pack(">i", 0) + b"\0\0"


class Table:
    """A client of a table whose cluster has one replica server, which may be killed and come back. For one thread."""

    def __init__(self, cluster, app_id, partitions=PARTITIONS):
        self.cluster, self.app_id, self.partitions, self.wires = cluster, app_id, partitions, {}

    def ask(self, code, hash_key, body):
        """(RPC-level error, result's error) of the answer; None when there is none, so that nobody knows."""
        partition = crc64(hash_key) % self.partitions
        try:
            if partition not in self.wires:
                self.wires[partition] = wire_client.Wire(self.cluster.replicas[0], wire_client.THFT_V0, self.app_id,
                                                         partition)
            reply = self.wires[partition].ask(code, body)
        except (wire_client.NoAnswer, OSError):
            wire = self.wires.pop(partition, None)
            if wire:
                wire.close()
            return None
        return reply.error, struct.unpack_from(">i", reply.body, 6)[0] if len(reply.body) > 10 else 0

    def write(self, code, hash_key, body):
        """Whether it was acknowledged."""
        return self.ask(code, hash_key, body) == ("ERR_OK", 0)

    def must(self, code, hash_key, body):
        """A write until it is acknowledged."""
        until(lambda: self.write(code, hash_key, body), f"a write of {hash_key}")

    def put(self, hash_key, value):
        self.must(PUT, hash_key, put_body(hash_key, value))

    def close(self):
        for wire in self.wires.values():
            wire.close()


class Writer(threading.Thread):
    """Writes on until it is stopped: most often new rows, now and then new values of hot ones, or removes of them.
    `allowed`: the values that each row may have, None for none: what was acknowledged last, and what was tried since
    without an answer. `begun_ns`: when the write of each new row began, for those that were acknowledged."""

    def __init__(self, cluster, app_id, name, hot_keys=20):
        super().__init__(daemon=True)
        self.table, self.prefix = Table(cluster, app_id), name
        self.random, self.end, self.error = random.Random(name), threading.Event(), None
        self.hot = [f"{name}hot{number}".encode() for number in range(hot_keys)]
        self.allowed, self.begun_ns, self.acknowledged, self.tried = {}, {}, 0, 0

    def write_one(self):
        self.tried += 1
        is_new = self.random.random() < 0.6 or not self.hot
        key = f"{self.prefix}new{self.tried}".encode() if is_new else self.random.choice(self.hot)
        value = None if not is_new and self.random.random() < 0.3 else f"{self.prefix}.{self.tried}".encode()
        begin = time.monotonic_ns()
        if self.table.write(*((REMOVE, key, remove_body(key)) if value is None else (PUT, key, put_body(key, value)))):
            self.allowed[key] = [value]
            self.acknowledged += 1
            if is_new:
                self.begun_ns[key] = begin
        else:
            self.allowed.setdefault(key, [None]).append(value)
            # So that it is not asked in vain at full speed.
            address = self.table.cluster.replicas[0]
            until(lambda: self.end.is_set() or harness.can_connect(address), "the server is back")

    def run(self):
        try:
            while not self.end.is_set():
                self.write_one()
        except Exception as error:  # raised again by stop()
            self.error = error
        finally:
            self.table.close()

    def stop(self):
        self.end.set()
        self.join(60)
        if self.error or self.is_alive():
            raise AssertionError(f"writer {self.prefix} failed: {self.error!r}")


class PairedCluster(harness.Cluster):
    """One replica server; the same addresses at each start."""

    def __init__(self, folder, name, port, config):
        self.meta_port = port
        super().__init__(folder, name, 1, ["--config", config, "--replica-port", port + 1])


class Duplicated(Scenario):
    """Clusters A and B, each of which knows the other by its name."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="s-")
        port, config = free_ports(4), os.path.join(self.folder, "group.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[duplication-group]\nA = 1\nB = 2\n[pegasus.clusters]\n"
                       f"A = 127.0.0.1:{port}\nB = 127.0.0.1:{port + 2}\n")
        self.a, self.b = (PairedCluster(self.folder, name, port + 2 * index, config)
                          for index, name in enumerate("AB"))
        self.addCleanup(lambda: (self.a.kill(), self.b.kill()))
        self.writers = []
        self.addCleanup(lambda: [writer.end.set() for writer in self.writers])

    def shell(self, cluster, command):
        return self.done("shell", "--cluster", cluster.meta, "-e", command).out

    def make(self, *clusters, table="t"):
        for cluster in clusters:
            self.create(cluster, table, PARTITIONS)

    def add_dup(self, source, target, *more, table="t"):
        """The duplication's id."""
        out = self.shell(source, " ".join(["add_dup", table, target.name, *more]))
        found = re.search(r"succeed \[.*dupid: (\d+)", out)
        self.assertTrue(found, out)
        return int(found[1])

    def app_id(self, cluster, table="t"):
        return StoredTable(cluster, table).app["app_id"]

    def client(self, cluster, table="t"):
        client = Table(cluster, self.app_id(cluster, table))
        self.addCleanup(client.close)
        return client

    def write_to(self, cluster, names, table="t", **more):
        """Begins writers of these names."""
        begun = [Writer(cluster, self.app_id(cluster, table), name, **more) for name in names]
        self.writers += begun
        for writer in begun:
            writer.start()
        return begun

    def acknowledged(self, writers):
        for writer in writers:
            if writer.error:
                writer.stop()
        return sum(writer.acknowledged for writer in writers)

    def wait_for_writes(self, writers, more):
        """Until so many more are acknowledged."""
        begin = self.acknowledged(writers)
        until(lambda: self.acknowledged(writers) >= begin + more, f"{more} more acknowledged writes")

    def stop_writers(self):
        for writer in self.writers:
            writer.stop()

    def kill_and_start(self, cluster):
        cluster.kill()
        cluster.start()

    # What is compared

    def state(self, cluster, table="t"):
        """What the cluster says of its duplications, for a failure's text."""
        shell = self.run_words("shell", "--cluster", cluster.meta, "-e", f"query_dup {table} -d")
        try:
            address = f"http://{cluster.replicas[0]}/replica/duplication?appid={self.app_id(cluster, table)}"
            with urllib.request.urlopen(address, timeout=20) as reply:
                more = reply.read().decode()
        except OSError as error:
            more = repr(error)
        return f"{cluster.name}: {shell.out[-1500:]}{shell.err[-500:]}\n{more[:1500]}"

    def wait_for_equal(self, table="t", limit_s=60):
        """Until both tables have the same rows; their number."""
        one, other = StoredTable(self.a, table), StoredTable(self.b, table)
        now, unread = int(time.time()), []

        def equal():
            try:
                digest = one.digest(now=now)
                return (digest,) if digest == other.digest(now=now) else None
            except AssertionError as error:  # the other side writes what it is sent, so that files change
                unread[:] = [str(error)]
                return None
        try:
            return until(equal, f"table {table} the same on both clusters", limit_s, pause_s=0.1)[0].rows
        except AssertionError as late:
            self.fail("\n".join([str(late), *unread, difference(one, other, now), self.state(self.a, table),
                                 self.state(self.b, table)]))

    def check_acknowledged(self, cluster, writers, since_ns=0, table="t"):
        """Every row has a value that it may have; of new rows, those whose write began since then."""
        rows, wrong = StoredTable(cluster, table).rows(), []
        checked = 0
        for writer in writers:
            for key, allowed in writer.allowed.items():
                if since_ns and writer.begun_ns.get(key, 0) < since_ns:
                    continue
                checked += 1
                value = rows.get((key, SORT_KEY), (None, 0))[0]
                if value not in allowed:
                    wrong.append(f"{key.decode()}: {value}, may be one of {allowed}")
        self.assertEqual(wrong[:10], [], f"{len(wrong)} of {checked} rows on {cluster.name} are wrong")
        return checked

    def row_arrives(self, cluster, key, value, table="t"):
        """Until the row is there, read as a client reads."""
        client = self.client(cluster, table)
        body = field(12, 1) + blob(raw_key(key)) + b"\0"

        def arrived():
            partition = crc64(key) % PARTITIONS
            if partition not in client.wires:
                client.wires[partition] = wire_client.Wire(cluster.replicas[0], wire_client.THFT_V0, client.app_id,
                                                           partition)
            return blob(value) in client.wires[partition].ask("RPC_RRDB_RRDB_GET", body).body
        until(arrived, f"row {key} on {cluster.name}")

    def received(self, table="t"):
        """DUPLICATE requests that both clusters have been sent for the table since they were started."""
        return sum(total_of(cluster.replicas, RECEIVED, table_id=str(self.app_id(cluster, table)))
                   for cluster in (self.a, self.b))
