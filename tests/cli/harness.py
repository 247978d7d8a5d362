"""What the tests share: running the program, clusters of their own."""
import contextlib
import ctypes
import json
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from wait import LIMIT_S, until

LIBC = ctypes.CDLL(None)
PROGRAM = os.environ.get("PEGMOVE", "build/release/pegmove")


class Outcome:
    """How a run of the program ended."""

    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err

    def __str__(self):
        shown = lambda text: text if len(text) < 3000 else text[:3000] + "..."
        return f"{' '.join(self.words)}\nexit {self.code}\n1> {shown(self.out)}\n2> {shown(self.err)}"


class Process:
    """The program in the background; its stderr is read line by line, with a deadline."""

    def __init__(self, words, folder, **more):
        self.words = [str(word) for word in words]
        self.process = subprocess.Popen([PROGRAM, *self.words], stdin=more.pop("stdin", subprocess.DEVNULL),
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
                                        env=environment(folder), **more)
        self.kept = {self.process.stdout: b"", self.process.stderr: b""}
        self.pid = self.process.pid

    def read_until(self, pipe, pattern):
        """Reads on until what came matches; returns the match."""
        end = time.monotonic() + LIMIT_S
        while True:
            found = re.search(pattern, self.kept[pipe].decode(errors="replace"))
            if found:
                return found
            left = end - time.monotonic()
            readable = left > 0 and select.select([pipe], [], [], left)[0]
            piece = os.read(pipe.fileno(), 65536) if readable else b""
            if not piece:
                rest = {name.name: text.decode(errors="replace") for name, text in self.kept.items()}
                self.kill()
                raise AssertionError(f"{self.words}: no {pattern!r} in {rest}")
            self.kept[pipe] += piece

    def stderr_until(self, pattern):
        return self.read_until(self.process.stderr, pattern)

    def stdout_until(self, pattern):
        return self.read_until(self.process.stdout, pattern)

    def signal(self, number):
        self.process.send_signal(number)

    def finish(self):
        """Waits for the end."""
        try:
            out, err = self.process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.words} has not ended within {LIMIT_S} s") from None
        text = lambda pipe, rest: (self.kept[pipe] + rest).decode(errors="replace")
        return Outcome(self.words, self.process.returncode, text(self.process.stdout, out),
                       text(self.process.stderr, err))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr, self.process.stdin):
            if pipe:
                with contextlib.suppress(BrokenPipeError):  # what its stdin still held
                    pipe.close()


def environment(folder, **more):
    """Without the config file and the journal of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PEGMOVE_CONFIG", "XDG_STATE_HOME")}
    return {**kept, "HOME": folder, **more}


def follows_modes():
    """For a child (preexec_fn): what it may do to files depends on their modes alone, also when it is root."""
    drop, override, read_search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    for capability in (override, read_search):
        LIBC.prctl(drop, capability, 0, 0, 0)  # refused to those who have none anyway


def small_files():
    """For a child (preexec_fn): a file takes 4096 bytes, as if the disk were full then."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def run_program(words, folder, stdin=b"", env=None, limit_s=LIMIT_S, preexec_fn=None):
    words = [str(word) for word in words]
    try:
        done = subprocess.run([PROGRAM, *words], input=stdin, capture_output=True, cwd=folder,
                              env=environment(folder, **(env or {})), timeout=limit_s, preexec_fn=preexec_fn)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{' '.join(words)} has not ended within {limit_s} s: {late.stderr}") from None
    return Outcome(words, done.returncode, done.stdout.decode(errors="replace"),
                   done.stderr.decode(errors="replace"))


class Cluster:
    """An embedded cluster, in the foreground of a process of its own; `replicas` None: as many as by default."""
    meta_port = 0  # a free one, another at each start

    def __init__(self, folder, name="A", replicas=1, more=(), **popen):
        self.name, self.top = name, folder
        self.data = os.path.join(folder, "data-" + name) if not popen.get("data") else popen["data"]
        popen.pop("data", None)
        self.replica_servers, self.more, self.popen = replicas, list(more), popen
        self.start()

    def start(self):
        servers = [] if self.replica_servers is None else ["--replica-servers", self.replica_servers]
        self.process = Process(["cluster", "start", "--name", self.name, "--data", self.data,
                                "--meta-port", self.meta_port, *servers, *self.more],
                               self.top, **self.popen)
        self.process.stdout_until("ready; Ctrl-C")
        with open(os.path.join(self.data, "run.json"), encoding="utf-8") as file:
            run = json.load(file)
        self.meta, self.replicas = run["meta"], run["replicas"]
        self.pid = self.process.pid

    def stop(self):
        if self.process.process.poll() is None:
            self.process.signal(signal.SIGTERM)
        return self.process.finish()

    def kill(self):
        self.process.kill()


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def can_connect(address):
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, int(port))) == 0


def row(hash_key, sort_key="", value="", expire_ts=None):
    """A row in the form of JSONL; bytes that are no text go as base64."""
    import base64
    out = {}
    for name, field in (("hash_key", hash_key), ("sort_key", sort_key), ("value", value)):
        if isinstance(field, bytes):
            out[name + "_b64"] = base64.b64encode(field).decode()
        else:
            out[name] = field
    if expire_ts is not None:
        out["expire_ts"] = expire_ts
    return out


def jsonl(rows):
    return "".join(json.dumps(one) + "\n" for one in rows).encode()


def sorted_rows(rows):
    return sorted(rows, key=lambda one: json.dumps(one, sort_keys=True))


class CliTest(unittest.TestCase):
    """A folder for each class, the working directory of everything that it runs."""
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pegmove-cli-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    @classmethod
    def shared_cluster(cls, name="A", replicas=1, more=()):
        cluster = Cluster(cls.folder, name, replicas, more)
        cls.addClassCleanup(cluster.kill)
        return cluster

    def own_folder(self):
        folder = tempfile.mkdtemp(prefix="pegmove-cli-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def cluster(self, name="A", replicas=1, more=(), **popen):
        cluster = Cluster(self.own_folder(), name, replicas, more, **popen)
        self.addCleanup(lambda: cluster.kill())
        return cluster

    def background(self, *words, **more):
        process = Process(words, self.folder, **more)
        self.addCleanup(process.kill)
        return process

    def run_words(self, *words, **more):
        return run_program(words, self.folder, **more)

    def done(self, *words, **more):
        """Runs the program, which must succeed."""
        outcome = self.run_words(*words, **more)
        self.assertEqual(outcome.code, 0, str(outcome))
        return outcome

    def failed(self, codes, says, *words, **more):
        """Runs the program, which must fail with this exit code and say all of this on stderr."""
        outcome = self.run_words(*words, **more)
        codes = codes if isinstance(codes, tuple) else (codes,)
        self.assertIn(outcome.code, codes, str(outcome))
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, outcome.err, str(outcome))
        self.assertEqual(outcome.out, "", "stdout is for results: " + str(outcome))
        return outcome

    def fill(self, cluster, table, rows, *more):
        return self.done("import", "--cluster", cluster.meta, "--table", table, "--quiet", *more, "-",
                         stdin=jsonl(rows))

    def create(self, cluster, table, partitions, rows=(), replicas=1):
        self.done("shell", "--cluster", cluster.meta, "-e", f"create {table} -p {partitions} -r {replicas} -f")
        if rows:
            self.fill(cluster, table, rows)

    def rows_of(self, cluster, table):
        outcome = self.done("export", "--cluster", cluster.meta, "--table", table, "--quiet", "-")
        return sorted_rows(json.loads(line) for line in outcome.out.splitlines())

    def tables_of(self, cluster):
        outcome = self.done("shell", "--cluster", cluster.meta, "-e", "ls -j")
        return re.findall(r'"app_name"\s*:\s*"([^"]*)"', outcome.out)

    def wait_until(self, condition, what):
        return until(condition, what)
