"""The embedded cluster in either place of recordings that have what was shipped, and not the clients that wrote it: kills,
other partition counts, both directions, a target that denies its clients' requests."""
import harness
import wire_client
from crc64 import crc64
from full_place import hash_key_of
from recording import Event, Exchange, Recording
from source_place import SourcePlace
from target_place import SHIPPED, TargetPlace, arguments, exported, row_differences

ENVS = ("set_app_envs", "del_app_envs")
MOST_FAILURES = 3  # of a partition, one after the other: the pauses between tries grow


def key_of(idl, codes, entry):
    """The hash key of what was shipped."""
    code = entry.get("task_code")
    return hash_key_of(arguments(idl, codes[code][0], entry.get("raw_message")))


class ShippedPlace(TargetPlace):
    """What another cluster's servers sent to cluster B. Requests that the recorded cluster did not answer, as it was
    killed or kept silent on purpose, are left out: the recorded source sends the same entries again."""
    READ = Recording
    SOURCES, OWN_LETTER = ("A.meta", "A.replica1"), "B"

    def run(self, report, now_s):
        self.replay.make_tables()
        self.rows_of = {}
        for step in self.recording.steps:
            if isinstance(step, Event):
                self.note(step.text)
            elif self.is_ours(step):
                report.add(step, *self.replay.step(step))
                self.learn(step)
        found = []
        for table in self.recording.tables:
            if table.number in self.rows_of:
                found += row_differences(self.rows_of[table.number].shown(now_s),
                                         exported(self.cluster, table.name, self.folder))
        report.add(None, None, found + self.replay.uninvited())

    def is_ours(self, step):
        return isinstance(step, Exchange) and step.sender in self.SOURCES and step.receiver in self.RECEIVERS \
            and step.answer is not None

    def learn(self, exchange):
        """What the table has if the recorded cluster carried the request out."""
        if exchange.request.name != SHIPPED or exchange.answer.error != "ERR_OK":
            return
        request = exchange.request
        rows = self.rows_of.setdefault(request.app_id, type(self.rows)(self.idl, self.codes))
        count = next(one.partitions for one in self.recording.tables if one.number == request.app_id)
        for entry in request.value.get("entries"):
            key = key_of(self.idl, self.codes, entry)
            if crc64(key) % count == request.partition:  # else nobody can read it; real sources send some so
                rows.apply(entry.get("task_code"), entry.get("raw_message"))

    def note(self, text):
        """The commands of the recording that change what the cluster answers."""
        before = f"shell {self.OWN_LETTER}: "
        if not text.startswith(before) or text.removeprefix(before).split()[0] not in ENVS:
            return
        command = text.removeprefix(before)
        done = harness.run_program(["shell", "--cluster", self.cluster.meta, "-e",
                                    f"use {self.recording.tables[0].name}; {command}"], self.folder)
        if done.code != 0:
            raise AssertionError(str(done))


class ReversePlace(ShippedPlace):
    """The same in the place of cluster A, to which B ships."""
    OWN_NAME, RECEIVERS, OWN_LETTER = "onebox", ("A.meta", "A.replica1"), "A"
    SOURCES = ("B.meta", "B.replica1")


class ShippingPlace(SourcePlace):
    """A table of cluster A that is written as its recorded source shipped it. What the recorded target did not answer
    with ERR_OK the scripted one does not either, and it closes the connection where the recorded one was silent."""

    def run(self, report, _):
        self.replay.make_tables()
        self.table = self.recording.tables[0]
        self.clients, self.written, self.confirmed, self.failures = {}, set(), set(), {}
        done = harness.run_program(["shell", "--cluster", self.cluster.meta, "-e",
                                    f"add_dup {self.table.name} {self.TARGET}"], self.folder)
        if done.code != 0 or "succeed" not in done.out:
            raise AssertionError(str(done))
        try:
            for exchange in self.recording.exchanges:
                if exchange.request.name == SHIPPED and exchange.receiver in self.RECEIVERS and \
                        exchange.request.app_id == self.table.number:
                    self.shipped(report, exchange)
        finally:
            for client in self.clients.values():
                client.close()
        unanswered = {message for _, message in self.written - self.confirmed}
        report.add(None, None, self.shipping.more("at the end", unanswered) +
                   [("asked", None, text) for text in self.target.strangers + self.target.peer.troubles])

    def shipped(self, report, exchange):
        request, answer = exchange.request, exchange.answer
        entries = request.value.get("entries")
        if answer is None or answer.error != "ERR_OK":
            self.fail_next(request.partition, "close" if answer is None else (answer.body, answer.error))
            self.write(entries)
            return
        self.failures[request.partition] = 0
        self.write(entries)
        fresh = [one for one in entries if identity(one) not in self.confirmed]
        self.confirmed.update(map(identity, fresh))
        if fresh:
            request.value.fields["entries"] = fresh
            report.add(exchange, *self.compare(exchange, fresh))

    def compare(self, exchange, _fresh):
        return self.shipping.compare(exchange)

    def fail_next(self, partition, answer):
        self.failures[partition] = self.failures.get(partition, 0) + 1
        if self.failures[partition] <= MOST_FAILURES:
            with self.target.peer.lock:
                self.target.answers.setdefault(partition, []).append(answer)

    def write(self, entries):
        """Those that were not written before, each once."""
        for entry in entries:
            if identity(entry) in self.written:
                continue
            self.written.add(identity(entry))
            partition = crc64(key_of(self.idl, self.codes, entry)) % self.table.partitions
            reply = self.client(partition).ask(entry.get("task_code"), entry.get("raw_message"))
            if reply.error != "ERR_OK":
                raise AssertionError(f"a write is answered {reply.error}")

    def client(self, partition):
        if partition not in self.clients:
            self.clients[partition] = wire_client.Wire(self.replay.primaries[self.table.number, partition],
                                                       wire_client.THFT_V0, self.replay.ids[self.table.number], partition)
        return self.clients[partition]


class OnwardShippingPlace(ShippingPlace):
    """A ships to B, which it knew when the recording began: B's config of the table is that which A's meta server told."""
    RECEIVERS = ("B.replica1", "A.meta")
    RECORDED_PORTS = {"meta": 34601, "replica": 34801}


class ReverseShippingPlace(ShippingPlace):
    """The same of cluster B, which ships to A."""
    OWN_NAME, RECEIVERS, TARGET = "onebox2", ("A.meta", "A.replica1"), "onebox"
    RECORDED_PORTS = {"meta": 34601, "replica": 34801}


class OtherCountPlace(ShippingPlace):
    """To a table of more partitions. Real sources send a batch whole to the partition of its last key, where nobody can
    read the others; ours sends each entry to the partition of its key. So the entries of all requests are compared
    by key, and where each is."""
    TARGET_PARTITIONS = 8

    def compare(self, exchange, fresh):
        by_partition = {}
        for entry in fresh:
            by_partition.setdefault(crc64(key_of(self.idl, self.codes, entry)) % self.TARGET_PARTITIONS, []).append(entry)
        came, found = [], []
        for partition, entries in by_partition.items():
            exchange.request.partition, exchange.request.value.fields["entries"] = partition, entries
            ours, differences = self.shipping.compare(exchange)
            came += ours or []
            found += [one for one in differences if one not in found]
        return came, found


def identity(entry):
    return entry.get("timestamp"), entry.get("raw_message")
