"""pegmove shell as a script, where the config file is looked for, and the help."""
import os
import pathlib
import re

from harness import CliTest, follows_modes, row

VERBS = [["copy"], ["backup"], ["restore"], ["split"], ["load"], ["check"], ["list"], ["status"], ["pause"], ["resume"],
         ["cancel"], ["set"], ["forget"], ["verify"], ["diff"], ["repair"], ["backups"], ["backups", "ls"],
         ["backups", "show"], ["backups", "verify"], ["backups", "rm"], ["import"], ["export"], ["cluster"],
         ["cluster", "start"], ["cluster", "stop"], ["cluster", "status"], ["metaproxy"], ["relay"], ["relay", "seal"], ["shell"], ["routes"],
         ["routes", "ls"], ["routes", "show"], ["routes", "set"], ["hot"], ["cutover"], ["rollback"], ["complete"],
         ["guard"]]
README = pathlib.Path(__file__).parents[2] / "README.md"


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

    def test_an_open_quote_is_an_error_from_a_file_and_from_a_pipe(self):
        self.create(self.a, "quotes", 1)
        lines = "set k s dogs'\nset k2 s2 cats'\n"
        self.write_script("use quotes\nset k0 s0 v\n" + lines)
        for words in ([self.script], ["-e", "use quotes; set k0 s0 v\n" + lines]):
            outcome = self.failed(1, ["line ", "quote is not closed", "No command was run"], "shell", "--cluster",
                                  self.a.meta, *words)
            self.assertNotIn("OK", outcome.err)
        self.assertEqual(self.rows_of(self.a, "quotes"), [])
        outcome = self.done("shell", "--cluster", self.a.meta, stdin=("use quotes\n" + lines).encode())
        self.assertEqual(outcome.err.count("Invalid argument(s)"), 2, str(outcome))
        self.assertEqual(self.rows_of(self.a, "quotes"), [])

    def test_commands_from_a_pipe_have_the_frame_of_pegasuss_shell(self):
        self.create(self.a, "framed", 1, [row("h", "s", "v")])
        self.create(self.a, "framed_copy", 2)
        config = os.path.join(self.own_folder(), "shell.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[pegasus.clusters]\nmycluster = {self.a.meta}\n")
        commands = "nonsense\nuse framed\ncopy_data -c mycluster -a framed_copy\nget h s\nexit\n"
        self.write_script(commands)
        for words in (["--cluster", self.a.meta, "--config", config], ["--config", config]):
            with open(self.script, "rb") as file:
                outcome = self.done("shell", *words, stdin=file.read())
            self.assertRegex(outcome.out, "\n".join((
                r"\APegasus Shell \S.*", 'Type "help" for more information.',
                'Type "Ctrl-D" or "Ctrl-C" to exit the shell.', "", f"The config file is: {re.escape(config)}",
                "The cluster name is: A", f"The cluster meta list is: {re.escape(self.a.meta)}", '"v"',
                r"dsn exit with code 0\n\Z")))
            self.assertRegex(outcome.err, r"(?m)^Copy done, total 1 rows\.$")
        self.assertEqual(self.rows_of(self.a, "framed_copy"), [row("h", "s", "v")])
        for words in (["-e", "get h s; use"], [self.script]):
            outcome = self.run_words("shell", "--cluster", self.a.meta, *words)
            self.assertNotIn("The c", outcome.out)
            self.assertNotIn("dsn exit", outcome.out)

    def test_a_folder_is_no_script(self):
        for name in (self.own_folder(), "", "/dev/null/x"):
            self.failed(2, ["script", name], "shell", "--cluster", self.a.meta, name, stdin=b"create made_by_folder\n")
        self.assertNotIn("made_by_folder", self.tables_of(self.a))

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
            self.assertTrue(f"{first} ".startswith(f"Example: pegmove {' '.join(verb)} "), first)

    def test_help_and_version_succeed_and_no_verb_is_a_usage_error(self):
        shown = self.done("--help").out
        for verb in VERBS:
            self.assertIn(verb[0], shown)
        self.assertRegex(self.done("--version").out, r"^pegmove \d+\.\d+")
        self.failed(2, ["no verb was given", "pegmove --help"])
        self.failed(2, ["nonsense"], "nonsense")
        self.failed(2, ["no verb was given", "pegmove cluster --help"], "cluster")

    def test_the_help_of_the_program_is_one_line_a_verb_grouped_as_in_the_readme(self):
        shown, heading = {}, ""
        lines = self.done("--help").out.splitlines()
        for line in lines:
            self.assertLessEqual(len(line), 90, line)
            if line and not line.startswith(" ") and line.endswith(":"):
                heading = line[:-1]
            elif found := re.match(r"  ([a-z][a-z-]*) {2,}[a-z]", line):
                shown.setdefault(heading.lower(), set()).add(found.group(1))
        self.assertEqual(lines[-1], "`pegmove VERB --help` begins with an example and shows all options.")
        self.assertLess(len(lines), 56)
        table = README.read_text(encoding="utf-8").split("| for | verb | what it does |\n|---|---|---|\n")[1]
        documented, heading = {}, ""
        for line in table.split("\n\n")[0].splitlines():
            group, verbs = [cell.strip() for cell in line.split("|")[1:3]]
            heading = group or heading
            words = re.findall(r"`([a-z]+)", verbs.split(", with")[0])
            # `backups ls`, `show`: of one verb.
            words = words[:1] if re.search(r"`[a-z]+ ", verbs) else words
            if not verbs.startswith("`--"):
                documented.setdefault(heading, set()).update(words)
        self.assertEqual(shown, documented)
        self.assertEqual({verb[0] for verb in VERBS}, set().union(*shown.values()))

    def test_the_help_of_a_verb_with_verbs_is_one_line_each(self):
        for verb in ("backups", "cluster", "relay", "routes"):
            shown = self.done(verb, "--help").out
            for words in VERBS:
                if words[0] == verb and len(words) > 1:
                    self.assertRegex(shown, rf"(?m)^  {words[1]} +[a-z].{{10,70}}$")
            self.assertEqual(shown.count("Example:"), 1, shown)

    def test_what_was_mistyped_is_answered_with_what_was_meant(self):
        for words, says in ((["cpoy", "--from", "A"], "unknown verb 'cpoy'; did you mean copy?"),
                            (["backups", "lss"], "unknown verb 'lss'; did you mean ls?"),
                            (["copy", "--form", "A"], "unknown option --form; did you mean --from?"),
                            (["cluster", "start", "--nmae", "A"], "unknown option --nmae; did you mean --name?"),
                            (["restore", "--app_id=3"], "unknown option --app_id; did you mean --app-id?"),
                            (["--cluster", "A", "shell"], "unknown option --cluster; options follow the verb")):
            self.failed(2, says, *words)

    def test_a_word_too_many_is_an_error_of_every_verb(self):
        """Also where verbs take words by their place, and where options take lists."""
        taken = {"import": 1, "export": 1, "shell": 1, "status": 1, "pause": 1, "resume": 1, "cancel": 1,
                 "cutover": 1, "rollback": 1, "complete": 1, "guard": 1}
        for verb in VERBS:
            if verb in (["set"], ["forget"], ["backups"], ["cluster"], ["relay"], ["routes"]):
                continue
            words = [*verb, *["word"] * taken.get(verb[0], 0), "surplus"]
            self.failed(2, "unexpected argument 'surplus'", *words)
        self.failed(2, "unexpected argument 'surplus'", "split", "--engine", "spark", "--spark-conf", "a=b", "surplus")
        self.failed(2, "unexpected argument 'surplus'", "copy", "--partition", 1, "surplus")


class FoldersForFiles(CliTest):
    def test_a_folder_in_place_of_a_file_is_an_error(self):
        a = self.shared_cluster()
        self.create(a, "t", 1, [row("h", "s", "v")])
        folder = self.own_folder()
        self.create(a, "u", 1)
        tables = ["--from", a.meta, "--to", a.meta, "--table", "t", "--to-table", "u"]
        for words in (["shell", "--cluster", a.meta, folder],
                      ["shell", "--cluster", a.meta, "-e", f"use t; full_scan -o {folder}"],
                      ["import", "--cluster", a.meta, "--table", "t", folder],
                      ["export", "--cluster", a.meta, "--table", "t", folder],
                      ["diff", *tables, "--output", folder],
                      ["verify", *tables, "--certificate", folder],
                      ["verify", *tables, "--state", folder],
                      ["repair", *tables, "--differences", folder],
                      ["list", "--state", folder],
                      ["check", *tables, "--config", folder],
                      ["cluster", "start", "--name", "X", "--meta-port", 0, "--data", os.path.join(folder, "data"),
                       "--config", folder]):
            outcome = self.run_words(*words)
            self.assertNotEqual(outcome.code, 0, str(outcome))
            self.assertIn(folder, outcome.err, str(outcome))
        self.assertEqual(os.listdir(folder), [])
        self.assertEqual(self.rows_of(a, "t"), [row("h", "s", "v")])

    def test_a_file_in_place_of_a_data_folder_is_an_error(self):
        path = os.path.join(self.own_folder(), "file")
        with open(path, "w", encoding="utf-8") as file:
            file.write("not a folder")
        for words in (["start", "--name", "X", "--meta-port", 0], ["stop"], ["status"]):
            outcome = self.run_words("cluster", *words, "--data", path)
            self.assertIn(outcome.code, (1, 2, 3), str(outcome))
            self.assertIn(path, outcome.err + outcome.out, str(outcome))
