"""Requests for what is not here, scans that never were, and more connections than are allowed."""
import os
import resource
import threading

import wire_sweep
from harness import CliTest, row
from wire_client import FRAMINGS, RDSN, THFT_V0, THFT_V1, NoAnswer, Wire
from wire_sweep import Examples

DATA = "RPC_RRDB_RRDB_"
GET, GET_SCANNER, SCAN, CLEAR = (DATA + name for name in ("GET", "GET_SCANNER", "SCAN", "CLEAR_SCANNER"))
PUT, CREATE, NEGOTIATION = DATA + "PUT", "RPC_CM_CREATE_APP", "RPC_NEGOTIATION"
QUERY = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX"
NOT_HERE, NO_HANDLER = "ERR_OBJECT_NOT_FOUND", "ERR_HANDLER_NOT_FOUND"
LEAST, MOST = -2**31, 2**31 - 1
DEFAULT_CONNECTIONS = 4096


class WireTest(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.idl = wire_sweep.read_idl()
        cls.codes = wire_sweep.read_codes(cls.idl)

    def wire(self, address, framing=THFT_V0, app_id=0, partition=0):
        connection = Wire(address, framing, app_id, partition)
        self.addCleanup(connection.close)
        return connection

    def body(self, name, **fields):
        """A correct body; these fields of the outermost struct are given."""
        kind = self.codes[name][0]
        example = Examples(self.idl, b"\0\2h0s", {"app_name": "t"}, {"partition_indices": 0}).of(kind)
        if fields:
            example.fields.update(fields)
        return wire_sweep.encoded(self.idl, kind, example)

    def value(self, name, reply):
        self.assertEqual(reply.error, "ERR_OK")
        reader = wire_sweep.Reader(self.idl, reply.body)
        reader.take(3)
        return reader.value(self.codes[name][1])

    def start_cluster(self, more=(), **popen):
        """What it says on stderr is read away: a line for each connection that it refuses."""
        cluster = self.cluster(more=more, **popen)
        reader = threading.Thread(target=cluster.process.process.stderr.read, daemon=True)
        reader.start()
        self.addCleanup(lambda: (cluster.kill(), reader.join(10)))
        return cluster

    def app_id(self, cluster, table):
        return self.value(QUERY, self.wire(cluster.meta).ask(QUERY, self.body(QUERY, app_name=table))).get("app_id")


class NotHere(WireTest):
    def setUp(self):
        self.a = self.start_cluster()
        self.create(self.a, "t", 2, [row("h0", f"s{i}", f"v{i}") for i in range(6)])
        self.app = self.app_id(self.a, "t")

    def check_errors(self, address, names, gpids, error):
        for framing in FRAMINGS:
            for app_id, partition in gpids:
                connection = self.wire(address, framing, app_id, partition)
                for name in names:
                    reply = connection.ask(name, self.body(name))
                    self.assertEqual((reply.error, reply.name, reply.body), (error, name + "_ACK", b""),
                                     f"{name} {app_id}.{partition} {framing}")
                connection.close()

    def test_partitions_that_are_not_here(self):
        names = [name for name in self.codes if name.startswith(DATA)]
        gpids = [(self.app, 2), (self.app, -1), (self.app, LEAST), (self.app, MOST), (self.app + 1, 0), (MOST, 0),
                 (MOST, MOST)]
        self.check_errors(self.a.replicas[0], names, gpids, NOT_HERE)

    def test_codes_that_are_sent_to_the_wrong_place(self):
        data = [name for name in self.codes if name.startswith(DATA)]
        other = [name for name in self.codes if name not in data]
        nowhere = [(0, 0), (-1, -2), (LEAST, LEAST), (0, 1)]
        somewhere = [(self.app, 0), (self.app, -1), (MOST, 0)]
        self.check_errors(self.a.replicas[0], data, nowhere, NO_HANDLER)
        self.check_errors(self.a.replicas[0], other, somewhere, NO_HANDLER)
        self.check_errors(self.a.meta, other, somewhere, NO_HANDLER)
        self.check_errors(self.a.meta, data, nowhere + somewhere, NO_HANDLER)
        only_meta = [name for name in other if name.startswith("RPC_CM_")]
        self.check_errors(self.a.replicas[0], only_meta, nowhere, NO_HANDLER)

    def test_names_of_codes_that_nobody_has(self):
        for address in (self.a.meta, self.a.replicas[0]):
            for app_id in (0, self.app):
                for framing in FRAMINGS:
                    connection = self.wire(address, framing, app_id)
                    for name in ("", "RPC_NO_SUCH", "rpc_rrdb_rrdb_get", GET + "_ACK", GET + " ", "x" * 46, "create_app"):
                        self.assertEqual(connection.ask(name, b"\x0c\0\0\0\0").error, NO_HANDLER, name)
                for framing in (THFT_V0, THFT_V1):  # RDSN's name ends at 47 bytes
                    for name in ("x" * 60_000, "\1\2\r\n"):
                        self.assertEqual(self.wire(address, framing, app_id).ask(name, b"").error, NO_HANDLER)

    def open_scan(self, connection):
        fields = {"start_key": b"\0\2h0", "stop_key": b"\0\2h0t", "batch_size": 1, "hash_key_filter_type": 0,
                  "sort_key_filter_type": 0, "no_value": False, "full_scan": True, "only_return_count": False}
        return self.value(GET_SCANNER, connection.ask(GET_SCANNER, self.body(GET_SCANNER, **fields)))

    def scan(self, connection, context):
        return self.value(SCAN, connection.ask(SCAN, self.body(SCAN, context_id=context)))

    def check_unknown(self, connection, context):
        value = self.scan(connection, context)
        self.assertEqual((value.get("error"), value.get("kvs"), value.get("context_id")), (1, [], 0), context)

    def holder(self, app_id):
        """The partition that has the rows."""
        for partition in (0, 1):
            connection = self.wire(self.a.replicas[0], app_id=app_id, partition=partition)
            if self.value(GET, connection.ask(GET, self.blob(b"\0\2h0s1"))).get("error") == 0:
                return connection
        self.fail("no partition has the rows")

    def blob(self, data):
        return wire_sweep.encoded(self.idl, ("custom", "blob"), data)

    def test_scans_that_never_were_or_are_over(self):
        here = self.holder(self.app)
        elsewhere = self.wire(self.a.replicas[0], app_id=self.app, partition=1 - here.partition)
        undisturbed = self.open_scan(here)
        first = self.open_scan(here)
        self.assertEqual(first.get("error"), 0)
        contexts = [0, 1, -1, -2**63, 2**63 - 1, first.get("context_id") + 1000]
        for context in contexts:
            self.check_unknown(here, context)
        self.check_unknown(elsewhere, first.get("context_id"))
        second = self.scan(here, first.get("context_id"))
        self.assertEqual(len(second.get("kvs")), 1)
        self.check_unknown(here, first.get("context_id"))  # it was used
        clear = [wire_sweep.encoded(self.idl, ("base", "i64"), context)
                 for context in [*contexts, first.get("context_id")]]
        here.ask_all(CLEAR, clear * 30, answered=False)
        elsewhere.ask_all(CLEAR, clear, answered=False)
        rows, value = [], undisturbed
        while value.get("context_id") > 0:
            rows += value.get("kvs")
            value = self.scan(here, value.get("context_id"))
        rows += value.get("kvs")
        self.assertEqual([one.get("value") for one in rows], [b"v%d" % i for i in range(6)])
        self.assertEqual(len(self.scan(here, second.get("context_id")).get("kvs")), 1)

    def test_a_scan_that_was_cleared_is_unknown(self):
        here = self.holder(self.app)

        def is_cleared():
            """A clear is not answered: what comes behind it may be faster."""
            context = self.open_scan(here).get("context_id")
            here.ask_all(CLEAR, [wire_sweep.encoded(self.idl, ("base", "i64"), context)], answered=False)
            for _ in range(5):
                here.ask(GET, self.blob(b"\0\2h0s1"))
            return self.scan(here, context).get("error") == 1

        self.wait_until(is_cleared, "a cleared scan that is unknown")


class Connections(WireTest):
    def config(self, text):
        path = os.path.join(self.own_folder(), "server.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def is_served(self, connection):
        try:
            self.assertEqual(connection.ask(NEGOTIATION, self.body(NEGOTIATION)).error, "ERR_OK")
            return True
        except NoAnswer as why:
            self.assertNotIn("within", str(why), "neither served nor closed")
        except OSError:
            pass  # closed before the request was sent
        return False

    def check_limit(self, address, limit):
        held = [Wire(address, FRAMINGS[index % 3]) for index in range(limit)]
        self.addCleanup(lambda: [connection.close() for connection in held])
        for connection in held:
            self.assertTrue(self.is_served(connection))
        for _ in range(104):
            beyond = Wire(address, RDSN)
            self.assertEqual(beyond.answers_then_end(b""), b"", "one connection too many stays open")
            beyond.close()
        for connection in held:
            self.assertTrue(self.is_served(connection), "an earlier connection has suffered")
        for connection in held[:10]:
            connection.close()
        del held[:10]

        def one_more():
            connection = Wire(address, THFT_V0)
            if self.is_served(connection):
                held.append(connection)
            else:
                connection.close()
            return len(held) == limit

        self.wait_until(one_more, "taking new connections after some have left")
        self.assertFalse(self.is_served(self.wire(address)), "one connection too many")
        return held

    def test_connections_beyond_the_default_limit_are_closed(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 4 * DEFAULT_CONNECTIONS  # half for connections, of two servers
        if hard != resource.RLIM_INFINITY and hard < wanted:
            self.skipTest(f"{wanted} descriptors are needed, {hard} allowed; the configured limit is tested")
        a = self.start_cluster()
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.check_limit(a.replicas[0], DEFAULT_CONNECTIONS)
        self.assertTrue(self.is_served(self.wire(a.meta)))
        self.assertIsNone(a.process.process.poll())

    def test_few_descriptors_are_shared_with_the_tables(self):
        a = self.start_cluster(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 400)))
        data, meta = self.check_limit(a.replicas[0], 100)[0], self.check_limit(a.meta, 100)[0]
        self.value(CREATE, meta.ask(CREATE, self.body(CREATE, options=self.options(8))))

        def partitions():
            value = self.value(QUERY, meta.ask(QUERY, self.body(QUERY, partition_indices=[])))
            data.app_id = value.get("app_id")
            return [one for one in value.get("partitions") if one.get("primary")[1] != 0]

        self.wait_until(lambda: len(partitions()) == 8, "opening eight partitions")
        for data.partition in range(8):
            self.assertEqual(self.value(PUT, data.ask(PUT, self.body(PUT))).get("error"), 0)

    def options(self, partitions):
        kind = ("struct", "create_app_options")
        options = Examples(self.idl, b"", {"app_type": "pegasus", "keys": "business.info"}, {}).of(kind)
        options.fields["partition_count"] = partitions
        return options

    def test_connections_beyond_a_configured_limit_are_closed(self):
        a = self.start_cluster(["--config", self.config("[network]\nmax_connections = 60\n")])
        self.check_limit(a.meta, 60)
        self.check_limit(a.replicas[0], 60)
        self.assertIsNone(a.process.process.poll())

    def test_a_limit_that_is_none_is_refused(self):
        for text in ("0", "-1", "many", "99999999999999999999"):
            config = self.config(f"[network]\nmax_connections = {text}\n")
            self.failed(2, ["[network] max_connections"], "cluster", "start", "--name", "A", "--data", "d",
                        "--meta-port", 0, "--config", config)
