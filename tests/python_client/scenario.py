"""Runs the whole API of the official Python client (pypegasus3 0.0.1.1) against a cluster.

    scenario.py --meta 127.0.0.1:PORT --table NAME --partitions N --loaded NAME

The table must exist, be empty and have N partitions. Prints a line per check and at the end
`ok: N checks`. Ends with 1 at the first check that fails, saying what was expected and seen.

What the client does with answers, from its source:
- a struct-level status 1 becomes 23, 7 becomes 38, others stay as they are; multi_set, multi_del,
  set, remove and sort_key_count never translate; an RPC-level error is returned as its bare enum;
- multi_set, multi_get, multi_del turn keys and values into text with str(): bytes do not survive,
  so bytes go in with set and come out of multi_get_opt and get_sort_keys;
- a scanner decodes keys as UTF-8; ScanOptions has no filters, only MultiGetOptions has;
- a hash scan needs a stop sort key, a full scan ends before raw key c3bfc3bf (not ffff).
"""

import argparse
import gc
import sys

from twisted.internet import reactor
from twisted.internet.defer import gatherResults, inlineCallbacks
from twisted.python import log

from checks import NOT_FOUND, OK, TIMED_OUT, TIMEOUT_MS, CheckFailed, Checks, drain, scan_options
from pypegasus.base.ttypes import error_types
from pypegasus.pgclient import Pegasus
from scans import (check_full_scans, check_hash_scans, check_scanner_contexts, check_wide_hash_key,
                   loaded_rows)
from values import (check_big_values, check_binary_sort_keys, check_limits, check_multi_operations,
                    check_point_operations, check_ranges_and_filters, check_ttl)

WATCHDOG_S = 120
DEAD_META = '127.0.0.1:1'


@inlineCallbacks
def check_init_fails(t, _, args):
    client = Pegasus([args.meta], 'no_such_table', TIMEOUT_MS)
    t.equal('init of a table that does not exist', (yield client.init()), None)
    # init also says None when no answer comes, so look at the answer itself.
    sessions = list(client.meta_session_manager.session_dict.values())
    answer = yield client.meta_session_manager.query_one(sessions[0])
    t.equal('the meta server says so', getattr(getattr(answer, 'err', answer), 'errno', answer),
            'ERR_OBJECT_NOT_FOUND')
    client.close()
    client = Pegasus([DEAD_META], args.table, TIMEOUT_MS)
    t.equal('init without a meta server', (yield client.init()), None)
    client.close()


@inlineCallbacks
def check_open(t, c, args):
    t.equal('init', (yield c.init()), True)
    t.equal('partition count', c.table.get_partition_count(), args.partitions)
    t.holds('application id', c.table.app_id > 0, '> 0', c.table.app_id)
    t.equal('every partition is in the configuration',
            sorted(c.table.partition_dict), list(range(args.partitions)))
    t.holds('every partition has a connection',
            all(c.table.get_session(g) for g in c.table.get_all_gpid()), 'all',
            c.table.session_dict)
    scanners = c.get_unordered_scanners(args.partitions, scan_options())
    rows = yield gatherResults([drain(s) for s in scanners])
    t.equal('scan of the empty table', sum(rows, []), [])


@inlineCallbacks
def check_second_client(t, c, args):
    other = Pegasus([DEAD_META, args.meta], args.table, TIMEOUT_MS)
    t.equal('init of a second client, a dead meta server in its list', (yield other.init()), True)
    t.equal('set by the first', (yield c.set('two', 'a', 'from first')), (OK, None))
    t.equal('get by the second', (yield other.get('two', 'a')), (OK, b'from first'))
    t.equal('multi_set by the second', (yield other.multi_set('two', {'b': 'B'})), (OK, None))
    t.equal('multi_get by the first', (yield c.multi_get('two', None)),
            (OK, {b'a': b'from first', b'b': b'B'}))
    t.equal('remove by the second', (yield other.remove('two', 'a')), (OK, None))
    t.equal('get by the first', (yield c.get('two', 'a')), (NOT_FOUND, b''))
    scanner = other.get_scanner('two', '', 'z', scan_options())
    t.equal('scan by the second', (yield drain(scanner)), [(('two', 'b'), b'B')])
    t.equal('close of the second', other.close(), None)
    t.equal('a closed client gets no answer', (yield other.get('two', 'b', 200)), (TIMED_OUT, None))
    t.equal('the first goes on', (yield c.get('two', 'b')), (OK, b'B'))


@inlineCallbacks
def check_refresh(t, c, args):
    """The client asks for the configuration again, and connects anew, after certain errors."""
    before = list(c.table.session_dict.values())
    c.update_state(error_types.ERR_INVALID_STATE)
    t.equal('an error asks for a refresh', c.update_partition, True)
    c.timer.cancel()
    yield c.check_state()
    after = list(c.table.session_dict.values())
    t.equal('refresh connects anew', [len(after), [s for s in after if s in before]],
            [len(before), []])
    t.equal('partition count after it', c.table.get_partition_count(), args.partitions)
    t.equal('get after it', (yield c.get('two', 'b')), (OK, b'B'))
    t.equal('set after it', (yield c.set('two', 'c', 'C')), (OK, None))
    t.equal('init again', (yield c.init()), True)
    t.equal('get after a second init', (yield c.get('two', 'c')), (OK, b'C'))


@inlineCallbacks
def check_loaded_table(t, _, args):
    """A table whose rows came by a bulk load: those of bulk_rows() with plain keys."""
    client = Pegasus([args.meta], args.loaded, TIMEOUT_MS)
    t.equal('init of the loaded table', (yield client.init()), True)
    rows = loaded_rows()
    scanners = client.get_unordered_scanners(10, scan_options())
    seen = yield gatherResults([drain(s) for s in scanners])
    t.same_rows('scan of the loaded table', sum(seen, []), rows)
    for hash_key, sort_key in list(rows)[::97]:
        t.equal('get of %s' % hash_key, (yield client.get(hash_key, sort_key)),
                (OK, rows[hash_key, sort_key]))
    t.equal('set over a loaded row', (yield client.set('user_00000', 's0', 'new')), (OK, None))
    t.equal('get of it', (yield client.get('user_00000', 's0')), (OK, b'new'))
    t.equal('remove of a loaded row', (yield client.remove('user_00001', 's1')), (OK, None))
    t.equal('get of that', (yield client.get('user_00001', 's1')), (NOT_FOUND, b''))
    client.close()


GROUPS = (check_init_fails, check_open, check_full_scans, check_wide_hash_key,
          check_point_operations, check_binary_sort_keys, check_multi_operations,
          check_ranges_and_filters, check_limits, check_hash_scans, check_scanner_contexts,
          check_big_values, check_ttl, check_second_client, check_refresh, check_loaded_table)


@inlineCallbacks
def run_groups(t, args):
    client = Pegasus([args.meta], args.table, TIMEOUT_MS)
    for group in GROUPS:
        yield group(t, client, args)
        t.equal('no stray errors in the client after ' + group.__name__, t.errors, [])
    t.equal('close', client.close(), None)
    gc.collect()  # a failed Deferred that nobody waited for reports when it is collected
    t.equal('no stray errors in the client at the end', t.errors, [])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--meta', required=True, help='address of the meta server, ip:port')
    parser.add_argument('--table', required=True, help='an empty table')
    parser.add_argument('--partitions', required=True, type=int, help='its partition count')
    parser.add_argument('--loaded', required=True, help='a table of loaded_rows(), see tests/python_client/run')
    args = parser.parse_args()
    checks = Checks()
    log.addObserver(checks.observe)
    outcome = []

    def finish(failure):
        if not outcome:
            outcome.append(failure)
            reactor.stop()

    def start():
        done = run_groups(checks, args)
        done.addCallbacks(lambda _: finish(None), lambda f: finish(
            str(f.value) if f.check(CheckFailed) else f.getTraceback()))

    reactor.callLater(WATCHDOG_S, finish, 'not done after %d s' % WATCHDOG_S)
    reactor.callWhenRunning(start)
    reactor.run()
    if not outcome or outcome[0]:
        reason = outcome[0] if outcome else 'interrupted'
        print('FAIL after check %d: %s' % (checks.count, reason), file=sys.stderr)
        for error in checks.errors:
            print('in the client: ' + error, file=sys.stderr)
        return 1
    print('ok: %d checks' % checks.count)
    return 0


if __name__ == '__main__':
    sys.exit(main())
