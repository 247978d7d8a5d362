"""What operators ask the servers: HTTP on the RPC port, remote commands, metrics."""
import http.client
import json
import os
import re
import socket
import struct
import urllib.error
import urllib.request

import fake_server
from harness import CliTest, port_of, row
from test_hostile import rdsn

VERSION = "2.6.0-pegmove"
META_HELP = {  # as a real server answers it
    "meta.dump - Dump app_states of meta server to a local file",
    "meta.lb.add_secondary_enable_flow_control - control whether enable add secondary flow control",
    "meta.lb.add_secondary_max_count_for_one_node - control the max count to add secondary for one node",
    "meta.lb.assign_delay_ms - control the replica_assign_delay_ms_for_dropouts config",
    "meta.lb.assign_secondary_black_list - Control the assign secondary black list",
    "meta.lb.balancer_in_turn - control whether do app balancer in turn",
    "meta.lb.get_balance_operation_count - Get balance operation count",
    "meta.lb.ignored_app_list - Get, set or clear balancer ignored_app_list",
    "meta.lb.only_move_primary - control whether only move primary in balancer",
    "meta.lb.only_primary_balancer - control whether do only primary balancer",
    "meta.live_percentage - node live percentage threshold for update"}
OWN_HELP = {  # real servers do not have these
    "backup.cancel - End the running backups of a table, or one of them",
    "backup.status - Show the backups of all tables, or of one, as JSON",
    "bulk_load.status - Show the last bulk loads of all tables, or of one, as JSON",
    "follower.status - Show the partitions of all tables, or of one, that fetch their rows from the cluster that "
    "duplicates to them, as JSON",
    "restore.status - Show the restores of all tables, or of one, as JSON"}
COMMON_HELP = {
    "help|h|H|Help - Display help information",
    "repeat|r|R|Repeat - Execute a command periodically in every interval seconds for the max count time (0 for infinite)",
    "config-dump - Dump all configurations to a server local path or to stdout",
    "flush-log - Flush log to stderr or file",
    "perf-counters - Query perf counters, filtered by OR of POSIX basic regular expressions",
    "perf-counters-by-postfix - Query perf counters, filtered by OR of postfix strings",
    "perf-counters-by-prefix - Query perf counters, filtered by OR of prefix strings",
    "perf-counters-by-substr - Query perf counters, filtered by OR of substrs",
    "reset-log-start-level - Reset the log start level",
    "server-info - Query server information",
    "server-stat - Query selected perf counters"}


def get(address, path, body=None):
    """Status and text."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", data=body, timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def call(address, frame):
    """Sends an RDSN frame; the reply's error and body."""
    with socket.create_connection(("127.0.0.1", port_of(address)), timeout=30) as connection:
        connection.sendall(frame)
        header = fake_server.read_exactly(connection, 192)
        body = fake_server.read_exactly(connection, struct.unpack_from("<I", header, 16)[0])
        return header, body


def command_body(*words):
    return fake_server.body_of([
        fake_server.field(fake_server.STRING, 1, fake_server.text(words[0])),
        fake_server.field(fake_server.LIST, 2, fake_server.list_of(
            fake_server.STRING, [fake_server.text(word) for word in words[1:]]))])


def command(address, *words):
    _, reply = call(address, rdsn(b"RPC_CLI_CLI_CALL", command_body(*words)))
    kind, number, size = struct.unpack_from(">bhi", reply)
    assert (kind, number) == (fake_server.STRING, 0), reply[:50]
    return reply[7:7 + size].decode()


def raw(address, data, wait_for_end=True):
    """Everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port_of(address)), timeout=30) as connection:
        received = b""
        try:
            connection.sendall(data)
            while wait_for_end and (piece := connection.recv(65536)):
                received += piece
        except ConnectionError:
            pass  # closed while we were sending
        return received


class Operations(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster(replicas=2)
        cls.meta, cls.nodes = cls.a.meta, cls.a.replicas

    def setUp(self):
        if "t" not in self.tables_of(self.a):
            self.create(self.a, "t", 4, [row(f"h{i}", "s", "v") for i in range(20)])

    def json(self, address, path, status=200, body=None):
        code, text = get(address, path, body)
        self.assertEqual(code, status, text)
        return json.loads(text)

    def refused(self, address, path, status, text, body=None):
        self.assertEqual(get(address, path, body), (status, text))

    def table_id(self):
        return self.json(self.meta, "/meta/app?name=t")["general"]["app_id"]

    def test_every_server_answers_the_common_paths(self):
        for address in (self.meta, *self.nodes):
            self.assertEqual(self.json(address, "/version")["Version"], VERSION)
            self.assertRegex(self.json(address, "/recentStartTime")["RecentStartTime"],
                             r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
            self.assertIn("/metrics", self.json(address, "/"))
            self.refused(address, "/no/such?x=1", 404, 'service not found for "no/such"')
            self.refused(address, "/version?a=1&a=2", 400,
                         "failed to parse request: ERR_INVALID_PARAMETERS: duplicate parameter: a")
        self.refused(self.meta, "/replica/data_version?app_id=1", 404, 'service not found for "replica/data_version"')

    def test_configurations_are_shown_and_changed(self):
        node = self.nodes[0]
        self.refused(node, "/config", 400, "name shouldn't be empty")
        self.refused(node, "/config?nom=x", 400, "")
        self.refused(node, "/config?name=x", 200, "ERR_OBJECT_NOT_FOUND: 'x' is not found")
        self.refused(node, "/configs?x", 400, "")
        one = self.json(node, "/config?name=max_send_rate_megabytes_per_disk")
        self.assertEqual((one["section"], one["type"], one["tags"]), ("nfs", "FV_INT64", "flag_tag::FT_MUTABLE"))
        self.assertEqual(self.json(node, "/configs")["max_send_rate_megabytes_per_disk"], one)
        update = lambda query: self.json(node, "/updateConfig?" + query)["update_status"]
        self.assertEqual(update("hdfs_write_limit_rate_mb_per_sec=50"), "ERR_OK")
        self.assertEqual(self.json(node, "/config?name=hdfs_write_limit_rate_mb_per_sec")["value"], "50")
        self.assertEqual(update("x=1"), "ERR_OBJECT_NOT_FOUND: x is not found")
        self.assertEqual(update("cluster_name=B"), "ERR_INVALID_PARAMETERS: cluster_name is not mutable")
        self.assertEqual(update("hdfs_write_limit_rate_mb_per_sec=-1"), "ERR_INVALID_PARAMETERS: -1 is invalid")
        self.assertEqual(update("max_copy_rate_megabytes_per_disk=4"),
                         "ERR_INVALID_PARAMETERS: value validation failed")
        self.assertEqual(update("a=1&b=2"),
                         "ERR_INVALID_PARAMETERS: there should be exactly one config to be updated once")

    def test_the_meta_server_shows_tables_and_nodes(self):
        app = self.json(self.meta, "/meta/app?name=t")
        self.assertEqual(app, {"general": {"app_name": "t", "app_id": app["general"]["app_id"],
                                           "partition_count": "4", "max_replica_count": "1"}})
        detail = self.json(self.meta, "/meta/app?name=t&detail")
        self.assertEqual(detail["healthy"]["fully_healthy_partition_count"], "4")
        self.assertEqual(detail["nodes"]["total"], {"node": "total", "primary": "4", "secondary": "0", "total": "4"})
        self.assertIn(detail["replicas"]["3"]["primary"], self.nodes)
        self.assertEqual(detail["replicas"]["0"]["replica_count"], "1/1")
        self.refused(self.meta, "/meta/app", 400, "app name shouldn't be empty")
        self.refused(self.meta, "/meta/app?name=x%22", 404, 'table not found: "x""')
        self.refused(self.meta, "/meta/app?name=t&x=1", 400, "")
        apps = self.json(self.meta, "/meta/apps?detail")
        general = apps["general_info"][app["general"]["app_id"]]
        self.assertEqual((general["status"], general["app_name"], general["partition_count"]), ("AVAILABLE", "t", "4"))
        self.assertRegex(general["create_time"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.000$")
        self.assertEqual(apps["summary"]["fully_healthy_app_count"], apps["summary"]["total_app_count"])
        self.assertNotIn("healthy_info", self.json(self.meta, "/meta/apps"))
        nodes = self.json(self.meta, "/meta/nodes?detail")
        self.assertEqual(set(nodes["details"]), set(self.nodes))
        self.assertEqual(nodes["summary"], {"total_node_count": "2", "alive_node_count": "2", "unalive_node_count": "0"})
        self.assertEqual(set(self.json(self.meta, "/meta/nodes")["details"][self.nodes[0]]), {"address", "status"})
        cluster = self.json(self.meta, "/meta/cluster")
        self.assertEqual(cluster["primary_meta_server"], self.meta)
        self.assertNotIn("cluster_name", cluster)
        for path in ("/meta/apps?x", "/meta/nodes?x"):
            self.refused(self.meta, path, 400, "")

    def test_app_envs_are_listed_and_set(self):
        envs = self.json(self.meta, "/envs/list")
        self.assertEqual(envs["default_ttl"], {"limitation": ">= 0", "sample": "86400", "type": "unsigned int32"})
        self.refused(self.meta, "/meta/app_envs", 400, "app name shouldn't be empty")
        self.assertEqual(self.json(self.meta, "/meta/app_envs?name=none"), {})
        post = lambda path, **body: get(self.meta, path, json.dumps(body).encode())
        scenario = "/meta/app/usage_scenario"
        self.assertEqual(post(scenario, app_name="t", scenario="normal"), (200, '{"error":"ERR_OK","hint_message":""}'))
        self.assertEqual(self.json(self.meta, "/meta/app_envs?name=t")["rocksdb.usage_scenario"], "normal")
        self.assertEqual(post(scenario, app_name="t", scenario="x"),
                         (400, "scenario should ony be 'normal' or 'bulk_load'"))
        self.assertEqual(post(scenario, scenario="normal"), (400, "app_name should not be empty"))
        for body in (b"", b"{", b"[]", b'{"app_name":1}', b"[" * 100_000):
            self.refused(self.meta, scenario, 400, "invalid request structure", body)
        self.assertEqual(json.loads(post(scenario, app_name="none", scenario="normal")[1])["error"], "ERR_APP_NOT_EXIST")

    def test_compactions_are_ordered(self):
        path = "/meta/app/start_compaction"
        whole = {"app_name": "t", "type": "once", "target_level": -1, "bottommost_level_compaction": "skip",
                 "max_concurrent_running_count": 0, "trigger_time": ""}
        post = lambda **body: get(self.meta, path, json.dumps({**whole, **body}).encode())
        self.assertEqual(post(), (200, '{"error":"ERR_OK","hint_message":""}'))
        self.assertIn("manual_compact.once.trigger_time", self.json(self.meta, "/meta/app_envs?name=t"))
        for wrong, text in (({"app_name": ""}, "app_name should not be empty"),
                            ({"type": "x"}, "type should ony be 'once' or 'periodic'"),
                            ({"target_level": -2}, "target_level should be >= -1"),
                            ({"bottommost_level_compaction": ""},
                             "bottommost_level_compaction should ony be 'skip' or 'force'"),
                            ({"max_concurrent_running_count": -1}, "max_running_count should be >= 0"),
                            ({"type": "periodic"}, "trigger_time should not be empty when type is periodic"),
                            ({"target_level": "x"}, "invalid request structure"),
                            ({"target_level": 1 << 40}, "invalid request structure")):
            self.assertEqual(post(**wrong), (400, text))

    def test_replica_servers_tell_of_their_replicas(self):
        node, table = self.nodes[0], self.table_id()
        versions = self.json(node, f"/replica/data_version?app_id={table}")
        self.assertEqual(set(json.dumps(one) for one in versions.values()), {'{"data_version": "1"}'})
        self.refused(node, "/replica/data_version?app_id=99", 404, "app_id=99 not found")
        for path in ("/replica/data_version", "/replica/manual_compaction"):
            self.refused(node, path, 400, "app_id should not be empty")
            self.refused(node, path + "?app_id=x", 400, "invalid app_id=x")
        status = self.json(node, f"/replica/manual_compaction?app_id={table}")["status"]
        self.assertEqual(set(status), {"idle", "queuing", "running", "finished"})
        self.assertEqual(sum(status.values()), len(versions))

    def metric(self, address, name, query=""):
        """The values of a metric over all entities."""
        entities = self.json(address, f"/metrics?metrics={name}{query}")["entities"]
        return [metric["value"] for entity in entities for metric in entity["metrics"]]

    def test_metrics_count_what_is_done(self):
        table = self.table_id()
        count = lambda name: sum(sum(self.metric(node, name, f"&attributes=table_id,{table}")) for node in self.nodes)
        before = {name: count(name) for name in ("multi_put_requests", "put_requests", "scan_requests", "put_bytes",
                                                 "committed_requests", "multi_put_bytes")}
        self.fill(self.a, "t", [row(f"h{i}", "s", "v") for i in range(20)])
        self.rows_of(self.a, "t")
        after = {name: count(name) for name in before}
        self.assertEqual(after["multi_put_requests"] + after["put_requests"]
                         - before["multi_put_requests"] - before["put_requests"], 20)
        self.assertGreater(after["scan_requests"], before["scan_requests"])
        self.assertGreater(after["put_bytes"] + after["multi_put_bytes"], before["put_bytes"] + before["multi_put_bytes"])
        self.assertEqual(after["committed_requests"] - before["committed_requests"], 20)
        reply = self.json(self.nodes[0], "/metrics?types=replica&detail=true&metrics=scan_latency_ns")
        self.assertEqual((reply["cluster"], reply["role"], reply["port"]), ("A", "replica", port_of(self.nodes[0])))
        metric = reply["entities"][0]["metrics"][0]
        self.assertEqual(list(metric), ["type", "name", "unit", "desc", "p50", "p90", "p95", "p99", "p999"])
        self.assertEqual(sum(sum(self.metric(node, "total_replicas")) for node in self.nodes), 4)
        self.assertEqual(self.metric(self.meta, "alive_replica_servers"), [2])
        self.assertEqual(self.metric(self.meta, "healthy_partitions", f"&ids=table@{table}"), [4])
        self.assertGreater(self.metric(self.nodes[0], "disk_capacity_total_mb")[0], 0)
        self.assertGreater(sum(self.metric(self.nodes[0], "rdb_memtable_mem_usage_bytes")), 0)

    def test_metrics_refuse_in_the_words_of_pegasus(self):
        node = self.nodes[0]
        error = lambda query, body=None: self.json(node, "/metrics" + query, 400, body)["error_message"]
        self.assertEqual(error("", b""), "please use 'GET' method while querying for metrics")
        self.assertEqual(error("?k=v"), "unknown field k=v")
        self.assertEqual(error("?detail=2"), "the value of detail should be a boolean value, i.e. true or false")
        self.assertEqual(error("?attributes=a,b,c"), "the number of arguments for attributes should be even, since each "
                         "attribute name always pairs with a value")
        self.assertEqual(self.json(node, "/metrics?metrics=none")["entities"], [])

    def test_prometheus_can_read_the_metrics(self):
        code, text = get(self.nodes[0], "/metrics/prometheus")
        self.assertEqual(code, 200)
        self.assertIn("# TYPE pegasus_replica_scan_requests counter\n", text)
        self.assertRegex(text, r'pegasus_server_total_replicas\{cluster="A",role="replica",[^}]*\} \d')
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .*|\w+(\{[^}]*\})? [-+0-9.e]+)$')

    def test_failed_requests_are_counted_under_old_and_new_names(self):
        detail = self.json(self.meta, "/meta/app?name=t&detail")
        node, table = detail["replicas"]["0"]["primary"], int(detail["general"]["app_id"])
        old = {"read": "recent.read.fail.count", "write": "recent.write.fail.count"}
        before = {kind: self.metric(node, f"{kind}_failed_requests")[0] for kind in old}
        call(node, rdsn(b"RPC_RRDB_RRDB_GET", b"broken", app_id=table))
        call(node, rdsn(b"RPC_RRDB_RRDB_GET", b"broken", app_id=4711))  # no such replica
        call(node, rdsn(b"RPC_RRDB_RRDB_PUT", b"x" * (2 << 20), app_id=table))
        for kind, by in (("read", 2), ("write", 1)):
            self.assertEqual(self.metric(node, f"{kind}_failed_requests"), [before[kind] + by])
            self.assertEqual(self.metric(node, old[kind]), [before[kind] + by])
            self.assertEqual(json.loads(command(node, "perf-counters-by-substr", old[kind]))["counters"],
                             [{"name": "replica*eon.replica_stub*" + old[kind], "type": "VOLATILE_NUMBER",
                               "value": before[kind] + by}])
        for name, full in (("dup.disabled_non_idempotent_write_count",
                            "replica*eon.replica*dup.disabled_non_idempotent_write_count@t"),
                           ("cold.backup.max.upload.file.size",
                            "replica*eon.replica_stub*cold.backup.max.upload.file.size")):
            self.assertEqual(set(self.metric(node, name)), {0})
            listed = json.loads(command(node, "perf-counters-by-substr", name))
            self.assertEqual([(one["name"], one["value"]) for one in listed["counters"]], [(full, 0)])
            self.assertEqual(listed["result"], "OK")

    def test_help_lists_what_real_servers_list(self):
        self.assertEqual(set(command(self.meta, "help").splitlines()), META_HELP | OWN_HELP | COMMON_HELP)
        lines = command(self.nodes[0], "h").splitlines()
        self.assertLessEqual(COMMON_HELP, set(lines))
        for name in ("nfs.max_send_rate_megabytes_per_disk", "replica.query-app-envs", "replica.trigger-checkpoint"):
            self.assertIn(name, {line.split(" - ")[0] for line in lines})
        self.assertEqual(command(self.meta, "help", "x"), "cannot find command 'x'")
        self.assertEqual(command(self.meta, "no-such-command", "x", "y"), "unknown command 'no-such-command'")

    def test_commands_of_every_server(self):
        for address in (self.meta, self.nodes[0]):
            self.assertEqual(json.loads(command(address, "server-info"))["version"], VERSION)
            self.assertEqual(command(address, "flush-log"), "Flush done.")
            self.assertIn("memused_res(MB)=", command(address, "server-stat"))
            self.assertIn("[replication]\n; ", command(address, "config-dump"))
            self.assertTrue(command(address, "config-dump", "/tmp/x").startswith("ERROR: "))
            self.assertEqual(command(address, "reset-log-start-level", "INFO"), "OK, current level is LOG_LEVEL_INFO")
            self.assertEqual(command(address, "repeat", "1"), "insufficient arguments")
            self.assertEqual(command(address, "repeat", "0", "1", "flush-log"), "invalid interval argument")
            self.assertEqual(command(address, "repeat", "1", "-1", "flush-log"), "invalid max count")
            self.assertEqual(command(address, "repeat", "1", "0", "no-such"), "repeat command completed")

    def test_switches_keep_their_values(self):
        node = self.nodes[0]
        copy = "nfs.max_copy_rate_megabytes_per_disk"
        self.assertEqual(command(node, copy, "100"), '{\n  "error": "ok"\n}')
        self.assertEqual(command(node, copy), '{\n  "error": "ok",\n  "%s": "100"\n}' % copy)
        self.assertEqual(self.json(node, "/config?name=max_copy_rate_megabytes_per_disk")["value"], "100")
        self.assertEqual(json.loads(command(node, copy, "4"))["error"],
                         "ERR: invalid argument '4', the value is not acceptable")
        self.assertEqual(json.loads(command(node, copy, "DEFAULT")), {"error": "ok", copy: 0})
        self.assertEqual(command(self.meta, "meta.lb.assign_delay_ms"),
                         '{\n  "error": "ok",\n  "meta.lb.assign_delay_ms": "600000"\n}')
        self.assertEqual(command(self.meta, "meta.lb.only_move_primary", "true"), '{\n  "error": "ok"\n}')
        self.assertIn('"true"', command(self.meta, "meta.lb.only_move_primary"))
        self.assertIn("not acceptable", command(self.meta, "meta.live_percentage", "101"))

    def test_commands_of_the_meta_server(self):
        black = "meta.lb.assign_secondary_black_list"
        self.assertEqual(command(self.meta, black, "a:1,b:2"), '{\n  "error": "ok"\n}')
        self.assertEqual(json.loads(command(self.meta, black))["assign_secondary_black_list"], "a:1,b:2")
        self.assertIn("bad host:port 'x'", command(self.meta, black, "x"))
        ignored = "meta.lb.ignored_app_list"
        self.assertEqual(json.loads(command(self.meta, ignored, "set", "3,1")), {"error": "ok"})
        self.assertEqual(json.loads(command(self.meta, ignored, "get")), {"ignored_app_id_list": "1,3"})
        self.assertEqual(json.loads(command(self.meta, ignored, "set", "x")), {"error": "invalid argument"})
        self.assertEqual(json.loads(command(self.meta, ignored)), {"error": "invalid arguments"})
        self.assertEqual(json.loads(command(self.meta, "meta.lb.get_balance_operation_count", "detail")),
                         {"copy_pri": 0, "copy_sec": 0, "move_pri": 0, "total": 0})
        self.assertEqual(command(self.meta, "meta.dump"), "ERR_INVALID_PARAMETERS")
        self.assertEqual(command(self.meta, "meta.dump", "../apps.json"), "ERR_INVALID_PARAMETERS")
        self.assertEqual(command(self.meta, "meta.dump", "tables.json"), "ERR_OK")
        with open(os.path.join(self.a.data, "meta", "dump", "tables.json"), encoding="utf-8") as file:
            self.assertIn('"t"', file.read())

    def test_commands_on_replicas(self):
        detail = self.json(self.meta, "/meta/app?name=t&detail")
        node, table = detail["replicas"]["0"]["primary"], detail["general"]["app_id"]
        mine = [f"{table}.{index}" for index, one in detail["replicas"].items() if one["primary"] == node]
        envs = command(node, "replica.query-app-envs", table)
        self.assertTrue(envs.startswith(f"{len(mine)} processed, 0 not found\n"), envs)
        self.assertRegex(envs, rf"\n    {mine[0]}@{node}@P : rocksdb.num_levels=6,rocksdb.usage_scenario=normal,"
                               rf"rocksdb.write_buffer_size=\d+")
        self.assertEqual(command(node, "replica.trigger-checkpoint", f"{mine[0]},{table}.77"),
                         f"1 processed, 1 not found\n    {mine[0]}@{node}@P : triggered"
                         f"\n    {table}.77@{node} : not found")
        self.assertGreaterEqual(sum(self.metric(node, "rdb_total_sst_files")), 1)
        self.assertIn('"last_committed_decree": ', command(node, "replica.query-progress", mine[0]))
        self.assertIn("recent_enqueue_at", command(node, "replica.query-compact"))
        for bad in ("x", "1.x", "1.1.1", "", ","):
            self.assertEqual(command(node, "replica.query-app-envs", bad), "invalid arguments")

    def test_a_server_that_denies_clients_does_not_answer(self):
        node = self.nodes[0]
        self.assertEqual(command(node, "replica.deny-client", "true"), '{\n  "error": "ok"\n}')
        # The command behind the read on the same connection is what is answered.
        off = rdsn(b"RPC_CLI_CLI_CALL", command_body("replica.deny-client", "false"))
        header, _ = call(node, rdsn(b"RPC_RRDB_RRDB_GET", b"x", app_id=1) + off)
        self.assertTrue(header[40:].startswith(b"RPC_CLI_CLI_CALL_ACK"), header)
        self.assertEqual(len(self.rows_of(self.a, "t")), 20)


class HostileHttp(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster()
        cls.address = cls.a.replicas[0]

    def tearDown(self):
        for address in (self.a.meta, self.address):
            self.assertEqual(get(address, "/version")[0], 200)
        self.assertIsNone(self.a.process.process.poll(), "the server has died")

    def test_what_is_malformed_or_endless_is_closed_without_an_answer(self):
        chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        for data in (b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"POST\0\0\0\0\r\n\r\n", b"GET \xff\xfe\r\n\r\n",
                     b"GET /" + b"x" * 1_000_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000,
                     b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: 4611686018427387904\r\n\r\nx",
                     b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", chunked + b"ffffffffffffffff\r\n",
                     chunked + b"10000\r\n" + b"x" * 3_000_000, chunked + b"1;" + b"x" * 3_000_000,
                     chunked + b"zz\r\n"):
            self.assertEqual(raw(self.address, data), b"", data[:60])

    def test_half_a_request_may_be_given_up(self):
        for _ in range(300):
            raw(self.address, b"POST /updateConfig HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf", wait_for_end=False)
            raw(self.address, b"GET /metrics HTTP/1.1\r\n\r\n", wait_for_end=False)

    def test_pipelined_requests_are_answered_in_order(self):
        paths = ["/version", "/nowhere"] * 100
        data = "".join(f"GET {path} HTTP/1.1\r\n\r\n" for path in paths)
        last = "GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"
        replies = raw(self.address, (data + last).encode())
        statuses = re.findall(rb"HTTP/1.1 (\d+) ", replies)
        self.assertEqual(statuses, [b"200", b"404"] * 100 + [b"404"])
        self.assertTrue(replies.endswith(b'service not found for "last"'))

    def test_a_connection_can_be_used_again(self):
        connection = http.client.HTTPConnection("127.0.0.1", port_of(self.address), timeout=30)
        for _ in range(50):
            connection.request("GET", "/recentStartTime")
            self.assertEqual(connection.getresponse().read()[:2], b'{"')
        connection.close()

    def test_requests_that_do_not_end_are_in_nobodys_way(self):
        held = [socket.create_connection(("127.0.0.1", port_of(self.address)), timeout=30) for _ in range(300)]
        for connection in held:
            connection.sendall(b"GET /version HTTP/1.1\r\nX: ")
        self.assertEqual(get(self.address, "/version")[0], 200)
        self.assertEqual(self.a.stop().code, 0, "it does not stop while requests are open")
        for connection in held:
            connection.close()
        self.a.start()
        type(self).address = self.a.replicas[0]
