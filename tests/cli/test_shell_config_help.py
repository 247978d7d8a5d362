"""pegmove shell as a script, where the config file is looked for, and the help."""
import os
import re

from harness import CliTest, follows_modes, row

VERBS = [["copy"], ["verify"], ["import"], ["export"], ["cluster"], ["cluster", "start"], ["cluster", "stop"],
         ["cluster", "status"], ["shell"]]


class Shell(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster()

    def setUp(self):
        self.script = os.path.join(self.own_folder(), "script")

    def write_script(self, text):
        with open(self.script, "w", encoding="utf-8") as file:
            file.write(text)

    def test_a_script_stops_at_the_first_command_that_fails(self):
        self.create(self.a, "stops", 1)
        for commands, code in (("use stops; set h s v; nonsense; set h s changed", 1),
                               ("use stops; set_app_envs a; set h s changed", 1),
                               ("use stops; create bad-name; create made", 1), ("use stops; get h s", 0)):
            outcome = self.run_words("shell", "--cluster", self.a.meta, "-e", commands)
            self.assertEqual(outcome.code, code, str(outcome))
            self.write_script(commands.replace(";", "\n"))
            outcome = self.run_words("shell", "--cluster", self.a.meta, self.script)
            self.assertEqual(outcome.code, code, str(outcome))
        self.assertEqual(self.rows_of(self.a, "stops"), [row("h", "s", "v")])
        self.assertNotIn("made", self.tables_of(self.a))

    def test_what_is_wrong_is_named(self):
        self.failed((2, 3), ["nothing.txt"], "shell", "--cluster", self.a.meta, "nothing.txt")
        self.failed(2, ["'unknown'", "is unknown"], "shell", "--cluster", "unknown", "-e", "ls")
        self.failed(2, ["--cluster"], "shell", "-e", "ls")
        self.failed(2, [], "shell", "--cluster", self.a.meta, "-e", "ls", "file")
        self.failed((1, 3), ["127.0.0.1:1", "no meta server"], "shell", "--cluster", "127.0.0.1:1", "-e", "timeout 1000")

    def test_no_commands_do_nothing(self):
        outcome = self.done("shell", "--cluster", self.a.meta, "-e", "", stdin=b"create made_from_stdin\n")
        self.assertEqual(outcome.out, "")
        self.assertNotIn("made_from_stdin", self.tables_of(self.a))
        self.write_script("")
        self.done("shell", "--cluster", self.a.meta, self.script)


class ConfigFile(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster()

    def setUp(self):
        self.place = self.own_folder()

    def config(self, name, cluster):
        path = os.path.join(self.place, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[other]\nx = y\n[pegasus.clusters]\n  {cluster} = {self.a.meta}\n")
        return path

    def knows(self, *more, env=None):
        """The names of the clusters that the program knows when it runs in self.place."""
        import harness
        outcome = harness.run_program(["shell", "--cluster", "nobody", "-e", "ls", *more], self.place, env=env)
        self.assertEqual(outcome.code, 2, str(outcome))
        found = re.search(r" has the clusters((?: \S+)*);", outcome.err)
        return found.group(1).split() if found else []

    def test_the_places_in_their_order(self):
        self.assertEqual(self.knows(), [])
        self.config(".config/pegmove/config.ini", "home")
        self.assertEqual(self.knows(), ["home"])
        self.config("config.ini", "here")
        self.assertEqual(self.knows(), ["here"])
        env = {"PEGMOVE_CONFIG": self.config("env.ini", "environment")}
        self.assertEqual(self.knows(env=env), ["environment"])
        self.assertEqual(self.knows("--config", self.config("given.ini", "given"), env=env), ["given"])

    def test_a_named_cluster_is_used(self):
        path = self.config("given.ini", "mine")
        self.assertIn("app_id", self.done("shell", "--config", path, "--cluster", "mine", "-e", "ls").out)
        self.assertIn("app_id", self.done("shell", "--config", path, "-e", "ls").out)

    def test_a_file_that_is_asked_for_must_be_there_and_be_an_ini(self):
        words = ["shell", "--cluster", self.a.meta, "-e", "ls"]
        self.failed(2, ["nothing.ini"], *words, "--config", "nothing.ini")
        self.failed(2, ["nothing.ini"], *words, env={"PEGMOVE_CONFIG": "nothing.ini"})
        path = os.path.join(self.place, "bad.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[pegasus.clusters]\na = 1.2.3.4:1\nno equals sign\n")
        self.failed(2, [path, "line 3"], *words, "--config", path)
        with open(path, "w", encoding="utf-8") as file:
            file.write("[pegasus.clusters]\nbad = somewhere\n")
        self.failed(2, [path, "'bad'", "'somewhere'"], "shell", "--cluster", "bad", "-e", "ls", "--config", path)
        self.failed(2, ["directory", self.place], *words, "--config", self.place)

    def check_home(self, home, says, **more):
        """A home that cannot be looked at is no error as long as nothing of it is needed."""
        env = {"HOME": home}
        words = ["--from", self.a.meta, "--to", self.a.meta, "--table", "t"]
        self.assertIn("app_id", self.done("shell", "--cluster", self.a.meta, "-e", "ls", env=env, **more).out)
        self.done("shell", "--cluster", self.a.meta, env=env, stdin=b"ls\n", **more)
        self.failed(2, ["'nobody' is unknown", home, says, "--config"], "shell", "--cluster", "nobody", "-e", "ls", env=env,
                    **more)
        self.failed(1, ["journal", home, "--state"], "list", env=env, **more)
        self.failed(1, ["journal", home, "--state"], "copy", *words, "--to-table", "u", "--create", env=env, **more)
        self.done("check", *words, "--to-table", "v", "--create", env=env, **more)
        self.done("copy", *words, "--to-table", "copy" + str(len(says)), "--create", "--state",
                  os.path.join(self.place, "journal.db"), env=env, **more)

    def test_a_home_that_cannot_be_looked_at(self):
        if "t" not in self.tables_of(self.a):
            self.create(self.a, "t", 1, [row("h", "s", "v")])
        circle = os.path.join(self.place, "circle")
        os.symlink(circle, circle)
        self.check_home(circle, "Too many levels of symbolic links")
        locked = os.path.join(self.place, "locked")
        os.mkdir(locked)
        os.chmod(locked, 0)
        self.check_home(locked, "Permission denied", preexec_fn=follows_modes)

    def test_a_folder_of_work_that_is_gone(self):
        gone = os.path.join(self.place, "gone")
        words = ["--from", self.a.meta, "--to", self.a.meta, "--table", "t", "--to-table", "w"]

        def leave():
            os.mkdir(gone)
            os.chdir(gone)
            os.rmdir(gone)
        self.failed(3, ["working directory", "c.json"], "verify", *words, "--certificate", "c.json", preexec_fn=leave)
        self.failed(1, ["working directory", "j.db"], "list", "--state", "j.db", preexec_fn=leave)

    def test_long_lines_are_read_whole(self):
        path = os.path.join(self.place, "long.ini")
        names = ",".join(["127.0.0.1:1"] * 40 + [self.a.meta])
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"# {'x' * 5000}\n[pegasus.clusters]\nlong = {names}\n")
        self.assertIn("app_id", self.done("shell", "--config", path, "--cluster", "long", "-e", "ls").out)


class Help(CliTest):
    def test_the_help_of_every_verb_begins_with_an_example_that_names_it(self):
        for verb in VERBS:
            first = self.done(*verb, "--help").out.splitlines()[0]
            self.assertTrue(first.startswith(f"Example: pegmove {' '.join(verb)} "), first)

    def test_help_and_version_succeed_and_no_verb_is_a_usage_error(self):
        shown = self.done("--help").out
        for verb in VERBS:
            self.assertIn(verb[0], shown)
        self.assertRegex(self.done("--version").out, r"^pegmove \d+\.\d+")
        self.failed(2, [], )
        self.failed(2, ["nonsense"], "nonsense")
        self.failed(2, [], "cluster")
