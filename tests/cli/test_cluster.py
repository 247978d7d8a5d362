"""pegmove cluster: start, status, stop, restart, and folders and ports that cannot be had."""
import json
import os
import signal
import socket

from harness import CliTest, Cluster, can_connect, port_of, row
from wait import until


def contents(folder):
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


class ClusterLife(CliTest):
    def start_detached(self, *more):
        self.addCleanup(lambda: self.run_words("cluster", "stop", "--data", "detached"))
        return self.done("cluster", "start", "--name", "D", "--data", "detached", "--meta-port", 0,
                         "--detach", *more)

    def status(self, data):
        outcome = self.run_words("cluster", "status", "--data", data, "--json")
        return outcome.code, json.loads(outcome.out)

    def test_detached_cluster_serves_tells_its_status_and_stops(self):
        started = self.start_detached("--replica-servers", 3)
        code, status = self.status("detached")
        self.assertEqual((code, status["running"], status["name"]), (0, True, "D"))
        self.assertEqual(len(status["replicas"]), 3)
        self.assertIn(status["meta"], started.out)
        self.assertIn("cluster stop --data detached", started.out)
        for address in [status["meta"], *status["replicas"]]:
            self.assertTrue(address.startswith("127.0.0.1:"), address)
            self.assertTrue(can_connect(address), address)
        self.assertIn(status["meta"], self.done("cluster", "status", "--data", "detached").out)
        self.assertEqual(self.done("cluster", "stop", "--data", "detached").out, "stopped\n")
        # It has released its folder, and is about to be gone.
        until(lambda: not os.path.exists(f"/proc/{status['pid']}/fd/0"), "the end of the process")
        self.assertEqual(self.status("detached"), (1, {"running": False}))
        self.assertEqual(self.done("cluster", "stop", "--data", "detached").out, "was not running\n")
        self.assertFalse(can_connect(status["meta"]))

    def test_restart_keeps_tables_and_rows(self):
        cluster = self.cluster(replicas=2)
        rows = [row(f"h{i}", "s", f"v{i}") for i in range(50)]
        self.create(cluster, "t", 3, rows)
        self.assertEqual(cluster.stop().code, 0)
        cluster.start()
        self.assertEqual(len(self.rows_of(cluster, "t")), 50)
        self.assertEqual(self.tables_of(cluster), ["t"])

    def test_interrupt_and_terminate_stop_it_cleanly(self):
        cluster = self.cluster()
        for number in (signal.SIGTERM, signal.SIGINT):
            cluster.process.signal(number)
            ended = cluster.process.finish()
            self.assertEqual((ended.code, ended.err), (0, ""), str(ended))
            self.assertFalse(os.path.exists(os.path.join(cluster.data, "run.json")))
            cluster.start()

    def test_stop_right_after_start_was_asked_for_ends_it(self):
        cluster = self.cluster()
        cluster.stop()
        process = self.background("cluster", "start", "--name", "A", "--data", cluster.data, "--meta-port", 0)
        process.stdout_until("cluster A: meta")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.finish().code, 0)

    def test_kill_and_restart_keep_acknowledged_rows(self):
        cluster = self.cluster()
        rows = [row(f"h{i % 7}", f"s{i:05}", "v" * 100) for i in range(5000)]
        self.create(cluster, "t", 4)
        self.fill(cluster, "t", rows)
        cluster.process.signal(signal.SIGKILL)
        cluster.process.finish()
        code, status = self.status(cluster.data)
        self.assertEqual((code, status["running"]), (1, False))
        self.assertIn("was not running", self.done("cluster", "stop", "--data", cluster.data).out)
        cluster.start()
        self.assertEqual(len(self.rows_of(cluster, "t")), 5000)

    def test_sync_writes_and_config_are_taken(self):
        config = os.path.join(self.folder, "server.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[replication]\nmax_allowed_write_size = 2000\n")
        cluster = self.cluster(more=["--sync", "--config", config])
        self.create(cluster, "t", 1, [row("h", "s", "v" * 1000)])
        self.failed(1, ['"h" : "big"', "too large", "max_allowed_write_size"], "import", "--cluster",
                    cluster.meta, "--table", "t", "-",
                    stdin=json.dumps(row("h", "big", "v" * 3000)).encode())
        self.assertEqual(len(self.rows_of(cluster, "t")), 1)

    def test_the_clusters_to_duplicate_to_are_read_from_the_configuration(self):
        config = os.path.join(self.folder, "group.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[duplication-group]\nA = 1\nB = 2\n[pegasus.clusters]\nB = b.example:34601, 127.0.0.1:1\n")
        cluster = self.cluster(more=["--config", config])
        self.create(cluster, "t", 2)
        shell = ["shell", "--cluster", cluster.meta, "-e"]
        self.assertIn("adding duplication succeed [app_name: t, remote_cluster_name: B, appid: 1,",
                      self.done(*shell, "add_dup t B").out)
        refused = self.run_words(*shell, "add_dup t C")
        self.assertEqual(refused.code, 1, str(refused))
        self.assertIn("get_duplication_cluster_id(C) failed, error: ERR_OBJECT_NOT_FOUND", refused.err)
        cluster.stop()
        cluster.start()
        shell[2] = cluster.meta
        self.assertRegex(self.done(*shell, "query_dup t").out, r"\d+  DS_LOG  B ")

    def test_a_write_limit_of_zero_is_no_limit(self):
        config = os.path.join(self.folder, "unlimited.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[replication]\nmax_allowed_write_size = 0\n")
        cluster = self.cluster(more=["--config", config])
        self.create(cluster, "t", 1, [row("h", "s", "v" * (3 << 20))])
        self.assertEqual(len(self.rows_of(cluster, "t")[0]["value"]), 3 << 20)


class ClusterThatCannotStart(CliTest):
    def start_fails(self, codes, says, data, name="A", port=0, more=()):
        return self.failed(codes, says, "cluster", "start", "--name", name, "--data", data,
                           "--meta-port", port, *more)

    def test_another_name_is_refused_and_changes_nothing(self):
        cluster = self.cluster(name="first")
        cluster.stop()
        before = contents(cluster.data)
        self.start_fails(2, [cluster.data, "'first'", "'second'", "--name first"], cluster.data, "second")
        after = contents(cluster.data)
        self.assertEqual(before, after)

    def test_a_folder_of_others_is_left_untouched(self):
        foreign = os.path.join(self.folder, "foreign")
        os.makedirs(os.path.join(foreign, "sub"))
        with open(os.path.join(foreign, "sub", "precious"), "w", encoding="utf-8") as file:
            file.write("text")
        for detach in ([], ["--detach"]):
            self.start_fails(2, [foreign, "not empty", "another folder"], foreign, more=detach)
            self.assertEqual(contents(foreign), {"sub/precious": b"text"})
            self.assertEqual(os.listdir(foreign), ["sub"])
        for verb in ("status", "stop"):
            self.failed(1, foreign, "cluster", verb, "--data", foreign)
        self.assertEqual(contents(foreign), {"sub/precious": b"text"})

    def test_a_file_is_no_folder(self):
        path = os.path.join(self.folder, "file")
        with open(path, "w", encoding="utf-8") as file:
            file.write("text")
        self.start_fails((2, 3), path, path)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "text")

    def test_a_damaged_identity_is_named(self):
        cluster = self.cluster()
        cluster.stop()
        identity = os.path.join(cluster.data, "cluster.json")
        with open(identity, "w", encoding="utf-8") as file:
            file.write("{")
        self.start_fails((1, 3), [identity, "damaged"], cluster.data)

    def test_a_damaged_catalog_is_named_and_left(self):
        cluster = self.cluster()
        self.create(cluster, "t", 1)
        cluster.stop()
        meta = os.path.join(cluster.data, "meta")
        damaged = [os.path.join(top, name) for top, _, names in os.walk(meta) for name in names]
        self.assertTrue(damaged)
        for path in damaged:
            with open(path, "r+b") as file:
                file.write(b"\0garbage")
        before = contents(meta)
        self.start_fails((1, 3), meta, cluster.data)
        self.assertEqual(contents(meta), before)

    def test_the_second_process_on_a_folder_is_told_of_the_first(self):
        cluster = self.cluster()
        for detach in ([], ["--detach"]):
            self.start_fails(3, [cluster.data, f"process {cluster.pid}", "cluster stop --data"],
                             cluster.data, more=detach)
        self.create(cluster, "t", 1, [row("h", "s", "v")])

    def test_a_port_in_use_is_named_and_the_folder_can_be_used_later(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            data = os.path.join(self.folder, "port")
            for detach in ([], ["--detach"]):
                self.start_fails(3, [f"127.0.0.1:{port}", "in use", "another port"], data, port=port,
                                 more=["--replica-port", 0, *detach])
            self.start_fails(3, [f"127.0.0.1:{port}", "in use", "another port"], data,
                             more=["--replica-port", port])
        later = Cluster(self.folder, "A", data=data)
        self.addCleanup(later.kill)
        self.assertNotEqual(port_of(later.meta), 0)

    def test_malformed_clusters_are_named(self):
        path = os.path.join(self.folder, "wrong.ini")
        for text in ("B = ", "B = nowhere", "B = b.example:99999", "B = 127.0.0.1:1,"):
            with open(path, "w", encoding="utf-8") as file:
                file.write("[pegasus.clusters]\n" + text + "\n")
            self.start_fails(2, ["[pegasus.clusters] B", path], os.path.join(self.folder, "none"),
                             more=["--config", path])

    def test_wrong_options_are_usage_errors(self):
        data = os.path.join(self.folder, "none")
        self.start_fails(2, "--name", data, name="a b")
        self.start_fails(2, "--listen", data, more=["--listen", "nowhere"])
        self.start_fails(2, "0.0.0.0", data, more=["--listen", "0.0.0.0"])
        self.start_fails(2, "--meta-port", data, port=70000)
        self.start_fails(2, "--replica-servers", data, more=["--replica-servers", 0])
        self.start_fails(2, "--replica-port", data, port=65500)
        self.start_fails((2, 3), "nothing.ini", data, more=["--config", "nothing.ini"])
        self.assertFalse(os.path.exists(data), "a refused start made the folder")
