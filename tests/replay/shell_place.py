"""The shell's commands of duplications: what they print, with the embedded cluster as the source, against what the real
shell printed with a real one."""
import os
import re

import harness
from recording import Recording
from source_place import SourcePlace, Target
from target_place import RecordedReplay

PROMPT = "A> "
DUPLICATION_ID = re.compile(r"\b1\d{9}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?")
DECREE = re.compile(r'(_decree"\s*:\s*)(-?\d+)')


class Command:
    """One command with what it printed; as a request and its answer for the report."""

    def __init__(self, n, text):
        self.n, self.name, self.text, self.lines = n, text.split()[0].upper(), text, []
        self.request = self

    @property
    def answer(self):
        return "\n".join(self.lines)

    def __repr__(self):
        return self.text


class Session:
    """The commands of a recorded session. Numbers are those of their lines."""

    def __init__(self, idl, codes, path, name, tables=()):
        self.name, self.exchanges = name, []
        self.dialogue = Recording(idl, codes, os.path.join(os.path.dirname(path), "incremental.jsonl"), name, tables)
        with open(path, encoding="utf-8") as file:
            for self.frame_count, line in enumerate(file, 1):
                if line.startswith(PROMPT):
                    self.exchanges.append(Command(self.frame_count, line.removeprefix(PROMPT).strip()))
                else:
                    self.exchanges[-1].lines.append(line.rstrip("\n"))


def compared_lines(text):
    """What does not vary: without ids, times, trailing spaces and empty lines at the ends; decrees only as known or
    not."""
    text = TIME.sub("<time>", DUPLICATION_ID.sub("<id>", text))
    text = DECREE.sub(lambda found: found[1] + ("none" if int(found[2]) < 0 else "<decree>"), text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


def named(line):
    """The name in a line `name : value`, else nothing."""
    return line.split(" ")[0] if re.match(r"\w+ : ", line) else ""


class ShellPlace(SourcePlace):
    READ = Session

    def __init__(self, idl, codes, recording):
        self.idl, self.codes, self.recording, self.replay = idl, codes, recording, None
        self.target = Target(idl, codes, recording.dialogue, self.RECEIVERS, self.RECORDED_PORTS)

    def start(self, cluster, folder):
        self.cluster, self.folder, self.ids = cluster, folder, {}
        self.replay = RecordedReplay(self.idl, self.codes, self.recording.dialogue, cluster)

    def run(self, report, _):
        self.replay.make_tables()
        for command in self.recording.exchanges:
            words = DUPLICATION_ID.sub(lambda found: self.ids.get(found[0], found[0]), command.text)
            done = harness.run_program(["shell", "--cluster", self.cluster.meta, "-e", words], self.folder)
            ours = done.out + done.err
            self.learn(command.answer, ours)
            report.add(command, ours, self.differences(command.answer, ours))

    def learn(self, recorded, ours):
        """The id that a duplication has here."""
        there, here = (re.search(r"succeed \[.*dupid: (\d+)", text) for text in (recorded, ours))
        if there and here:
            self.ids[there[1]] = here[1]

    @staticmethod
    def differences(recorded, ours):
        there, here = compared_lines(recorded), compared_lines(ours)
        found = [] if len(there) == len(here) else [("lines", len(there), len(here))]
        return found + [(f"line.{index}.{named(one or other)}", one, other)
                        for index, (one, other) in enumerate(zip(there, here), 1) if one != other]
