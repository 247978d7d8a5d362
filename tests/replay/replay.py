"""Replays recorded dialogues against a cluster and compares the answers; see tests/replay/run."""
import argparse
import contextlib
import os
import re
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(1, os.path.join(ROOT, "tests", "cli"))

import harness  # noqa: E402
import idl as declarations  # noqa: E402
from compare import Comparison, Side, learn_nodes  # noqa: E402
from connection import Connection, NoAnswer, Questions  # noqa: E402
from differences import DifferenceList, ListError  # noqa: E402
from frames import Answer  # noqa: E402
from rdsn import RdsnAnswer, RdsnConnection  # noqa: E402
from thrift import Struct, ThriftError, shown  # noqa: E402
from transcript import AVAILABLE, FIRST_POINT_IN_TIME_S, Transcript  # noqa: E402
from wait import until  # noqa: E402

UNIX_2016_S = 1451606400
# A record that expires within this time is asked for until it has, when its recorded reader no longer saw it.
LONGEST_WAIT_S = 10
# Such a record lives this much longer, so that a slow machine still sees it alive where the
# recording did.
SPARE_S = 2
DROPPED_AFTER_S = 3600
# Remote commands whose arguments are tables or partitions, and how these are named.
TABLE_COMMANDS = ("replica.kill_partition", "replica.query-app-envs", "replica.query-compact",
                  "replica.query-progress", "replica.trigger-checkpoint")
TABLE_ARGUMENT = re.compile(r"(\d+)((?:\.\d+)?)")
PAUSED = 4  # duplication_status
POLL_S = 0.02
MOST_POLLS = 1000  # of a transcript
# Reads that can be asked twice. SCAN cannot: its context is gone after the first time.
READS = {"RPC_RRDB_RRDB_" + name for name in
         ("GET", "TTL", "BATCH_GET", "MULTI_GET", "SORTKEY_COUNT", "GET_SCANNER")}


def is_paused(answer):
    """Whether a duplication of an answer about one table does not ship."""
    return any(entry.get("status") == PAUSED for entry in answer.get("entry_list", []))


def now_2016_s():
    return time.time() - UNIX_2016_S


class Replay:
    """One transcript against one cluster, whose meta server is at `meta`."""

    def __init__(self, idl, codes, transcript, meta, replicas, is_shared):
        self.idl, self.codes, self.transcript, self.meta, self.replicas = idl, codes, transcript, meta, replicas
        self.is_shared = is_shared  # nobody else's tables and nodes are on the cluster unless it is
        self.recorded_side, self.our_side = Side(), Side({})
        self.ids, self.primaries, self.contexts, self.decrees = {}, {}, {}, {}  # by recorded ids
        self.connections, self.pending = {}, set()  # pending: times at which records expire here
        self.questions = Questions(idl, codes, meta)
        self.made, self.polls_left, self.asked_at_s = [], MOST_POLLS, 0
        for exchange in transcript.exchanges:
            if exchange.answer:
                learn_nodes(self.recorded_side.nodes, exchange.answer.value)
        for address in replicas:
            self.our_side.nodes.learn(harness.port_of(address), "replica")
        self.our_side.nodes.learn(harness.port_of(meta), "meta")

    def close(self):
        for connection in self.connections.values():
            connection.close()
        self.questions.close()

    def make_tables(self):
        """The tables of the recording's start, in the order of their ids."""
        for table in self.transcript.tables:
            number = self.questions.create(table.name, table.partitions)
            self.made.append(table.name)
            self.know_table(table.number, number, self.questions.primaries(table.name, table.partitions))
            if table.reserve_s is not None:
                self.questions.drop(table.name, table.reserve_s)

    def drop_tables(self):
        for name in self.made:
            with contextlib.suppress(NoAnswer):
                self.questions.drop(name, DROPPED_AFTER_S)

    def set_level(self):
        """The meta function level of the recording's start, where it shows and can be set."""
        level = self.transcript.meta_level
        if level is not None:
            with contextlib.suppress(NoAnswer):  # a server that has no levels
                self.questions.ask("RPC_CM_CONTROL_META", level=level)

    def know_table(self, recorded, ours, primaries=()):
        self.ids[recorded] = ours
        self.our_side.tables[ours] = recorded
        for index, address in enumerate(primaries):
            self.primaries[recorded, index] = address

    def connection(self, exchange):
        """The connection that stands for the recorded one; to a meta or a replica server."""
        request = exchange.request
        address = self.meta
        if exchange.peer != "meta":
            address = self.primaries.get((request.app_id, request.partition), self.replicas[0])
        key = (exchange.conn, address)
        if key not in self.connections:
            self.connections[key] = (RdsnConnection if request.is_rdsn else Connection)(address)
        return key, self.connections[key]

    def expiry(self, n, seconds):
        """An expire_ts_seconds of frame n moved to our time. What is no point in time stays."""
        if seconds < FIRST_POINT_IN_TIME_S:
            return seconds
        now_s = int(now_2016_s())
        moved = now_s + seconds - self.transcript.clock.at(n)
        if now_s < moved <= now_s + LONGEST_WAIT_S:
            moved += SPARE_S
            self.pending.add(moved)
        return moved

    def mapped(self, n, kind, value, name=""):
        """A value of a recorded request as this cluster must be sent it."""
        if isinstance(value, Struct) and value.name == "command" and value.get("cmd") not in TABLE_COMMANDS:
            return value
        if kind[0] == "struct":
            declared = {field.name: field.kind for field in self.idl.structs[kind[1]].values()}
            return Struct(value.name, {key: self.mapped(n, declared[key], one, key) if key in declared else one
                                       for key, one in value.fields.items()})
        if kind[0] in ("list", "set"):
            return [self.mapped(n, kind[1], one, name) for one in value]
        if kind == ("custom", "gpid"):
            return (self.ids.get(value[0], value[0]), value[1])
        if kind == ("custom", "rpc_address") and value[1]:
            return (*self.mapped_node(*value[:2]), value[2])
        if kind == ("custom", "host_port") and value[1]:
            return (*self.mapped_node(*value[:2]), value[2])
        if name in ("app_id", "appid"):
            return self.ids.get(value, value)
        if name in ("expire_ts_seconds", "set_expire_ts_seconds"):
            return self.expiry(n, value)
        if name in ("context_id", "backup_id", "time_stamp", "dupid"):
            return self.contexts.get(value, value)
        if name == "arguments" and (place := TABLE_ARGUMENT.fullmatch(value)):
            return str(self.ids.get(int(place[1]), place[1])) + place[2]
        return value

    def mapped_node(self, host, port):
        part = self.recorded_side.nodes.part(host, port)
        address = {"meta": self.meta, "replica": self.replicas[0]}.get(part, f"{host}:{port}")
        return address.rsplit(":", 1)[0], harness.port_of(address)

    def frame(self, exchange):
        """The request's frame for this cluster: as recorded unless something in it must be mapped."""
        request = exchange.request
        recorded = request.app_id, request.value
        request.app_id = self.ids.get(request.app_id, request.app_id)
        if request.value is not None:
            name = "context_id" if request.name == "RPC_RRDB_RRDB_CLEAR_SCANNER" else ""
            request.value = self.mapped(exchange.n, request.kind, request.value, name)
        changed = (request.app_id, request.value) != recorded
        frame = request.encoded() if changed else request.frame
        request.app_id, request.value = recorded
        return frame

    def ask(self, exchange):
        """Sends the request; the answer, or None if the recording has none."""
        key, connection = self.connection(exchange)
        try:
            connection.send(self.frame(exchange))
            if exchange.answer is None:
                return None
            read = RdsnAnswer if exchange.request.is_rdsn else Answer
            answer = read(self.idl, self.codes, connection.receive())
            if answer.seqid != exchange.request.seqid:
                raise NoAnswer(f"an answer to request {answer.seqid} instead: {answer}")
            return answer
        except (NoAnswer, ThriftError):
            self.connections.pop(key).close()
            raise

    def compared(self, exchange):
        """Asks; (answer, comparison)."""
        self.asked_at_s = now_2016_s()
        answer = self.ask(exchange)
        clock = self.transcript.clock
        comparison = Comparison(self.idl, self.recorded_side, self.our_side,
                                (exchange.request.app_id, exchange.request.partition), self.decrees,
                                clock.span_s(), self.asked_at_s - clock.at(exchange.n), self.is_shared,
                                self.contexts)
        if answer is not None:
            self.learn_created(exchange, answer)
            comparison.answers(exchange.answer, answer)
        return answer, comparison

    def learn_created(self, exchange, answer):
        """A table that the request made has another id here."""
        recorded, ours = exchange.answer.value, answer.value
        name = {"RPC_CM_CREATE_APP": "app_name", "RPC_CM_START_RESTORE": "new_app_name"}.get(exchange.request.name)
        if name is None or not ours or ours.get("err") != "ERR_OK":
            return
        self.made.append(exchange.request.value.get(name))
        if recorded and recorded.get("err") == "ERR_OK":
            self.know_table(recorded.get("appid"), ours.get("appid"))

    def step(self, exchange):
        """Replays one request: (our answer, its differences)."""
        def asked_in_time():
            answer, comparison = self.compared(exchange)
            return None if comparison.found and self.may_change(exchange, comparison) else (answer, comparison)
        try:
            answer, comparison = until(asked_in_time, f"the answer to frame {exchange.n}", pause_s=POLL_S)
        except (NoAnswer, ThriftError, OSError) as error:
            return None, [("answer", exchange.answer, str(error))]
        self.contexts.update(comparison.contexts)
        return answer, comparison.found

    def may_change(self, exchange, comparison):
        """Whether the answer may differ because less time has passed here than in the recording, so that the request
        is to be asked again until
        - a record has expired (it was written with a short ttl, and its recorded reader missed it);
        - a table's partitions are served (the recorded client asked until they were);
        - a backup has ended;
        - what a duplication has shipped is confirmed, or its status is the next one."""
        if exchange.request.name in READS:
            return any(moment >= self.asked_at_s for moment in self.pending)
        if exchange.request.name == "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX":
            unserved = any(path.endswith(".primary") and ours == "none" for path, _, ours in comparison.found)
            return unserved and self.may_poll()
        if exchange.request.name in ("RPC_CM_QUERY_DUPLICATION", "RPC_CM_LIST_DUPLICATION"):
            waits = any((ours == "behind" and recorded == "all confirmed") or path.endswith(".status")
                        for path, recorded, ours in comparison.found)
            return waits and not is_paused(exchange.answer.value) and self.may_poll()
        if exchange.request.name == "RPC_CM_QUERY_BACKUP_STATUS":
            return self.may_poll() and any(path.endswith(".end_time_ms") and ours == 0
                                           for path, _, ours in comparison.found)
        return False

    def may_poll(self):
        if self.polls_left == 0:
            return False
        self.polls_left -= 1
        return True

    def uninvited(self):
        """Differences of answers that nobody waits for, e.g. to a CLEAR_SCANNER."""
        return [("answer", None, f"something on connection {key[0]} that nobody asked for")
                for key, connection in self.connections.items() if connection.has_more()]


class Report:
    """Counts of one transcript, and what is printed of it."""

    def __init__(self, transcript, listed, options):
        self.transcript, self.listed, self.options = transcript, listed, options
        self.alike = self.differ = self.expected = 0

    def add(self, exchange, answer, found):
        code = exchange.request.name if exchange else "(end)"
        frame = exchange.n if exchange else self.transcript.frame_count
        left = self.listed.unlisted(self.transcript.name, frame, code, found)
        if left:
            self.differ += 1
        elif found:
            self.expected += 1
        elif exchange and exchange.answer is not None:
            self.alike += 1
        if left or self.options.verbose or frame == self.options.frame:
            self.show(exchange, frame, code, answer, left, found)

    def show(self, exchange, frame, code, answer, left, found):
        limit = None if self.options.verbose or frame == self.options.frame else 1500
        text = lambda value: shown(value)[:limit]
        print(f"{self.transcript.name} {frame} {code}: " +
              ("DIFFERS" if left else "listed difference" if found else "alike"))
        if exchange:
            print(f"  request:  {text(exchange.request)}")
            print(f"  recorded: {text(exchange.answer)}")
            print(f"  ours:     {text(answer)}")
        for path, recorded, ours in (left or found)[:None if limit is None else 8]:
            print(f"  field {path}: recorded {text(recorded)}, ours {text(ours)}")

    def line(self):
        return (f"{self.transcript.name}: {self.transcript.frame_count} frames, {self.alike} answers alike, "
                f"{self.differ} differ, {self.expected} expected differences (listed)")


def run_transcript(idl, codes, transcript, meta, replicas, listed, options):
    """Replays the transcript up to --frame; the report."""
    report = Report(transcript, listed, options)
    replay = Replay(idl, codes, transcript, meta, replicas, bool(options.cluster))
    try:
        replay.make_tables()
        replay.set_level()
        for exchange in transcript.exchanges:
            if options.frame and exchange.n > options.frame:
                break
            report.add(exchange, *replay.step(exchange))
        if uninvited := replay.uninvited():
            report.add(None, None, uninvited)
    finally:
        if options.cluster:
            replay.drop_tables()
        replay.close()
    print(report.line(), flush=True)
    return report


def run_embedded(idl, codes, transcript, listed, options):
    """Replays against a fresh cluster of its own."""
    with tempfile.TemporaryDirectory(prefix="pegmove-replay-") as folder:
        config = os.path.join(folder, "cluster.ini")  # the recorded cluster had such a store, and such a group
        os.mkdir(os.path.join(folder, "store"))
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[block_service.local_service]\ntype = local_service\nargs = {folder}/store\n"
                       f"[duplication-group]\n{transcript.cluster_name} = 3\noneboxB = 2\n"
                       "[pegasus.clusters]\noneboxB = 127.0.0.1:1\n")
        cluster = harness.Cluster(folder, name=transcript.cluster_name, more=["--config", config])
        try:
            report = run_transcript(idl, codes, transcript, cluster.meta, cluster.replicas, listed, options)
            outcome = cluster.stop()
            if outcome.code != 0:
                raise NoAnswer(f"the cluster did not stop well: {outcome}")
            return report
        finally:
            cluster.kill()


def run_existing(idl, codes, transcript, listed, options):
    """Replays against the cluster of --cluster. Tables of the recording must not exist there; they
    are dropped at the end."""
    questions = Questions(idl, codes, options.cluster)
    try:
        nodes = questions.ask("RPC_CM_LIST_NODES", status=1).get("infos", [])
        tables = questions.ask("RPC_CM_LIST_APPS", status=AVAILABLE).get("infos", [])
    finally:
        questions.close()
    if there := {one.get("app_name") for one in tables} & transcript.table_names():
        raise NoAnswer(f"{options.cluster} has tables of {transcript.name} already: {', '.join(sorted(there))}; "
                       "drop them, or take another cluster")
    replicas = [f"{host}:{port}" for host, port, _ in (one.get("node") for one in nodes)]
    return run_transcript(idl, codes, transcript, options.cluster, replicas, listed, options)


def transcript_files(folder, names):
    files = {name.removesuffix(".jsonl"): os.path.join(folder, name) for name in sorted(os.listdir(folder))
             if name.endswith(".jsonl") and not name.endswith(".expect.jsonl")}
    for name in names:
        if name not in files:
            raise ListError(f"no transcript {name}; there are {', '.join(files)}")
    return {name: files[name] for name in names or files}


def arguments():
    parser = argparse.ArgumentParser(prog="tests/replay/run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="transcripts, all if none is given")
    parser.add_argument("--frame", type=int, default=0, metavar="N", help="replay up to this frame, and show it")
    parser.add_argument("-v", "--verbose", action="store_true", help="show all answers")
    parser.add_argument("--cluster", metavar="HOST:PORT", help="replay against this meta server's cluster")
    parser.add_argument("--transcripts", default=os.path.join(ROOT, "tests", "golden", "transcripts"),
                        metavar="FOLDER", help="where the transcripts are")
    return parser.parse_args()


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cluster is stopped
    try:
        idl = declarations.read_idl()
        codes = declarations.read_codes(idl)
        with open(os.path.join(HERE, "differences.txt"), encoding="utf-8") as file:
            listed = DifferenceList(file.read())
        files = transcript_files(options.transcripts, options.names)
        transcripts = [Transcript(idl, codes, path) for path in files.values()]
        run = run_existing if options.cluster else run_embedded
        differ = sum(run(idl, codes, one, listed, options).differ for one in transcripts)
    except (NoAnswer, ThriftError, ListError, declarations.DeclarationError, AssertionError, OSError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    stale = [] if options.frame or options.cluster else list(listed.stale(requests_of(transcripts, options)))
    for text in stale:
        print(text)
    return 1 if differ or stale else 0


def requests_of(transcripts, options):
    """Transcript -> numbers of its requests; "*" is there if these are all transcripts."""
    requests = {one.name: {exchange.n for exchange in one.exchanges} for one in transcripts}
    return requests if options.names else {**requests, "*": set()}


if __name__ == "__main__":
    sys.exit(main())
