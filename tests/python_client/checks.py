"""What every group of checks needs: the counter of checks, options, and a few calls in a row."""

from twisted.internet.defer import gatherResults, inlineCallbacks, maybeDeferred

from pypegasus.base.ttypes import error_types
from pypegasus.pgclient import Pegasus
from pypegasus.utils.tools import MultiGetOptions, ScanOptions

TIMEOUT_MS = 5000

OK = error_types.ERR_OK.value
NOT_FOUND = error_types.ERR_OBJECT_NOT_FOUND.value
INCOMPLETE = error_types.ERR_INCOMPLETE_DATA.value
BAD_PARAMETERS = error_types.ERR_INVALID_PARAMETERS.value
TIMED_OUT = error_types.ERR_TIMEOUT.value
INVALID_ARGUMENT = 4  # RocksDB's status, which the client does not translate
FOREVER = -1  # ttl of a record that never expires


class CheckFailed(Exception):
    pass


def brief(value):
    text = repr(value)
    return text if len(text) <= 600 else '%s... (%d characters)' % (text[:600], len(text))


class Checks:
    """Counts checks, prints a line for each that holds and raises CheckFailed at the first that
    does not. `errors` collects what the client lets fall: exceptions nobody waits for."""

    def __init__(self):
        self.count = 0
        self.errors = []

    def holds(self, name, condition, expected, seen):
        if not condition:
            raise CheckFailed('%s\n  expected: %s\n  seen:     %s' % (name, expected, brief(seen)))
        self.count += 1
        print('%4d %s' % (self.count, name), flush=True)

    def equal(self, name, seen, expected):
        self.holds(name, seen == expected, brief(expected), seen)

    def same_rows(self, name, seen, expected):
        """`seen` is a list of pairs, `expected` a dict: equal as sets, and no pair twice."""
        rows = dict(seen)
        missing = sorted(k for k in expected if k not in rows)
        extra = sorted(k for k in rows if k not in expected)
        wrong = sorted(k for k in rows if k in expected and rows[k] != expected[k])
        self.holds(name, not missing and not extra and not wrong and len(seen) == len(rows),
                   '%d rows, each once' % len(expected),
                   '%d rows, %d different; missing %s; not expected %s; other value %s' %
                   (len(seen), len(rows), missing[:5], extra[:5], wrong[:5]))

    @inlineCallbacks
    def raises(self, name, kind, call, *args):
        """Checks that the call, or its Deferred, fails with `kind`; returns the error."""
        try:
            seen = yield maybeDeferred(call, *args)
        except kind as e:
            self.holds(name, True, '', '')
            return e
        self.holds(name, False, 'an exception ' + kind.__name__, seen)

    def observe(self, event):
        if event.get('isError'):
            self.errors.append(event['failure'].getTraceback() if 'failure' in event
                               else str(event.get('message')))


def scan_options(batch_size=1000, start_inclusive=True, stop_inclusive=False):
    options = ScanOptions()
    options.timeout_millis = TIMEOUT_MS
    options.batch_size = batch_size
    options.start_inclusive = start_inclusive
    options.stop_inclusive = stop_inclusive
    return options


def multi_get_options(**fields):
    options = MultiGetOptions()
    for name, value in fields.items():
        assert hasattr(options, name), name
        setattr(options, name, value)
    return options


@inlineCallbacks
def drain(scanner, limit=None):
    """Reads up to `limit` rows, or to the end; returns them as a list."""
    rows = []
    while limit is None or len(rows) < limit:
        row = yield scanner.get_next()
        if row is None:
            break
        rows.append(row)
    return rows


@inlineCallbacks
def write_rows(t, name, client, rows, in_flight=200):
    """Sets {(hash key, sort key): value}, many requests at a time on the same connections."""
    items = list(rows.items())
    for at in range(0, len(items), in_flight):
        results = yield gatherResults([maybeDeferred(client.set, h, s, v)
                                       for (h, s), v in items[at:at + in_flight]])
        bad = [(item, r) for item, r in zip(items[at:], results) if r != (OK, None)]
        if bad:
            t.equal(name, bad[0], (bad[0][0], (OK, None)))
    t.holds(name, True, '', '')


def code_of(answer):
    """The first of a pair; an RPC-level error comes alone."""
    return answer[0] if isinstance(answer, tuple) else answer


def raw_key(hash_key, sort_key):
    return Pegasus.generate_key(hash_key, sort_key).data[:]
