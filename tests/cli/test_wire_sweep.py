"""Wrong types, sizes, numbers and order in every field of every request: the error that is documented,
and nobody else notices. The codes and their structs come from src/wire and idl/, new ones included."""
import os
import struct
import threading

import wire_sweep
from harness import CliTest, row
from thrift import Struct
from wire_client import (FRAMINGS, RDSN, THFT_V0, THFT_V1, NoAnswer, Wire, frame, frame_rdsn, frame_v0, frame_v1,
                         message, meta_v1)
from wire_sweep import DECODED, HARMLESS, REFUSED, Examples

DATA = "RPC_RRDB_RRDB_"
WRITES = {DATA + name for name in ("PUT", "MULTI_PUT", "REMOVE", "MULTI_REMOVE", "INCR", "CHECK_AND_SET",
                                   "CHECK_AND_MUTATE", "DUPLICATE")}
GET, QUERY, CREATE = DATA + "GET", "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX", "RPC_CM_CREATE_APP"
NUMBERED = "RPC_NFS_GET_FILE_SIZE"  # its error is the number of a code
UNKNOWN_NUMBER = 1
NOT_ANSWERED = DATA + "CLEAR_SCANNER"
NEED_NOT_BE_SERVED = {"RPC_CLI_CLI_CALL"}
OK, INVALID, NOT_HERE, NO_HANDLER = "ERR_OK", "ERR_INVALID_PARAMETERS", "ERR_OBJECT_NOT_FOUND", "ERR_HANDLER_NOT_FOUND"
# Of writes and of reads that decode: RocksDB's statuses ok, not found, invalid argument, incomplete, try again.
STATUSES = {0, 1, 4, 7, 13}
MOST_GROWTH = 150 << 20
# The meta struct of THFT version 1: facts of the framing, not of a code.
META_V1 = """struct thrift_request_meta_v1 { 1: i32 app_id, 2: i32 partition_index, 3: i32 client_timeout,
    4: i64 client_partition_hash, 5: bool is_backup_request }"""


def raw_key(hash_key):
    return struct.pack(">H", len(hash_key)) + hash_key + b"s"


class WireSweep(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.idl = wire_sweep.read_idl()
        cls.codes = wire_sweep.read_codes(cls.idl)
        wire_sweep.read_declarations(cls.idl, META_V1)
        config = os.path.join(cls.folder, "store.ini")  # without a store nothing about backups is answered
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.local]\ntype = local_service\nargs = {cls.folder}/store\n")
        cls.a = cls.shared_cluster(more=["--config", config])
        # It says a line for each connection that it closes.
        reader = threading.Thread(target=cls.a.process.process.stderr.read, daemon=True)
        reader.start()
        cls.addClassCleanup(lambda: (cls.a.kill(), reader.join(10)))

    def setUp(self):
        if not hasattr(WireSweep, "gpids"):
            self.create(self.a, "t", 1, [row(f"h{i}", "s", f"v{i}") for i in range(4)])
            self.create(self.a, "swept", 1, [row("h", "s", "v")])
            asked = self.wire(self.a.meta, RDSN)
            WireSweep.gpids = {table: self.value(QUERY, asked.ask(QUERY, self.query_of(table))).get("app_id")
                               for table in ("t", "swept")}
        self.control = {"meta": self.wire(self.a.meta, RDSN), "get": self.wire(self.a.replicas[0], THFT_V0, self.gpids["t"])}
        self.check_undisturbed("the beginning")

    def wire(self, address, framing, app_id=0, partition=0):
        connection = Wire(address, framing, app_id, partition)
        self.addCleanup(connection.close)
        return connection

    def example(self, name, own="own"):
        texts = {"app_name": own, "old_app_name": own, "new_app_name": own + "-new", "keys": "business.info",
                 "app_type": "pegasus", "cmd": "help"}
        numbers = {"app_id": 2**31 - 2, "level": 500, "op": 1, "operation": 0, "check_type": 0, "match_type": 3, "max_running_count": 1}
        return Examples(self.idl, raw_key(name.encode()), texts, numbers).of(self.codes[name][0])

    def body(self, name, own="own"):
        return wire_sweep.encoded(self.idl, self.codes[name][0], self.example(name, own))

    def value(self, name, reply):
        """The result, which must be as declared."""
        kind, reader = self.codes[name][1], wire_sweep.Reader(self.idl, reply.body)
        reader.take(3)
        value = reader.value(kind)
        self.assertEqual((reader.take(1), reader.at), (b"\0", len(reply.body)), reply.body.hex())
        return value

    def outcome(self, name, reply):
        """The RPC-level error and what the result says itself: a storage status or an error's name."""
        self.assertEqual(reply.name, name + "_ACK")
        if reply.error != OK:
            return reply.error, None
        value = self.value(name, reply)
        return OK, value.get("error", value.get("err")) if isinstance(value, Struct) else None

    def check_undisturbed(self, after):
        self.assertIsNone(self.a.process.process.poll(), f"the server has died: {after}")  # so the pid is the same
        config = self.value(QUERY, self.control["meta"].ask(QUERY, self.query_of("t")))
        self.assertEqual((config.get("err"), config.get("app_id"), config.get("partition_count")),
                         (OK, self.gpids["t"], 1), after)
        for reply, i in zip(self.control["get"].ask_all(GET, [self.blob_body(raw_key(b"h%d" % i)) for i in range(4)]),
                            range(4)):
            value = self.value(GET, reply)
            self.assertEqual((value.get("error"), value.get("value")), (0, b"v%d" % i), after)

    def query_of(self, table):
        query = Struct("query_cfg_request", {"app_name": table, "partition_indices": []})
        return wire_sweep.encoded(self.idl, ("struct", "query_cfg_request"), query)

    def blob_body(self, data):
        return wire_sweep.encoded(self.idl, ("custom", "blob"), data)

    def resident(self):
        with open(f"/proc/{self.a.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))

    def check_answer(self, name, what, expected, base, reply):
        error, said = outcome = self.outcome(name, reply)
        refusal = (OK, 4) if name in WRITES else (INVALID, None)
        if expected == REFUSED:
            self.assertEqual(outcome, refusal, what)
        elif expected == HARMLESS:
            self.assertEqual(outcome, base, what)
        elif expected == DECODED or outcome != refusal:
            self.assertEqual(error, OK, what)
            if name == NUMBERED:
                self.assertNotEqual(said, UNKNOWN_NUMBER, f"{what}: {outcome}")
                return
            self.assertTrue(said in STATUSES if name.startswith(DATA) else said is None or
                            str(said).startswith("ERR_") and said != "ERR_UNKNOWN", f"{what}: {outcome}")

    def sweep_code(self, name, address):
        """Sends every wrong body in every framing. False: this server does not serve the code."""
        own = "own." + name
        app_id = self.gpids["swept"] if name.startswith(DATA) else 0
        base_body, wrong = wire_sweep.sweep(self.idl, self.codes[name][0], self.example(name, own))
        connections = [self.wire(address, framing, app_id) for framing in FRAMINGS]
        if name == NOT_ANSWERED:
            for connection in connections:
                connection.ask_all(name, [body for _, body, _ in wrong], answered=False)
                self.outcome(GET, connection.ask(GET, self.blob_body(raw_key(b"h"))))
            return True
        base = [self.outcome(name, connections[0].ask(name, base_body)) for _ in range(2)][1]
        served = base[0] != NO_HANDLER
        for index, connection in enumerate(connections):
            # What administration carries out is written to disk each time: in one framing then.
            chosen = [one for at, one in enumerate(wrong)
                      if name.startswith(DATA) or one[2] == REFUSED or at % len(connections) == index]
            self.sent += len(chosen)
            replies = connection.ask_all(name, [body for _, body, _ in chosen])
            for (what, body, expected), reply in zip(chosen, replies):
                if not served:
                    self.assertEqual(reply.error, NO_HANDLER, f"{name}: {what}")
                    continue
                what = f"{name} {connection.framing}, {what}: {body[:400].hex()} {reply.error} {reply.body[:99].hex()}"
                self.check_answer(name, what, expected, base, reply)
            connection.ask(name, base_body)  # undoes what a wrong one has set
            connection.close()
        return served

    def own_tables(self):
        """A table for each administrative code that names one."""
        meta = self.wire(self.a.meta, RDSN)
        bodies = [self.body(CREATE, "own." + name) for name, (kind, _) in self.codes.items()
                  if kind[0] == "struct" and not name.startswith(DATA) and
                  {"app_name", "old_app_name"} & {field.name for field in self.idl.structs[kind[1]].values()}]
        for reply in meta.ask_all(CREATE, bodies):
            self.assertEqual(self.outcome(CREATE, reply), (OK, OK))

    def test_every_field_of_every_code(self):
        self.own_tables()
        self.sent, unserved = 0, set()
        before = self.resident()
        for name in self.codes:
            data = name.startswith(DATA)
            served = [self.sweep_code(name, address) for address in
                      ([] if data else [self.a.meta]) + [self.a.replicas[0]]]
            if not any(served):
                unserved.add(name)
            self.check_undisturbed(name)
            self.assertLess(self.resident() - before, MOST_GROWTH, f"memory after {name}")
        self.assertEqual(unserved - NEED_NOT_BE_SERVED, set())
        self.assertGreater(self.sent, 10_000)

    def test_frames_that_are_broken_end_their_connection(self):
        app_id, number = self.gpids["swept"], 77
        body = self.blob_body(raw_key(b"h"))
        call = lambda kind=1, name=GET.encode(): message(name, number, kind) + body
        meta = meta_v1(app_id, 0)
        wrong = {
            "THFT header size": frame_v0(app_id, 0, call(), header_size=47),
            "THFT header size 0": frame_v0(app_id, 0, call(), header_size=0),
            "THFT version": frame_v0(app_id, 0, call(), version=2),
            "THFT frame too large": frame_v0(app_id, 0, call(), size=(64 << 20) + 1),
            "THFT 1 frame too large": frame_v1(meta, call(), size=2**32 - 1),
            "THFT 1 meta too large": frame_v1(meta, call(), meta_size=2**32 - 1),
            "THFT 1 meta longer than it is": frame_v1(meta, call(), meta_size=len(meta) + 1, size=len(call()) - 1),
            "THFT 1 meta shorter than it is": frame_v1(meta, call(), meta_size=len(meta) - 1, size=len(call()) + 1),
            "THFT without a body": frame_v0(app_id, 0, b""),
            "RDSN header size": frame_rdsn(GET.encode(), 1, app_id, 0, body, header_size=193),
            "RDSN frame too large": frame_rdsn(GET.encode(), 1, app_id, 0, body, size=2**32 - 1),
            "RDSN no request": frame_rdsn(GET.encode(), 1, app_id, 0, body, context=0x440),
            "RDSN no format": frame_rdsn(GET.encode(), 1, app_id, 0, body, context=0x401),
            "RDSN JSON": frame_rdsn(GET.encode(), 1, app_id, 0, body, context=0x4C1),
            "RDSN header checksum": frame_rdsn(GET.encode(), 1, app_id, 0, body, crc=(1, 0)),
            "RDSN body checksum": frame_rdsn(GET.encode(), 1, app_id, 0, body, crc=(0, 1)),
        }
        for kind in (0, 2, 3, 5, 255):
            wrong[f"message of type {kind}"] = frame_v0(app_id, 0, call(kind))
        for size in (-1, -2**31, 2**31 - 1, 200):
            head = struct.pack(">Ii", 0x80010001, size) + GET.encode() + bytes(4) + body
            wrong[f"message name of {size} bytes"] = frame_v0(app_id, 0, head)
        wrong["message of another version"] = frame_v0(app_id, 0, b"\x80\x02" + call()[2:])
        for framing in FRAMINGS:  # another beginning behind a good frame
            wrong[f"{framing}, then no frame"] = frame(framing, GET, 1, app_id, 0, body) + b"no frame" * 30
        for address in (self.a.meta, self.a.replicas[0]):
            for what, data in wrong.items():
                got = self.one_way(address, data)
                self.assertIsNotNone(got, f"{what}: the connection stays open")
                if "then" not in what:
                    self.assertEqual(got, b"", f"{what}: answered")
            self.check_undisturbed("broken frames")
        for framing in FRAMINGS:
            whole = frame(framing, GET, 1, app_id, 0, body)
            for cut in range(0, len(whole), 3):
                self.assertEqual(self.one_way(self.a.replicas[0], whole[:cut], finished=True), b"", f"{framing} {cut}")
        self.check_undisturbed("frames that are cut")

    def one_way(self, address, data, finished=False):
        connection = Wire(address, RDSN)
        try:
            return connection.answers_then_end(data, finished)
        finally:
            connection.close()

    def test_every_field_of_the_header_of_version_1(self):
        kind = ("struct", "thrift_request_meta_v1")
        numbers = {"app_id": self.gpids["swept"], "partition_index": 0, "is_backup_request": False}
        example = Examples(self.idl, b"", {}, numbers).of(kind)
        _, wrong = wire_sweep.sweep(self.idl, kind, example)
        body, counts = self.blob_body(raw_key(b"h")), {"answered": 0, "closed": 0}
        for what, data, _ in wrong:
            meta = data[3:-1]  # not a message's body: bytes behind the struct are not looked at
            model = wire_sweep.Model(self.idl, meta)
            try:
                model.value(kind)
                readable = True
            except (wire_sweep.ThriftError, struct.error):
                readable = False
            connection = self.wire(self.a.replicas[0], THFT_V1)
            connection.socket.sendall(frame_v1(meta, message(GET.encode(), 1) + body))
            try:
                reply = connection.next_reply()
                self.assertTrue(readable, f"{what} is answered: {meta.hex()}")
                self.assertIn(reply.error, (OK, NOT_HERE, NO_HANDLER), what)
                counts["answered"] += 1
            except NoAnswer as why:
                self.assertFalse(readable, f"{what}: {why}: {meta.hex()}")
                counts["closed"] += 1
            connection.close()
        self.assertGreater(min(counts.values()), 50, counts)
        self.check_undisturbed("headers")
