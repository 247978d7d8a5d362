"""pegmove check: everything that is wrong with a copy, said at once and before it begins."""
import json
import os
import socket

from harness import CliTest, row


class Check(CliTest):
    """A and B are in one [duplication-group], C is in none."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        group = os.path.join(cls.folder, "group.ini")
        with open(group, "w", encoding="utf-8") as file:
            file.write("[duplication-group]\nA = 1\nB = 2\n")
        cls.a = cls.shared_cluster("A", replicas=2, more=("--config", group))
        cls.b = cls.shared_cluster("B", more=("--config", group))
        cls.c = cls.shared_cluster("C")

    def check(self, source, target, table, *more, code):
        """Returns the report; the text says the same."""
        words = ["check", "--from", source, "--to", target, "--table", table, *more]
        outcome = self.run_words(*words, "--json")
        self.assertEqual(outcome.code, code, str(outcome))
        report = json.loads(outcome.out)
        self.assertEqual(report["can_begin"], code == 0)
        text = self.run_words(*words)
        self.assertEqual((text.code, text.err), (code, ""), str(text))
        lines = text.out.splitlines()
        self.assertEqual(len(lines), len(report["findings"]) + 1, str(text))
        for line, finding in zip(lines, report["findings"]):
            self.assertTrue(line.startswith(finding["severity"] + ": "), line)
        order = [("error", "warning", "note").index(finding["severity"]) for finding in report["findings"]]
        self.assertEqual(order, sorted(order), "errors first, then warnings")
        self.assertIn("can begin; rows would be written" if code == 0 else "cannot begin", lines[-1])
        return report

    def kinds(self, report, severity):
        return sorted(one["kind"] for one in report["findings"] if one["severity"] == severity)

    def shell(self, cluster, commands):
        return self.done("shell", "--cluster", cluster.meta, "-e", commands)

    def closed_address(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return f"127.0.0.1:{free.getsockname()[1]}"

    def test_what_can_begin(self):
        self.create(self.a, "fine", 2, [row("h", "s", "v")])
        report = self.check(self.a.meta, self.b.meta, "fine", "--create", "--partitions", 5, code=0)
        self.assertEqual((report["way"]["through"], report["way"]["cluster_id"]), ("duplicate", 1))
        self.assertEqual(self.kinds(report, "error") + self.kinds(report, "warning"), [])
        self.assertEqual((report["source"]["partitions"], report["target"]["exists"]), (2, False))
        self.assertEqual(len(report["source"]["servers"]), 2)
        self.assertNotIn("fine", self.tables_of(self.b), "a look makes nothing")
        report = self.check(self.a.meta, self.b.meta, "fine", "--create", "--through", "plain", code=0)
        self.assertEqual(report["way"]["through"], "plain")
        report = self.check(self.a.meta, self.c.meta, "fine", "--create", code=0)
        self.assertEqual(report["way"]["through"], "plain")
        self.assertIn("in no [duplication-group]", report["way"]["reason"])

    def test_both_clusters_are_away(self):
        report = self.check(self.closed_address(), self.closed_address(), "t", "--timeout", "1s", code=3)
        self.assertEqual(self.kinds(report, "error"), ["cluster-unreachable"] * 2)

    def test_several_things_at_once(self):
        self.create(self.a, "many", 2, [row("h", "s", "v")])
        self.create(self.c, "many", 3, [row("h", "s", "v")])
        self.shell(self.a, "use many; set_app_envs replica.deny_client_request reconfig*read "
                           "replica.read_throttling 20K*reject*100")
        self.shell(self.c, "use many; set_app_envs replica.deny_client_request reconfig*write default_ttl 86400 "
                           "replica.write_throttling_by_size 1M*delay*100 rocksdb.usage_scenario bulk_load")
        report = self.check(self.a.meta, self.c.meta, "many", "--through", "duplicate", code=3)
        self.assertEqual(self.kinds(report, "error"), ["denied", "denied", "duplicate-impossible", "target-not-empty"])
        self.assertEqual(self.kinds(report, "warning"), ["default-ttl", "no-compaction", "throttled", "throttled"])
        texts = " ".join(finding["what"] for finding in report["findings"])
        for says in ("reconfig*read denies reads", "reconfig*write denies writes", "20,480 requests/s", "1.0 MiB/s",
                     "default_ttl=86400"):
            self.assertIn(says, texts)

    def test_tables_that_are_missing_or_in_the_way(self):
        self.create(self.a, "only_a", 2)
        self.create(self.b, "only_b", 2)
        self.create(self.a, "both", 2)
        self.create(self.b, "both", 2, [row("h", "s", "v")])
        for table, more, kinds in (("nothing", (), ["no-source-table", "no-target-table"]),
                                   ("only_a", (), ["no-target-table"]), ("only_b", (), ["no-source-table"]),
                                   ("both", (), ["target-not-empty"]), ("both", ("--create",), ["target-exists"])):
            report = self.check(self.a.meta, self.b.meta, table, *more, code=3)
            self.assertEqual(self.kinds(report, "error"), kinds, table)
        report = self.check(self.a.meta, self.b.meta, "both", "--into-nonempty", code=0)
        self.assertIn("target-not-empty", self.kinds(report, "note"))
        self.assertEqual(self.kinds(self.check(self.a.meta, self.a.meta, "both", code=3), "error"), ["same-table"])

    def test_envs_that_a_new_table_gets(self):
        self.create(self.a, "envs", 2)
        self.shell(self.a, "use envs; set_app_envs default_ttl 60 business.info x replica.write_throttling 1*reject*1 "
                           "replica_access_controller.allowed_users me rocksdb.num_levels 5")
        report = self.check(self.a.meta, self.b.meta, "envs", "--create", code=0)
        self.assertEqual(self.kinds(report, "warning"), ["env-left-out"])
        carried = [one["what"] for one in report["findings"] if one["kind"] == "env-carried"]
        self.assertEqual(len(carried), 3, carried)
        self.assertTrue(any("default_ttl=60 after all rows are copied" in text for text in carried), carried)

    def test_a_cluster_that_makes_no_tables(self):
        frozen = self.cluster("F")
        self.create(self.a, "frozen", 2)
        self.shell(frozen, "set_meta_level freezed")
        report = self.check(self.a.meta, frozen.meta, "frozen", "--create", code=3)
        self.assertEqual(self.kinds(report, "error"), ["meta-level"])

    def test_live_says_what_it_needs(self):
        self.create(self.a, "live", 2, [row("h", "s", "v")])
        self.create(self.b, "live", 2, [row("h", "s", "v")])
        report = self.check(self.a.meta, self.b.meta, "live", "--live", code=3)
        self.assertEqual(self.kinds(report, "error"), ["live-not-duplicated"])
        report = self.check(self.a.meta, self.b.meta, "live", "--live", "--dual-written", code=0)
        for kind in ("live-dual-written", "live-limits", "target-not-empty"):
            self.assertIn(kind, self.kinds(report, "note"))
        self.shell(self.a, "use live; incr h n 5")
        report = self.check(self.a.meta, self.b.meta, "live", "--live", "--dual-written", code=3)
        self.assertEqual(self.kinds(report, "error"), ["live-atomic-writes"])
        self.create(self.c, "live", 2)
        report = self.check(self.a.meta, self.c.meta, "live", "--live", code=3)
        self.assertEqual(self.kinds(report, "error"),
                         ["live-atomic-writes", "live-needs-duplicate", "live-not-duplicated"])

    def test_wrong_usage(self):
        words = ["check", "--from", self.a.meta, "--to", self.b.meta, "--table", "t"]
        self.failed(2, "--through", *words, "--through", "nonsense")
        self.failed(2, "--through plain", *words, "--live", "--through", "plain")
        self.failed(2, "--create", *words, "--live", "--create")
        self.failed(2, "--live", *words, "--dual-written")
        self.failed(2, "--create", *words, "--partitions", 3)
        self.failed(2, "no_such_cluster", "check", "--from", "no_such_cluster", "--to", self.b.meta, "--table", "t")
