"""Recordings of two clusters and their clients (tests/golden/duplication): lines with frames in order of time."""
import gzip
import json
import re

from frames import Answer, Request
from rdsn import RdsnAnswer, RdsnRequest
from thrift import ThriftError

RUN = re.compile(r"\(([0-9a-f]{2})\*(\d+)\)")


class Event:
    """What the recording's driver noted at that moment."""

    def __init__(self, n, text):
        self.n, self.text = n, text


class Exchange:
    """A request with its answer, None where the recording has none. `sender` and `receiver` are names as
    `A.replica1`; `peer` is what the receiver is, `conn` tells connections apart."""

    def __init__(self, n, line, request):
        self.n, self.request, self.answer, self.answer_n = n, request, None, None
        self.sender, self.receiver = line["from"], line["to"]
        self.conn = f"{self.sender}-{self.receiver}-{line.get('proto', 'RDSN')}"
        self.peer = "meta" if self.receiver.endswith(".meta") else "replica"


class RecordedClock:
    """Points in time of the recording are sent as they are."""

    @staticmethod
    def at(_):
        return 0

    @staticmethod
    def span_s():
        return 0


def unpacked(text):
    """Bytes in hexadecimal; (41*300) stands for 300 bytes 41."""
    return bytes.fromhex(RUN.sub(lambda found: found[1] * int(found[2]), text))


def lines_of(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        for n, line in enumerate(file, 1):
            yield n, json.loads(line)


class Recording:
    """`steps`: exchanges (at the place of their request) and events, in order. The other members are those of a
    transcript.Transcript. `tables`: those that the replayed side has at the start."""
    meta_level = None

    def __init__(self, idl, codes, path, name, tables=()):
        self.name, self.tables, self.clock = name, list(tables), RecordedClock()
        self.steps, self.frame_count, waiting = [], 0, {}
        for n, line in lines_of(path):
            self.frame_count = n
            if "rpc" not in line:
                self.steps.append(Event(n, line["event"]))
                continue
            try:
                self.add(idl, codes, n, line, waiting)
            except (ThriftError, KeyError, ValueError) as error:
                raise ThriftError(f"{path}, line {n}: {error!r}") from error
        self.exchanges = [one for one in self.steps if isinstance(one, Exchange)]

    def add(self, idl, codes, n, line, waiting):
        frame = unpacked(line["header"]) + unpacked(line["body"])
        is_rdsn = line.get("proto") != "THFT"
        proto = line.get("proto", "RDSN")
        if line["kind"] == "request":
            exchange = Exchange(n, line, (RdsnRequest if is_rdsn else Request)(idl, codes, frame))
            self.steps.append(exchange)
            waiting[line["from"], line["to"], proto, line["seq"]] = exchange
        else:
            exchange = waiting.pop((line["to"], line["from"], proto, line["seq"]))
            exchange.answer, exchange.answer_n = (RdsnAnswer if is_rdsn else Answer)(idl, codes, frame), n

    def requests_to(self, *receivers):
        return [one for one in self.exchanges if one.receiver in receivers]
