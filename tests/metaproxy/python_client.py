"""Run by the client's own Python: opens table t through the proxy at argv[1], prints where its row is, waits for a line
on stdin, then reads until the row is elsewhere."""
import sys

from pypegasus.pgclient import Pegasus
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks

LIMIT_S = 60


def wait(seconds):
    later = Deferred()
    reactor.callLater(seconds, later.callback, None)
    return later


@inlineCallbacks
def read_row(client):
    found = yield client.get("where", "s", 2000)
    return found[1].decode() if isinstance(found, tuple) and found[0] == 0 else None


@inlineCallbacks
def run():
    client = Pegasus([sys.argv[1]], "t", 5000)
    if not (yield client.init()):
        print("no table", flush=True)
        return
    first = yield read_row(client)
    print(first, flush=True)
    sys.stdin.readline()
    now = first
    while now in (first, None):
        yield wait(0.05)
        now = yield read_row(client)
    print(now, flush=True)
    client.close()


def end(outcome):
    if outcome is not None:
        print(outcome.getTraceback(), file=sys.stderr, flush=True)
    reactor.stop()


reactor.callWhenRunning(lambda: run().addBoth(end))
reactor.callLater(LIMIT_S, reactor.stop)
reactor.run()
