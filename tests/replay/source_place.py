"""The embedded cluster in the place of a duplication's source: clients' requests and commands of the recording are sent
to it, a scripted target answers it as recorded, and what it ships is compared with what the real source shipped: each
entry, the order within a partition, the headers. How entries are grouped to requests, and when, is its own business."""
import time

import harness
from rdsn import THREADS_OF_TABLE, struct_body
from recording import Event, Recording
from scripted_peer import Closed, ScriptedPeer, patched
from target_place import SHIPPED, SOURCE_PORTS, RecordedReplay
from thrift import Struct
from wait import until

import wire_client

CONFIG = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX"
START, PAUSE = 3, 4  # duplication_status
ENTRY_FIELDS = ("task_code", "raw_message", "cluster_id")
POSITION_FIELDS = ("decree", "write_index")  # ours
HEADER_FIELDS = ("version", "name", "context", "partition")


def timeouts(recorded, ours):
    """A difference of the timeouts that requests state. It is what is left of them: some of it has gone by."""
    near = abs(recorded.timeout_ms - ours.timeout_ms) <= max(recorded.timeout_ms, ours.timeout_ms) // 10
    return [] if near else [("header.timeout_ms", recorded.timeout_ms, ours.timeout_ms)]


class Target:
    """What the scripted target does, and what has come to it. `answers` are those to DUPLICATE of a partition that are
    still to be given; then it confirms everything. `missing`: tables that are still to be made.
    `held`: tables are not made in these states of a follower yet."""

    def __init__(self, idl, codes, recording, receivers, recorded_ports):
        self.idl, self.codes, self.recorded_ports = idl, codes, recorded_ports
        self.configs, self.created, self.app_ids, self.held = {}, [], {}, set()
        self.answers, self.entries, self.shipped, self.attempts, self.strangers = {}, {}, {}, [], []
        for exchange in recording.requests_to(*receivers):
            if exchange.request.name == CONFIG:
                table = exchange.request.value.get("app_name")
                self.configs.setdefault(table, exchange.answer)
                self.app_ids[exchange.answer.value.get("app_id")] = table
            elif exchange.request.name == "RPC_CM_CREATE_APP":
                self.created.append(exchange)
        self.missing = {exchange.request.value.get("app_name") for exchange in self.created}
        self.peer = ScriptedPeer(idl, codes, self.answer)

    def confirmed(self):
        return struct_body(self.idl, self.codes[SHIPPED][1], 0, Struct("duplicate_response", {"error": 0})), "ERR_OK"

    def answer(self, asked):
        request = asked.request
        if request.name == SHIPPED:
            return self.take(asked)
        self.attempts.append(asked)
        if request.name == CONFIG and request.value.get("app_name") in self.missing:
            missing = Struct("query_cfg_response", {"err": "ERR_OBJECT_NOT_FOUND", "app_id": 0, "partition_count": 0,
                                                    "is_stateful": False, "partitions": []})
            return struct_body(self.idl, self.codes[CONFIG][1], 0, missing), "ERR_OK"
        if request.name == CONFIG and request.value.get("app_name") in self.configs:
            return self.addressed(self.configs[request.value.get("app_name")])
        if request.name == "RPC_CM_CREATE_APP" and self.created:
            status = follower_status(request)
            if status in self.held:
                return b"", "ERR_BUSY"
            self.missing.discard(request.value.get("app_name"))
            for exchange in self.created:
                if follower_status(exchange.request) == status:
                    return self.addressed(exchange.answer)
        self.strangers.append(f"{asked.part}: {request!r}"[:600])
        return b"", "ERR_HANDLER_NOT_FOUND"

    def addressed(self, answer):
        body = answer.body
        for part, port in self.recorded_ports.items():
            body = patched(body, port, self.peer.ports[part])
        return body, answer.error

    def take(self, asked):
        """A DUPLICATE."""
        self.attempts.append(asked)
        partition = asked.request.partition
        waiting = self.answers.get(partition)
        answer = waiting.pop(0) if waiting else self.confirmed()
        if answer == "close":
            raise Closed
        if answer == self.confirmed():
            self.shipped.setdefault(partition, []).append(asked)
            for entry in asked.request.value.get("entries"):
                self.entries.setdefault(partition, []).append((entry, asked))
        return answer

    def count(self, partition):
        with self.peer.lock:
            return len(self.entries.get(partition, []))

    def tried(self, partition):
        """The DUPLICATE requests of a partition and the config queries between them, in order."""
        with self.peer.lock:
            return [one for one in self.attempts if one.request.name == CONFIG or
                    (one.request.name == SHIPPED and one.request.partition == partition)]


def follower_status(request):
    return request.value.get("options").get("envs", {}).get("duplication.follower_app_status")


class Shipping:
    """Compares what came to the target with what the recorded one got. `source_ports`: those that our source names."""

    def __init__(self, target, our_parts):
        self.target, self.our_parts = target, our_parts
        self.expected, self.last_us, self.begin_us = {}, {}, int(time.time() * 1e6)

    def compare(self, exchange):
        """Waits for the entries of a recorded request: (what came, differences)."""
        partition, entries = exchange.request.partition, exchange.request.value.get("entries")
        first = self.expected.get(partition, 0)
        self.expected[partition] = first + len(entries)
        try:
            until(lambda: self.target.count(partition) >= self.expected[partition],
                  f"shipping of {len(entries)} entries of partition {partition}", limit_s=20)
        except AssertionError as late:
            return None, [("shipped", len(entries), f"{self.target.count(partition) - first} entries: {late}")]
        with self.target.peer.lock:
            came = self.target.entries[partition][first:first + len(entries)]
        found = []
        for index, (entry, (ours, asked)) in enumerate(zip(entries, came)):
            found += self.entry(f"entries.{index}", partition, entry, ours)
            found += self.header(exchange.request.header, asked, len(entries) == 1)
            if "source" in asked.request.value.fields:  # ours, beside the entries
                found.append(("source", None, asked.request.value.get("source")))
        alike = [one for index, one in enumerate(found) if one not in found[:index]]  # a header for each of its entries
        return [entry for entry, _ in came], alike

    def entry(self, path, partition, recorded, ours):
        found = [(f"{path}.{name}", recorded.get(name), ours.get(name)) for name in ENTRY_FIELDS + POSITION_FIELDS
                 if recorded.get(name) != ours.get(name)]
        fields = [sorted(str(name) for name in one.fields if name not in POSITION_FIELDS) for one in (recorded, ours)]
        if fields[0] != fields[1]:
            found.append((f"{path}.fields", *fields))
        moment = ours.get("timestamp")
        if not max(self.begin_us, self.last_us.get(partition, 0)) <= moment <= time.time() * 1e6:
            found.append((f"{path}.timestamp", "in the past, not before the last one", moment))
        self.last_us[partition] = moment
        return found

    def header(self, recorded, asked, is_alone):
        ours = asked.request.header
        found = [(f"header.{name}", getattr(recorded, name), getattr(ours, name)) for name in HEADER_FIELDS
                 if getattr(recorded, name) != getattr(ours, name)]
        found += timeouts(recorded, ours)
        offsets = [one.thread_hash - one.app_id * THREADS_OF_TABLE for one in (recorded, ours)]
        if offsets[0] != offsets[1]:
            found.append(("header.thread_hash", *offsets))
        if is_alone and len(asked.request.value.get("entries")) == 1 and \
                recorded.partition_hash != ours.partition_hash:
            found.append(("header.partition_hash", recorded.partition_hash, ours.partition_hash))
        if self.our_parts.get(ours.from_port()) != "replica":
            found.append(("header.from", "replica", ours.from_port()))
        if ours.app_id not in self.target.app_ids:
            found.append(("header.app_id", recorded.app_id, ours.app_id))
        return found

    def more(self, when, unanswered=()):
        """Differences: entries that the recorded target has not got until now. `unanswered`: the messages of those that
        it has got and never answered; ours sends them again, and the scripted target may have confirmed them."""
        with self.target.peer.lock:
            left = {partition: [entry for entry, _ in came[self.expected.get(partition, 0):]
                                if entry.get("raw_message") not in unanswered]
                    for partition, came in self.target.entries.items()}
        return [(f"shipped {when}", None, repr(came)[:600]) for came in left.values() if came]


class SourcePlace:
    """One recording of commands, writes and what was shipped."""
    READ = Recording
    OWN_NAME, RECEIVERS, TARGET = "onebox", ("B.meta", "B.replica1"), "onebox2"
    OWN = ("A.meta", "A.replica1")
    RECORDED_PORTS = {"meta": 35601, "replica": 35801}

    def __init__(self, idl, codes, recording):
        self.idl, self.codes, self.recording = idl, codes, recording
        self.target = Target(idl, codes, recording, self.RECEIVERS, self.RECORDED_PORTS)
        self.replay = None

    def others(self):
        return {self.TARGET: f"127.0.0.1:{self.target.peer.ports['meta']}"}

    def start(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        self.replay = RecordedReplay(self.idl, self.codes, self.recording, cluster)
        self.shipping = Shipping(self.target, self.replay.our_side.nodes.parts)

    def close(self):
        if self.replay:
            self.replay.close()
        self.target.peer.close()

    def run(self, report, _):
        self.replay.make_tables()
        for exchange in self.recording.exchanges:
            if exchange.receiver in self.OWN and exchange.sender == "client":
                self.command(report, exchange)
            elif exchange.request.name == SHIPPED:
                report.add(exchange, *self.shipping.compare(exchange))
            elif exchange.receiver in self.RECEIVERS:
                report.add(exchange, *self.asked_alike(exchange))
        left = self.shipping.more("at the end") + self.replay.uninvited()
        left += [("asked", None, text) for text in self.target.strangers + self.target.peer.troubles]
        report.add(None, None, left)

    def command(self, report, exchange):
        value = exchange.request.value
        is_change = exchange.request.name == "RPC_CM_MODIFY_DUPLICATION"
        early = self.shipping.more("while it was paused") if is_change and value.get("status") == START else []
        answer, found = self.replay.step(exchange)
        report.add(exchange, answer, early + found)

    def asked_alike(self, exchange):
        """A question of the recorded source to the target: ours has asked the same until now."""
        recorded = exchange.request

        def alike():
            with self.target.peer.lock:
                asked = [one.request for one in self.target.attempts if one.request.name == recorded.name]
            return next((one for one in asked if self.body_of(one) == self.body_of(recorded)), None)
        try:
            ours = until(alike, f"a {recorded.name} of the same content", limit_s=20)
        except AssertionError as late:
            with self.target.peer.lock:
                asked = [one.request for one in self.target.attempts if one.request.name == recorded.name]
            return None, [("value", repr(recorded), f"{late}; there were {asked!r}"[:1200])]
        found = [(f"header.{name}", getattr(recorded.header, name), getattr(ours.header, name))
                 for name in ("version", "context") if getattr(recorded.header, name) != getattr(ours.header, name)]
        return ours, found + timeouts(recorded.header, ours.header)

    def body_of(self, request):
        """The body with the recorded addresses of the source."""
        body = request.body
        for address in (self.cluster.meta, *self.cluster.replicas):
            port = SOURCE_PORTS["meta" if address == self.cluster.meta else "replica"]
            body = patched(body, harness.port_of(address), port).replace(address.encode(), b"localhost:%d" % port)
        return body


class ErrorsPlace(SourcePlace):
    """How a source takes what a target answers wrongly: the same entries again, after a config query where the real
    one asks again, and the backlog behind them in order. One table, its partition 0."""
    OWN_NAME, RECEIVERS, TARGET = "onebox4", ("R.meta", "R.replica1"), "onebox3"
    RECORDED_PORTS = {"meta": 36601, "replica": 36801}
    TABLE, PARTITION = "r_main", 0

    def run(self, report, _):
        self.replay.make_tables()
        done = harness.run_program(["shell", "--cluster", self.cluster.meta, "-e",
                                    f"add_dup {self.TABLE} {self.TARGET}"], self.folder)
        if done.code != 0 or "succeed" not in done.out:
            raise AssertionError(str(done))
        address = self.replay.primaries[self.recording.tables[0].number, self.PARTITION]
        table = self.replay.ids[self.recording.tables[0].number]
        self.client = wire_client.Wire(address, wire_client.THFT_V0, table, self.PARTITION)
        try:
            for section in self.sections():
                self.section(report, section)
        finally:
            self.client.close()
        report.add(None, None, self.shipping.more("at the end") +
                   [("asked", None, text) for text in self.target.strangers + self.target.peer.troubles])

    def sections(self):
        """The exchanges of each of the relay's modes."""
        found = []
        for step in self.recording.steps:
            if isinstance(step, Event) and "relay mode" in step.text:
                found.append([])
            elif not isinstance(step, Event):
                found[-1].append(step)
        return found

    def section(self, report, exchanges):
        tries = [one for one in exchanges if one.request.name == SHIPPED]
        failed = [one for one in tries if not self.was_good(one)]
        good = tries[len(failed):]
        entries = [entry for one in good for entry in one.request.value.get("entries")]
        with self.target.peer.lock:
            self.target.answers[self.PARTITION] = [
                "close" if one.answer is None else (one.answer.body, one.answer.error) for one in failed]
            begin = len(self.target.attempts)
        self.write(entries[0])
        until(lambda: self.tries_since(begin), "the first try to ship", limit_s=20)
        for entry in entries[1:]:
            self.write(entry)
        for one in good:
            report.add(one, *self.shipping.compare(one))
        for index, one in enumerate(failed):
            report.add(one, *self.compare_try(begin, index, one, exchanges))

    @staticmethod
    def was_good(exchange):
        answer = exchange.answer
        return answer is not None and answer.error == "ERR_OK" and answer.value.get("error") == 0

    def write(self, entry):
        reply = self.client.ask(entry.get("task_code"), entry.get("raw_message"))
        if reply.error != "ERR_OK":
            raise AssertionError(f"a write is answered {reply.error}")

    def tries_since(self, begin):
        """Of the partition since then: (asked, whether a config query came before it)."""
        found, asked_config = [], False
        with self.target.peer.lock:
            attempts = self.target.attempts[begin:]
        for one in attempts:
            if one.request.name == CONFIG:
                asked_config = True
            elif one.request.name == SHIPPED and one.request.partition == self.PARTITION:
                found.append((one, asked_config))
                asked_config = False
        return found

    def compare_try(self, begin, index, exchange, exchanges):
        """A try that failed, and what the source does before the next."""
        tries = self.tries_since(begin)
        (ours, _), (_, asked_config) = tries[index], tries[index + 1]
        found = [(f"entries.{name}", recorded, mine) for name, recorded, mine in (
            ("raw_message", messages(exchange.request), messages(ours.request)),) if recorded != mine]
        recorded_asks = config_before_next(exchanges, exchange)
        if recorded_asks != asked_config:
            found.append(("config_query_before_the_next_try", recorded_asks, asked_config))
        return ours.request, found


def messages(request):
    return [entry.get("raw_message") for entry in request.value.get("entries")]


def config_before_next(exchanges, exchange):
    """Whether the recorded source asked for the config between this try and the next."""
    behind = exchanges[exchanges.index(exchange) + 1:]
    names = [one.request.name for one in behind]
    return CONFIG in names[:names.index(SHIPPED)]
