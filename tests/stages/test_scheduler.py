"""The scheduler's own tests: what runs at once, what waits, and that nothing is left of what it started."""
import contextlib
import io
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from scheduler import Scheduler, Stage, Step, choose, descendants  # noqa: E402

HERE = pathlib.Path(__file__).parent
# Takes the first two words as fifos: writes a line into one and reads one from the other. Two of
# them, each with the fifos of the other, can end only when they run at the same time.
MEET = "import sys; out = open(sys.argv[1], 'w'); out.write('x'); out.close(); open(sys.argv[2]).read()"


def python(text, *arguments):
    """The command that runs this program; it may have several lines, and no double quotes."""
    text = "exec(bytes.fromhex('" + text.encode().hex() + "'))"
    return " ".join(["python3", "-c", f'"{text}"', *map(str, arguments)])


class SchedulerTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stages-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.said = ""

    def run_stages(self, *stages, cores=2, report_every_s=60, output=None):
        scheduler = Scheduler(list(stages), self.folder, self.folder / "logs", cores, 0.2, report_every_s)
        with contextlib.redirect_stdout(output or io.StringIO()) as said:
            code = scheduler.run()
        self.said = said.getvalue()
        self.assertEqual(descendants(os.getpid()), [], "processes are left")
        self.assertEqual(scheduler.folder.exists(), code == 1, "only a stage that failed keeps its files")
        shutil.rmtree(scheduler.folder, ignore_errors=True)
        return code

    def noting(self, name):
        """A command that adds its name to the file `order`."""
        return python(f"open('{self.folder}/order', 'a').write('{name} ')")

    def order(self):
        return (self.folder / "order").read_text(encoding="utf-8").split()

    def meeting(self, **more):
        one, other = (self.folder / name for name in ("one", "other"))
        for fifo in (one, other):
            os.mkfifo(fifo)
        return [Step(python(MEET, one, other), **more), Step(python(
            "import sys; open(sys.argv[1]).read(); out = open(sys.argv[2], 'w'); out.write('x'); out.close()", one,
            other), **more)]

    def test_all_run_and_are_counted(self):
        self.assertEqual(self.run_stages(Stage("a", (Step("true"),)), Stage("b", (Step("true"), Step("true")))), 0)
        self.assertRegex(self.said, r"(?m)^== a$")
        self.assertRegex(self.said, r"(?m)^== b: ok, \d+ s$")
        self.assertRegex(self.said, r"all 2 stages passed in \d+ s\n\Z")

    def test_what_runs_is_said_while_nothing_ends(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)

        class EndsTheStage(io.StringIO):
            """Output that lets the stage end when it was named as running for the first time."""
            is_named = False

            def write(self, text):
                if "running: waits" in text and not self.is_named:
                    self.is_named = True
                    fifo.write_text("x")
                return super().write(text)

        waits = python(f"open('{fifo}').read(1)")
        self.assertEqual(self.run_stages(Stage("waits", (Step(waits),)), report_every_s=0.02, output=EndsTheStage()), 0)
        self.assertRegex(self.said, r"(?m)^   running: waits \d+ s; 0 of 1 stages passed$")

    def test_what_a_stage_needs_comes_first(self):
        self.run_stages(Stage("last", (Step(self.noting("last")),), needs=("first", "middle")),
                        Stage("middle", (Step(self.noting("m1")), Step(self.noting("m2"))), needs=("first",)),
                        Stage("first", (Step(self.noting("first")),)))
        self.assertEqual(self.order(), ["first", "m1", "m2", "last"])

    def test_what_was_not_asked_for_is_not_waited_for(self):
        self.assertEqual(self.run_stages(Stage("b", (Step("true"),), needs=("a",))), 0)

    def test_two_run_at_once_where_there_are_processors(self):
        one, other = self.meeting()
        self.assertEqual(self.run_stages(Stage("a", (one,)), Stage("b", (other,))), 0)

    def test_a_test_runs_beside_a_compiler_however_busy(self):
        one, other = self.meeting(cores=2)
        self.assertEqual(self.run_stages(Stage("a", (Step(one.command, 2, compiles=True),)), Stage("b", (other,))), 0)

    def check_one_after_another(self, step):
        """Each checks whether the other is running."""
        alone = python(textwrap.dedent(f"""
            import os
            os.mkdir('{self.folder}/here')
            sum(range(1_000_000))
            os.rmdir('{self.folder}/here')"""))
        stages = [Stage(name, (Step(alone, **step),)) for name in "abcd"]
        self.assertEqual(self.run_stages(*stages), 0, self.said)

    def test_those_that_need_more_processors_than_there_are_wait_for_each_other(self):
        self.check_one_after_another({"cores": 1.5})
        self.check_one_after_another({"cores": 64})

    def test_compilers_wait_for_each_other(self):
        self.check_one_after_another({"compiles": True})

    def test_compilers_give_way(self):
        niceness = python("import os; print('niceness', os.nice(0))")
        self.run_stages(Stage("a", (Step(niceness, compiles=True), Step(niceness)), shown=True))
        self.assertEqual(re.findall(r"niceness (\d+)", self.said), [str(min(os.nice(0) + 10, 19)), str(os.nice(0))])

    def test_a_failure_shows_the_output_and_all_that_do_not_need_it_still_run(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        # Leaves a child in another session, like detached clusters.
        fails = python(textwrap.dedent(f"""
            import os, signal
            if os.fork() == 0:
                os.setsid()
                signal.signal(signal.SIGTERM, signal.SIG_IGN if os.fork() == 0 else signal.SIG_DFL)
                open('{fifo}', 'w').write('x')
                signal.pause()
            print('why it failed', os.environ['TMPDIR'])
            open('{fifo}').read(1)
            exit(3)"""))
        code = self.run_stages(Stage("fails", (Step(fails), Step(self.noting("second")))),
                               Stage("other", (Step("true"), Step(self.noting("other")))),
                               Stage("never", (Step(self.noting("never")),), needs=("fails",)),
                               Stage("nor", (Step(self.noting("nor")),), needs=("other", "never")),
                               Stage("later", (Step("false"),), needs=("other",)))
        self.assertEqual(code, 1)
        self.assertIn("why it failed", self.said)
        self.assertRegex(self.said, r"(?m)^== fails: FAILED after \d+ s; .*/logs/fails.log")
        self.assertRegex(self.said, r"(?s)== fails: FAILED, its last lines:\n[^=]*why it failed.*\nFAILED in ")
        self.assertRegex(self.said, r"FAILED in \d+ s: fails, later; not run: never, nor\n\Z|"
                                    r"FAILED in \d+ s: later, fails; not run: never, nor\n\Z")
        self.assertEqual(self.order(), ["other"])

    def test_the_files_of_a_stage_that_failed_stay(self):
        files = python("import os; print(open(os.environ['TMPDIR'] + '/kept', 'w').name); exit(1)")
        scheduler = Scheduler([Stage("a", (Step(files),))], self.folder, self.folder / "logs", 2)
        self.addCleanup(lambda: shutil.rmtree(scheduler.folder))
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(scheduler.run(), 1)
        self.assertTrue((scheduler.folder / "a" / "kept").exists())

    def test_an_orphan_of_a_stage_that_passed_is_ended_too(self):
        leaves = python("import os, signal\nif os.fork() == 0: signal.pause()")
        self.assertEqual(self.run_stages(Stage("a", (Step(leaves),))), 0)

    def test_an_interrupt_ends_everything_and_says_so(self):
        """In a separate process, as a terminal or a CI sends it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            program = textwrap.dedent(f"""
                import os, pathlib, signal, sys
                sys.path.insert(0, {str(HERE)!r})
                from scheduler import Scheduler, Stage, Step
                step = Step('''python3 -c "import os, signal; os.kill({{}}, {int(number)}); signal.pause()"'''.format(os.getpid()))
                folder = pathlib.Path({str(self.folder)!r})
                sys.exit(Scheduler([Stage('a', (step,))], folder, folder / 'logs', 2, end_limit_s=0.2).run())""")
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 128 + number, done.stderr)
            self.assertIn(f"interrupted by {number.name}: ending a", done.stdout)

    def test_stages_are_chosen_by_name(self):
        stages = [Stage(name, (Step("true"),)) for name in "abc"]
        self.assertEqual(choose(stages, []), stages)
        self.assertEqual(choose(stages, ["c", "a"]), [stages[0], stages[2]])
        with self.assertRaises(SystemExit) as ended, contextlib.redirect_stderr(io.StringIO()) as said:
            choose(stages, ["a", "d"])
        self.assertEqual(ended.exception.code, 2)
        self.assertIn("no such stage: d; there are a b c", said.getvalue())


class TableTest(unittest.TestCase):
    def test_stages_need_stages_that_exist_and_come_before(self):
        import main
        for stages in (main.TEST, main.LONG):
            names = [stage.name for stage in stages]
            self.assertEqual(len(names), len(set(names)))
            for stage in stages:
                self.assertLessEqual(set(stage.needs), set(names[:names.index(stage.name)]), stage.name)

    def test_the_page_for_contributors_lists_them(self):
        import main
        page = (main.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n## Style\n")[0]
        rows = re.findall(r"(?m)^\| `(\w+)` \| (.*?) \|", page)
        listed = [(name, tuple(re.findall(r"`(\w+)`", needs))) for name, needs in rows[:len(main.TEST)]]
        self.assertEqual(listed, [(stage.name, stage.needs) for stage in main.TEST])
        made = {"bootstrap", "build", "peers"}  # and what builds them
        self.assertEqual({name for name, _ in rows[len(main.TEST):]}, {stage.name for stage in main.LONG} - made)


if __name__ == "__main__":
    unittest.main()
