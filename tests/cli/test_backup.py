"""What backup, restore and backups say to wrong requests, and what they print."""
import json
import os
import re

from harness import CliTest, row


class WithStore(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = os.path.join(cls.folder, "config.ini")
        with open(cls.config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.local]\ntype = local_service\nargs = {cls.folder}/store\n")
        cls.a = cls.shared_cluster("A", more=["--config", cls.config])

    def setUp(self):
        self.state = os.path.join(self.folder, "journal.db")
        if "t" not in self.tables_of(self.a):
            self.create(self.a, "t", 2, [row("h", "s", "v")])

    def words(self, verb, *more):
        return [verb, "--config", self.config, "--store", "local", *more]

    def run_verb(self, verb, *more):
        return self.words(verb, "--state", self.state, "--quiet", *more)


class Backup(WithStore):
    def test_a_backup_and_its_restore_tell_what_they_did(self):
        report = json.loads(self.done(*self.run_verb("backup", "--from", self.a.meta, "--table", "t", "--json")).out)
        self.assertEqual((report["table"], report["partitions"], report["app_envs_kept"]), ("t", 2, True))
        text = self.done(*self.run_verb("backup", "--from", self.a.meta, "--table", "t")).out
        self.assertRegex(text, r"^Backed up table t \(2 partitions, .*\) in .*: backup \d+ in local:/A/\d+\n$")
        text = self.done(*self.run_verb("restore", "--to", self.a.meta, "--cluster", "A", "--table", "t",
                                        "--to-table", "again")).out
        self.assertRegex(text, r"^Restored table again \(id \d+, 2 partitions\) in .*\.\n$")
        self.assertEqual(self.rows_of(self.a, "again"), self.rows_of(self.a, "t"))
        listed = json.loads(self.done("backups", "ls", "--config", self.config,
                                      "--store", "local", "--json").out)
        self.assertEqual({backup["state"] for backup in listed}, {"complete"})
        shown = json.loads(self.done("backups", "show", "--config", self.config, "--store", "local", "--json",
                                     "--backup", report["backup_id"]).out)
        self.assertEqual(shown["tables"][0]["partition_count"], 2)
        verdict = json.loads(self.done("backups", "verify", "--config", self.config, "--store", "local", "--json",
                                       "--sample", "50", "--backup", report["backup_id"]).out)
        self.assertEqual(verdict[0]["verdict"], "sampled")
        self.assertLess(verdict[0]["files_read"], verdict[0]["files"])

    def test_what_is_not_there_is_named(self):
        self.failed(3, ["'nothing'", "does not exist"], *self.run_verb("backup", "--from", self.a.meta, "--table", "nothing"))
        self.failed(1, ["invalid backup_provider_type other", "ERR_INVALID_PARAMETERS"], "backup", "--config", self.config,
                    "--store", "other", "--state", self.state, "--quiet", "--from", self.a.meta, "--table", "t")
        self.failed(2, "cluster 'B' is unknown", *self.run_verb("backup", "--from", "B", "--table", "t"))
        self.failed(3, ["no complete backup of table 'nothing'", "pegmove backups ls"],
                    *self.run_verb("restore", "--to", self.a.meta, "--cluster", "A", "--table", "nothing"))
        self.failed(1, "ERR_OBJECT_NOT_FOUND", *self.run_verb("restore", "--to", self.a.meta, "--cluster", "A", "--table",
                                                              "t", "--to-table", "x", "--backup", 7, "--app-id", 1))
        for verb in ("show", "verify", "rm"):
            self.failed(1, ["has no backup 7", "pegmove backups ls"], "backups", verb, "--config", self.config,
                        "--store", "local", "--backup", 7)
        self.failed(1, ["no block service 'other'", "it has: local"], "backups", "ls", "--config", self.config,
                    "--store", "other")

    def test_the_earlier_ways_to_give_an_id_name_the_present_one(self):
        for verb in ("show", "verify", "rm"):
            self.failed(2, ["'1742888751127'", "write --backup 1742888751127"], "backups", *self.words(verb),
                        "1742888751127")
            self.failed(2, "--backup is required", "backups", *self.words(verb))
        self.failed(2, "--backup-id is named --backup now", *self.run_verb(
            "restore", "--to", self.a.meta, "--cluster", "A", "--table", "t", "--backup-id", 7))

    def test_a_table_that_is_there_is_not_restored_over(self):
        self.done(*self.run_verb("backup", "--from", self.a.meta, "--table", "t"))
        self.failed(3, ["already has a table 't'", "--to-table"],
                    *self.run_verb("restore", "--to", self.a.meta, "--cluster", "A", "--table", "t"))

    def test_nothing_is_removed_without_yes(self):
        report = json.loads(self.done(*self.run_verb("backup", "--from", self.a.meta, "--table", "t", "--json")).out)
        words = ["--config", self.config, "--store", "local", "--backup", report["backup_id"]]
        self.failed(2, "--yes", "backups", "rm", *words)
        self.done("backups", "verify", *words)
        self.done("backups", "rm", *words, "--yes")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "store", "A", str(report["backup_id"]))))

    def test_paths_that_lead_out_are_refused(self):
        self.failed(2, "must not have a part '.' or '..'", *self.run_verb("backup", "--from", self.a.meta, "--table",
                                                                             "t", "--path", "../x"))
        self.failed(2, "must not have a part '.' or '..'", "backups", "ls", "--config", self.config, "--store", "local",
                    "--path", "a/../../b")

    def test_what_the_documentation_types(self):
        """As it stands there, but for names and ids."""
        shell = lambda text: self.done("shell", "--cluster", self.a.meta, "-e", text).out
        outcome = shell("backup 1 local /user/pegasus/backup")
        self.assertRegex(outcome, r"\[hint\]: Backup succeed: metadata of app 1 has been successfully backed up")
        backup = re.search(r"BackupID: (\d+)", outcome)[1]
        self.wait_until(lambda: "completed" in shell(f"query-backup-status 1 {backup}"), "the backup's end")
        outcome = shell(f"restore -c A -a t -i 1 -t {backup} -b local -r /user/pegasus/backup -n typed")
        self.assertRegex(outcome, r"(?s)^new AppID: \d+\nWait table \"typed\" become healthy \.\.\.\n.*100%\nDone!\n$")
        self.assertEqual(self.rows_of(self.a, "typed"), self.rows_of(self.a, "t"))

    def test_the_shell_says_what_is_wrong(self):
        for command, says in (("backup", "USAGE"), ("backup x local", "is no id of a table"),
                              ("backup 99 local", "ERR_APP_NOT_EXIST"), ("backup 1 nothing", "ERR_INVALID_PARAMETERS"),
                              ("query-backup-status 99", "ERR_INVALID_PARAMETERS"), ("restore -c A", "cannot be empty"),
                              ("restore_app -c A -a t -i 1 -t 7 -b local", "ERR_OBJECT_NOT_FOUND"),
                              ("query_restore_status 99", "invalid restore_app_id(99)"),
                              ("query_restore_status 0", "invalid restore_app_id(0)"),
                              ("add_backup_policy -p x -b local -a 1 -i 5 -s 1:00 -c 1", "backup interval"),
                              ("add_backup_policy -p x -b local -a 1 -i 86400 -s 25:00 -c 1", "invalid start time"),
                              ("add_backup_policy -p x-y -b local -a 1 -i 86400 -s 1:00 -c 1", "should match regex"),
                              ("add_backup_policy -p x -b local -a 77 -i 86400 -s 1:00 -c 1", "invalid app 77"),
                              ("modify_backup_policy -p nothing", "ERR_INVALID_PARAMETERS"),
                              ("query_backup_policy -p nothing", "invalid policy_name nothing"),
                              ("disable_backup_policy", "invalid command")):
            outcome = self.run_words("shell", "--cluster", self.a.meta, "-e", command)
            self.assertEqual(outcome.code, 1, str(outcome))
            self.assertIn(says.lower(), (outcome.out + outcome.err).lower(), str(outcome))


class Configuration(CliTest):
    def start(self, text):
        folder = self.own_folder()
        config = os.path.join(folder, "c.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        return ["cluster", "start", "--name", "A", "--data", os.path.join(folder, "data"), "--meta-port", 0, "--config",
                config]

    def test_wrong_sections_are_named_at_the_start(self):
        for text, says in (("[block_service.x]\nargs = /a\n", "[block_service.x]"),
                           ("[block_service.x]\ntype = tape\nargs = /a\n", "local_service, hdfs_service and s3_service"),
                           ("[block_service.x]\ntype = local_service\nargs = a\n", "one absolute path"),
                           ("[block_service.x]\ntype = hdfs_service\nargs = hdfs://ns/\n", "HADOOP_CONF_DIR"),
                           ("[block_service.x]\ntype = s3_service\nargs = http://h b\n", "AWS_ACCESS_KEY_ID"),
                           ("[replication]\ncold_backup_root = a/b\n", "cold_backup_root")):
            self.failed(2, says, *self.start(text))

    def test_a_cluster_without_a_store_says_how_to_give_it_one(self):
        cluster = self.cluster()
        self.create(cluster, "t", 1)
        self.failed(1, ["no backup service", "cold_backup_disabled", "[block_service.NAME]"], "backup", "--from", cluster.meta,
                    "--table", "t", "--store", "x", "--state", os.path.join(self.folder, "j.db"), "--quiet")
        outcome = self.run_words("shell", "--cluster", cluster.meta, "-e", "ls_backup_policy")
        self.assertIn("ERR_SERVICE_NOT_ACTIVE", outcome.err, str(outcome))

    def test_secrets_are_in_no_error(self):
        for text in ("[block_service.x]\ntype = s3_service\nargs = http://k:hunter2@h b\n",
                     "[block_service.x]\ntype = s3_service\nargs = http://h b secret_key=hunter2\n",
                     "[block_service.x]\ntype = hdfs_service\nargs = hdfs://h:1/ token=hunter2\n"):
            outcome = self.failed(2, "[block_service.x]", *self.start(text))
            self.assertNotIn("hunter2", outcome.err)
