"""Runs the steps of stages, several at once: those that compile one at a time and only with what others leave of
the processors, all others as long as the processors that they declare are there. After a failure all stages that do
not need the failed one still run: one run shows all that fails."""
import contextlib
import ctypes
import os
import pathlib
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

PR_SET_CHILD_SUBREAPER = 36
SHOWN_LINES = 400  # of a failed stage's output
LAST_LINES = 20  # of them, shown once more at the end


@dataclass(frozen=True)
class Step:
    command: str  # in shell syntax, but run without a shell
    cores: float = 1  # kept busy on average
    compiles: bool = False


@dataclass(frozen=True)
class Stage:
    name: str
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()  # stages that run before it, if they run at all
    shown: bool = False  # its output is shown even when it passes


class Interrupted(Exception):
    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass
class Running:
    stage: Stage
    step: int
    process: subprocess.Popen
    start: float
    descriptor: int  # becomes readable when the process ends


@dataclass
class Scheduler:
    """`logs` gets a file NAME.log for each stage. Each has its own folder for temporary files."""
    stages: list[Stage]
    root: pathlib.Path
    logs: pathlib.Path
    cores: float
    end_limit_s: float = 20  # between asking processes to end and killing them
    report_every_s: float = 60  # while no stage ends
    running: dict[int, Running] = field(default_factory=dict)  # by process
    spent: dict[str, float] = field(default_factory=dict)  # seconds, of stages that have begun
    passed: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)  # since stages that they need failed

    def run(self):
        """0 when all stages passed, 1 when some failed, 128 and the signal's number when it was interrupted. No
        process that was started here is left in any case."""
        start = time.monotonic()
        self.adopt_orphans()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pegmove-test-"))
        self.logs.mkdir(parents=True, exist_ok=True)
        before = {number: signal.signal(number, self.interrupt)
                  for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            waiting = self.begin([(stage, 0) for stage in self.stages])
            while self.running:
                ended, code = self.next_end()
                if code != 0:
                    self.failed.append(ended.stage.name)
                    self.show_failure(ended)
                elif ended.step + 1 < len(ended.stage.steps):
                    waiting.insert(0, (ended.stage, ended.step + 1))
                else:
                    self.show_success(ended.stage)
                waiting = self.begin(waiting)
        except Interrupted as interrupted:
            say(f"interrupted by {interrupted}: ending {', '.join(self.names_running()) or 'nothing'}")
            return 128 + interrupted.number
        finally:
            for number in before:
                signal.signal(number, signal.SIG_IGN)
            end_children(self.end_limit_s)
            for one in self.running.values():
                one.process.returncode = -signal.SIGKILL  # its real exit code does not matter
                os.close(one.descriptor)
            remove_folders(self.folder, self.failed)
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.failed:
            for name in self.failed:
                say("\n".join([f"== {name}: FAILED, its last lines:", *self.lines_of(name)[-LAST_LINES:]]))
            say(f"FAILED in {time.monotonic() - start:.0f} s: {', '.join(self.failed)}" +
                (f"; not run: {', '.join(self.not_run)}" if self.not_run else ""))
            return 1
        say(f"all {len(self.stages)} stages passed in {time.monotonic() - start:.0f} s")
        return 0

    def begin(self, waiting):
        """Starts what can be started now; returns the others, without those that cannot run any more."""
        for stage, _ in waiting:
            if {*self.failed, *self.not_run}.intersection(stage.needs):
                self.not_run.append(stage.name)
        return [one for one in waiting if one[0].name not in self.not_run and not self.begun(*one)]

    @staticmethod
    def interrupt(number, _):
        raise Interrupted(number)

    @staticmethod
    def adopt_orphans():
        """Processes whose parent ends become children of this one, detached clusters too: so all can be ended."""
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")

    def names_running(self):
        return [one.stage.name for one in self.running.values()]

    def fits(self, step):
        running = [one.stage.steps[one.step] for one in self.running.values()]
        if step.compiles:
            return not any(other.compiles for other in running)
        busy = [other.cores for other in running if not other.compiles]
        return not busy or sum(busy) + step.cores <= self.cores

    def begun(self, stage, number):
        """Starts the step if it can be started now."""
        wanted = {one.name for one in self.stages}
        if not wanted.intersection(stage.needs) <= self.passed or not self.fits(stage.steps[number]):
            return False
        if number == 0:
            say(f"== {stage.name}")
        temporary = self.folder / stage.name
        temporary.mkdir(exist_ok=True)
        step = stage.steps[number]
        with open(self.log(stage), "wb" if number == 0 else "ab") as log:
            process = subprocess.Popen(
                shlex.split(step.command), cwd=self.root, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(temporary)}, process_group=0,
                preexec_fn=give_way if step.compiles else None)
        self.running[process.pid] = Running(stage, number, process, time.monotonic(), os.pidfd_open(process.pid))
        return True

    def next_end(self):
        """Waits until a step ends: what ran, and its exit code."""
        while True:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                self.wait_for_any()
            if pid not in self.running:  # an orphan of another process
                continue
            ended = self.running.pop(pid)
            os.close(ended.descriptor)
            ended.process.returncode = os.waitstatus_to_exitcode(status)
            took_s = time.monotonic() - ended.start
            name = ended.stage.name
            self.spent[name] = self.spent.get(name, 0) + took_s
            with open(self.log(ended.stage), "a", encoding="utf-8") as log:
                log.write(f"-- {ended.stage.steps[ended.step].command}: {took_s:.1f} s, processors "
                          f"{usage.ru_utime + usage.ru_stime:.1f} s, exit code {ended.process.returncode}\n")
            return ended, ended.process.returncode

    def wait_for_any(self):
        """Until one of those that run ends. Meanwhile it says what runs, so that nobody takes it for dead."""
        ends = select.poll()
        for one in self.running.values():
            ends.register(one.descriptor, select.POLLIN)
        while not ends.poll(self.report_every_s * 1000):
            now = time.monotonic()
            say("   running: " + ", ".join(f"{one.stage.name} {now - one.start:.0f} s" for one in self.running.values()) +
                f"; {len(self.passed)} of {len(self.stages)} stages passed")

    def log(self, stage):
        return self.logs / f"{stage.name}.log"

    def lines_of(self, name):
        return (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()

    def show_failure(self, ended):
        lines = self.lines_of(ended.stage.name)
        if len(lines) > SHOWN_LINES:
            say(f"... {len(lines) - SHOWN_LINES} lines more")
        say("\n".join(lines[-SHOWN_LINES:]))
        say(f"== {ended.stage.name}: FAILED after {self.spent[ended.stage.name]:.0f} s; all output: "
            f"{self.log(ended.stage)}, its temporary files: {self.folder / ended.stage.name}")

    def show_success(self, stage):
        self.passed.add(stage.name)
        if stage.shown:
            say(self.log(stage).read_text(encoding="utf-8", errors="replace").rstrip())
        say(f"== {stage.name}: ok, {self.spent[stage.name]:.0f} s")


def say(text):
    print(text, flush=True)


def give_way():
    """In a child: it gets a tenth of the processors while others want them. Less would delay others, too: a process
    that holds the file system's log and gets no processor delays every fsync."""
    os.nice(10)


def descendants(pid):
    """Of a process, without dead ones."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
                if state not in "ZX":
                    parents[int(entry.name)] = int(parent)
    found, last = [], {pid}
    while last:
        last = {child for child, parent in parents.items() if parent in last}
        found += last
    return found


def end_children(limit_s):
    """Ends all processes below this one: asks them, then kills them. Their parents' ends make them children."""
    class Late(Exception):
        pass

    def be_late(*_):
        raise Late

    before = signal.signal(signal.SIGALRM, be_late)
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ChildProcessError, Late):
                signal.setitimer(signal.ITIMER_REAL, limit_s)
                send_to_all(number)
                while True:
                    os.wait()
                    if number == signal.SIGKILL:
                        send_to_all(number)  # processes started meanwhile
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)


def send_to_all(number):
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def remove_folders(folder, kept):
    """All folders in it but those named in `kept`; disks that are still mounted there are unmounted first."""
    with open("/proc/mounts", encoding="utf-8") as mounts:
        places = [line.split()[1] for line in mounts]
    for place in places:
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=False)
    for one in folder.iterdir():
        if one.name not in kept:
            shutil.rmtree(one, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def choose(stages, names):
    """Those of these names, all if there are none; exits with 2 when there is no such stage."""
    known = [stage.name for stage in stages]
    if wrong := [name for name in names if name not in known]:
        print(f"no such stage: {' '.join(wrong)}; there are {' '.join(known)}", file=sys.stderr)
        sys.exit(2)
    return [stage for stage in stages if not names or stage.name in names]
