"""Clusters that do not answer, demand authentication, answer nonsense, or hang while a copy runs."""
import json
import signal
import socket

import fake_server
from fake_server import FakeServer
from harness import CliTest, row


class Unreachable(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster()

    def verbs_to(self, address):
        """Each verb, with the cluster at this address."""
        words = ["--table", "t", "--timeout", "2s"]
        return [["copy", "--from", address, "--to", self.a.meta, *words],
                ["copy", "--from", self.a.meta, "--to", address, *words],
                ["verify", "--from", self.a.meta, "--to", address, *words],
                ["import", "--cluster", address, *words, "-"],
                ["export", "--cluster", address, *words, "-"]]

    def check_fails_in_time(self, address, says):
        for process in [self.background(*words) for words in self.verbs_to(address)]:
            ended = process.finish()
            self.assertIn(ended.code, (1, 3), str(ended))
            self.assertEqual(ended.out, "", str(ended))
            for text in [address, *says]:
                self.assertIn(text, ended.err, str(ended))

    def fake(self, answer):
        server = FakeServer(answer)
        self.addCleanup(server.close)
        return server

    def test_nothing_listens(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
            address = f"127.0.0.1:{unused.getsockname()[1]}"
            self.check_fails_in_time(address, ["no meta server", "refused", "check the addresses"])
            both = f"{address},{self.a.meta}"
            self.assertEqual(self.run_words("shell", "--cluster", both, "-e", "ls").code, 0, "the other meta server")

    def test_a_host_that_is_not_known(self):
        self.failed(3, ["no-such-host.invalid"], "copy", "--from", "no-such-host.invalid:34601", "--to", self.a.meta,
                    "--table", "t", "--timeout", "2s")

    def test_connections_are_accepted_and_nothing_is_answered(self):
        self.check_fails_in_time(self.fake(lambda server, name: None).address, ["no meta server", "in time"])

    def test_a_server_that_demands_authentication_is_told_apart(self):
        secured = self.fake(lambda server, name: fake_server.mechanisms() if name == "RPC_NEGOTIATION" else None)
        self.check_fails_in_time(secured.address, ["authentication"])

    def test_nonsense_in_answer_is_an_error(self):
        copies = []
        for body in (b"", b"\0", b"\xff" * 100, b"\x0c\0\0" * 50_000, fake_server.body_of([]),
                     fake_server.query_config(1, 1 << 20, 1)[:5000]):
            server = self.fake(lambda server, name, body=body: body)
            copies.append((server, self.background("copy", "--from", server.address, "--to", self.a.meta,
                                                   "--table", "t", "--timeout", "2s")))
        for server, copy in copies:
            ended = copy.finish()
            self.assertIn(ended.code, (1, 3), str(ended))
            self.assertIn(server.address, ended.err, str(ended))

    def test_a_table_of_impossible_partitions_is_an_error(self):
        def answer(count):
            return lambda server, name: (fake_server.cluster_info("F") if name == "RPC_CM_CLUSTER_INFO" else
                                         fake_server.query_config(1, count, server.port))
        for count in (0, 1 << 17):
            server = self.fake(answer(count))
            self.failed(3, ["'t'", "partitions"], "copy", "--from", server.address, "--to", self.a.meta, "--table",
                        "t", "--timeout", "2s")

    def test_a_wait_for_a_cluster_can_be_interrupted(self):
        server = self.fake(lambda server, name: None)
        waiting = self.background("copy", "--from", server.address, "--to", self.a.meta, "--table", "t", "--timeout",
                                  "1h")
        self.assertTrue(server.asked.wait(30), "no request")
        waiting.signal(signal.SIGINT)
        ended = waiting.finish()
        self.assertEqual(ended.code, 7, str(ended))


class LongCopy(CliTest):
    """A copy that has written some rows, and takes a while for the rest."""

    def setUp(self):
        self.a, self.b = self.cluster(), self.cluster()
        self.create(self.a, "t", 4, [row(f"h{i}", "s", "v" * 10) for i in range(24000)])
        self.create(self.b, "t", 4)

    def start(self, *more, rate=1000):
        copy = self.background("copy", "--from", self.a.meta, "--to", self.b.meta, "--table", "t",
                               "--max-rows-per-second", rate, *more)
        copy.stderr_until(r"copying: [^\n]*\n")
        return copy

    def test_progress_comes_as_lines_and_the_result_on_stdout(self):
        copy = self.start("--json", rate=6000)
        copy.stderr_until(r"copying: [^\n]*\n[^\n]*copying: [^\n]*\n")
        ended = copy.finish()
        self.assertEqual(ended.code, 0, str(ended))
        self.assertEqual(json.loads(ended.out)["rows"], 24000)
        lines = ended.err.splitlines()
        notes = [line for line in lines if not line.startswith("copying: ")]
        self.assertRegex(notes[-1], r"^pegmove: run (copy-\d+-\d+); if it is interrupted, continue with `pegmove resume \1`$")
        for line in lines[len(notes):]:
            self.assertRegex(line, r"^copying: [\d,]+ rows, [\d,]+ rows/s, .*, partitions \d/4(; throttled to .*)?$")
        self.assertNotIn("\r", ended.err)
        self.assertNotIn("\x1b", ended.err)

    def test_ctrl_c_stops_it_says_how_to_go_on_and_exits_with_7(self):
        copy = self.start()
        copy.signal(signal.SIGINT)
        copy.stderr_until("stopping")
        ended = copy.finish()
        self.assertEqual((ended.code, ended.out), (7, ""), str(ended))
        self.assertRegex(ended.err, r"stopped on request")
        self.assertRegex(ended.err, r"run (copy-\d+-\d+) is interrupted; continue with `pegmove resume \1`")

    def test_a_second_ctrl_c_ends_it_at_once(self):
        copy = self.start("--retry-for", "10m")
        self.b.kill()
        copy.stderr_until("waits: target: ")
        copy.signal(signal.SIGINT)
        copy.stderr_until("press Ctrl-C again to abort")
        copy.signal(signal.SIGINT)
        self.assertEqual(copy.finish().code, 7)

    def test_a_target_that_goes_away_is_named(self):
        copy = self.start("--timeout", "2s", "--retry-for", "2s")
        self.b.kill()
        ended = copy.finish()
        self.assertEqual((ended.code, ended.out), (1, ""), str(ended))
        self.assertIn("table 't'", ended.err)
        self.assertIn("Connection refused", ended.err)
        self.assertRegex(ended.err, r"run (copy-\d+-\d+) failed; fix the cause, then continue with `pegmove resume \1`")

    def test_a_source_that_is_killed_is_named(self):
        copy = self.start("--timeout", "2s", "--retry-for", "2s")
        self.a.kill()
        ended = copy.finish()
        self.assertEqual(ended.code, 1, str(ended))
        self.assertIn("table 't'", ended.err)
