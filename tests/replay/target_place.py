"""The embedded cluster in the place of a duplication's target: what a real source sent is sent to it, its answers are
compared with the real target's, and its rows in the end with what was sent."""
import json

import harness
from recording import Recording
from replay import Replay
from scripted_peer import ScriptedPeer, patched
from thrift import Reader
from transcript import raw_key

SOURCE_PORTS = {"meta": 34601, "replica": 34801}  # of cluster A in the recordings
PORTS = {**{port: "meta" for port in (34601, 35601, 36601)}, **{port: "replica" for port in (34801, 35801, 36801)}}
SHIPPED = "RPC_RRDB_RRDB_DUPLICATE"
YEAR_2016_S = 1451606400


class RecordedReplay(Replay):
    """Sends what is recorded as it is: points in time are not moved."""

    def __init__(self, idl, codes, recording, cluster):
        super().__init__(idl, codes, recording, cluster.meta, cluster.replicas, False)
        for port, part in PORTS.items():
            self.recorded_side.nodes.learn(port, part)

    def expiry(self, n, seconds):
        return seconds


def arguments(idl, kind, body):
    """The argument that the bytes of a client's request carry."""
    reader = Reader(idl, body)
    reader.take(3)  # type and number of the field
    return reader.value(kind)


class Rows:
    """What a table has after these mutations, by the meaning of the codes alone."""

    def __init__(self, idl, codes):
        self.idl, self.codes, self.rows = idl, codes, {}

    def apply(self, code, raw_message):
        value = arguments(self.idl, self.codes[code][0], raw_message)
        if code == "RPC_RRDB_RRDB_PUT":
            self.rows[value.get("key")] = value.get("value"), value.get("expire_ts_seconds")
        elif code == "RPC_RRDB_RRDB_MULTI_PUT":
            for one in value.get("kvs"):
                self.rows[raw_key(value.get("hash_key"), one.get("key"))] = \
                    one.get("value"), value.get("expire_ts_seconds")
        elif code == "RPC_RRDB_RRDB_REMOVE":
            self.rows.pop(value, None)
        elif code == "RPC_RRDB_RRDB_MULTI_REMOVE":
            for sort_key in value.get("sort_keys"):
                self.rows.pop(raw_key(value.get("hash_key"), sort_key), None)
        else:
            raise AssertionError(f"the recording ships a {code}")

    def shown(self, now_s):
        """The rows as `export` writes them, without those that have expired."""
        out = []
        for key, (value, expiry) in self.rows.items():
            if expiry and expiry <= now_s - YEAR_2016_S:
                continue
            size = int.from_bytes(key[:2], "big")
            out.append([key[2:2 + size].decode(), key[2 + size:].decode(), value.decode()])
        return sorted(out)


def exported(cluster, table, folder):
    done = harness.run_program(["export", "--cluster", cluster.meta, "--table", table, "--quiet", "-"], folder)
    if done.code != 0:
        raise AssertionError(str(done))
    rows = [json.loads(line) for line in done.out.splitlines()]
    return sorted([one["hash_key"], one.get("sort_key", ""), one.get("value", "")] for one in rows)


def row_differences(expected, found):
    """As differences of a report: the rows that only one side has."""
    left, right = ({tuple(row) for row in rows} for rows in (expected, found))
    return [(f"row {row[0]}/{row[1]}", row[2][:80], "(absent)") for row in sorted(left - right)] + \
           [(f"row {row[0]}/{row[1]}", "(absent)", row[2][:80]) for row in sorted(right - left)]


class TargetPlace:
    """What was sent to the recorded cluster B."""
    READ = Recording
    OWN_NAME, RECEIVERS = "onebox2", ("B.meta", "B.replica1")

    def __init__(self, idl, codes, recording):
        self.idl, self.codes, self.recording = idl, codes, recording
        self.replay, self.rows = None, Rows(idl, codes)

    @staticmethod
    def others():
        """The clusters that ours knows."""
        return {}

    def start(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        self.replay = self.make_replay()

    def make_replay(self):
        return RecordedReplay(self.idl, self.codes, self.recording, self.cluster)

    def close(self):
        if self.replay:
            self.replay.close()

    def run(self, report, now_s):
        self.replay.make_tables()
        table = ""
        for exchange in self.recording.requests_to(*self.RECEIVERS):
            report.add(exchange, *self.replay.step(exchange))
            if exchange.request.name == SHIPPED:
                for entry in exchange.request.value.get("entries"):
                    self.rows.apply(entry.get("task_code"), entry.get("raw_message"))
            else:
                table = exchange.request.value.get("app_name")
        self.check_rows(report, table, now_s)
        if uninvited := self.replay.uninvited():
            report.add(None, None, uninvited)

    def check_rows(self, report, table, now_s):
        found = exported(self.cluster, table, self.folder)
        report.add(None, None, row_differences(self.rows.shown(now_s), found))


class FollowerReplay(RecordedReplay):
    """The table is made as a follower of the scripted source."""

    def __init__(self, idl, codes, recording, cluster, source):
        super().__init__(idl, codes, recording, cluster)
        self.source = source

    def mapped(self, n, kind, value, name=""):
        if name == "envs":
            ports = SOURCE_PORTS["meta"], self.source.ports["meta"]
            return {key: patched(text.encode(), *ports).decode() for key, text in value.items()}
        return super().mapped(n, kind, value, name)

    def may_change(self, exchange, comparison):
        """The recorded source asked again with "created" ten seconds later, when the copies had ended long before."""
        if exchange.request.name == "RPC_CM_CREATE_APP":
            return any(path == "err" for path, _, _ in comparison.found) and self.may_poll()
        return super().may_change(exchange, comparison)


class FollowerPlace(TargetPlace):
    """With -s: the target fetches the checkpoints from a source that answers as the recorded one. What it asks is
    compared, too: the order of the questions for each partition, and each field but the folder that it copies to."""
    LASTING_ROWS = 1800  # of the checkpoint; about 100 others have an expiry that has passed since

    def __init__(self, idl, codes, recording):
        super().__init__(idl, codes, recording)
        self.source, self.answers = None, {}
        for exchange in self.recording.requests_to("A.meta", "A.replica1"):
            if exchange.sender == "B.replica1":
                self.answers[self.question(exchange.request.name, exchange.request.body)] = exchange
        self.asked, self.strangers = [], []
        self.source = ScriptedPeer(self.idl, self.codes, self.answer)

    def make_replay(self):
        return FollowerReplay(self.idl, self.codes, self.recording, self.cluster, self.source)

    def close(self):
        super().close()
        self.source.close()

    def question(self, name, body):
        """What a question is about: the body without addresses and without the folder to copy to."""
        if self.source:
            for part, port in SOURCE_PORTS.items():
                body = patched(body, self.source.ports[part], port)
        if name in ("RPC_NFS_COPY", "RPC_NFS_GET_FILE_SIZE"):
            number = 3 if name == "RPC_NFS_COPY" else 2
            body = without_text(body, number)
        return name, body

    def answer(self, asked):
        """For the scripted source."""
        question = self.question(asked.request.name, asked.request.body)
        exchange = self.answers.get(question)
        if exchange is None:
            self.strangers.append(question)
            return b"", "ERR_HANDLER_NOT_FOUND"
        self.asked.append(question)
        body = exchange.answer.body
        for part, port in SOURCE_PORTS.items():
            body = patched(body, port, self.source.ports[part])
        return body, exchange.answer.error

    def check_rows(self, report, table, now_s):
        """Those of the checkpoint are in the recorded files: only their number is known, and what was shipped."""
        found = exported(self.cluster, table, self.folder)
        differences = [one for one in row_differences(self.rows.shown(now_s), found) if one[2] == "(absent)"]
        if len(found) < self.LASTING_ROWS:
            differences.append(("rows", f"at least {self.LASTING_ROWS}", len(found)))
        missing = [question for question in self.answers if question not in self.asked]
        differences += [("question", repr(question)[:300], "(not asked)") for question in missing]
        differences += [("question", "(not asked)", repr(question)[:600]) for question in self.strangers]
        report.add(None, None, differences + [("trouble", None, text) for text in self.source.troubles])


def without_text(body, number):
    """An NFS request's body without the text in its field of this number. Its field 1 is an rpc_address."""
    at = 3 + 3 + 8
    while body[at] == 0x0B:
        found, size = int.from_bytes(body[at + 1:at + 3], "big"), int.from_bytes(body[at + 3:at + 7], "big")
        if found == number:
            return body[:at] + body[at + 7 + size:]
        at += 7 + size
    raise AssertionError(f"no field {number} in {body.hex()}")
