"""Checks of scanners, of the whole table and of a hash key, and of many rows."""

from twisted.internet.defer import gatherResults, inlineCallbacks, maybeDeferred

from checks import (INCOMPLETE, OK, TIMEOUT_MS, drain, multi_get_options, raw_key, scan_options,
                    write_rows)
from pypegasus.operate.packet import RrdbScanOperator
from pypegasus.pgclient import PegasusScanner
from pypegasus.rrdb.ttypes import scan_request

MAX_ROWS_PER_MULTI_GET = 3000
CONTEXT_NOT_FOUND = 1


def bulk_rows():
    """Rows for the full scans: two thirds plain, a hash key wider than a multi_get, odd keys."""
    rows = {('user_%05d' % i, 's%d' % (i % 7)): b'value of %d' % i for i in range(4000)}
    rows.update({('wide', '%05d' % i): b'%d' % i for i in range(3200)})
    rows.update({('', 'empty hash key'): b'1', ('empty sort key', ''): b'2',
                 ('empty value', 's'): b'', ('\x00', '\x00\x01'): b'\x00\xff\x80',
                 ('h\u00e9\u6f22', 's\u00fc\x00\u00df'): bytes(range(256))})
    return rows


def loaded_rows():
    """Those that tests/python_client/run brings into a table by backup, split and load."""
    return {('user_%05d' % i, 's%d' % (i % 7)): b'value of %d' % i for i in range(2000)}


@inlineCallbacks
def check_full_scans(t, c, args):
    rows = bulk_rows()
    wide = {s: v.decode() for (h, s), v in rows.items() if h == 'wide'}
    yield write_rows(t, 'several thousand sets, many at once', c,
                     {k: v for k, v in rows.items() if k[0] != 'wide'})
    for at in range(0, len(wide), 800):
        part = dict(list(wide.items())[at:at + 800])
        t.equal('multi_set of 800 rows', (yield c.multi_set('wide', part)), (OK, None))

    for split, batch_size in ((1, 1000), (3, 100), (args.partitions + 5, -1)):
        scanners = c.get_unordered_scanners(split, scan_options(batch_size))
        t.equal('number of scanners, split %d' % split, len(scanners), min(split, args.partitions))
        t.holds('they are scanners', all(isinstance(s, PegasusScanner) for s in scanners),
                'PegasusScanner', scanners)
        seen = yield gatherResults([drain(s) for s in scanners])
        t.same_rows('full scan, split %d, batch size %d' % (split, batch_size), sum(seen, []), rows)
    t.equal('no scanners for split 0', c.get_unordered_scanners(0, scan_options()), None)

    for scanner in c.get_unordered_scanners(args.partitions, scan_options(250)):
        index = scanner._gpid_list[0].get_pidx()
        keys = [k for k, _ in (yield drain(scanner))]
        t.equal('partition %d holds its own keys only' % index,
                [k for k in keys if c.table.get_gpid(c.generate_key(*k)).get_pidx() != index], [])
        t.equal('partition %d is in the order of raw keys' % index, keys,
                sorted(keys, key=lambda k: raw_key(*k)))


@inlineCallbacks
def check_wide_hash_key(t, c, _):
    keys = ['%05d' % i for i in range(3200)]
    first = {k.encode(): k.lstrip('0').encode() or b'0' for k in keys[:MAX_ROWS_PER_MULTI_GET]}
    rest = {k.encode(): k.lstrip('0').encode() for k in keys[MAX_ROWS_PER_MULTI_GET:]}
    t.equal('sort_key_count of a wide hash key', (yield c.sort_key_count('wide')), (OK, 3200))
    t.equal('multi_get takes 100 rows unless told otherwise', (yield c.multi_get('wide', None)),
            (INCOMPLETE, {k: first[k] for k in sorted(first)[:100]}))
    t.equal('multi_get without a limit ends at 3000 rows',
            (yield c.multi_get('wide', None, -1)), (INCOMPLETE, first))
    t.equal('get_sort_keys without a limit ends at 3000 rows',
            (yield c.get_sort_keys('wide', 0)), (INCOMPLETE, {k: b'' for k in first}))
    t.equal('multi_get_opt goes on behind the last row',
            (yield c.multi_get_opt('wide', max(first), '', multi_get_options(start_inclusive=False),
                                   -1, -1)), (OK, rest))
    scanner = c.get_scanner('wide', '00010', '02990', scan_options(700))
    t.equal('hash scan over several batches', (yield drain(scanner)),
            [(('wide', k), b'%d' % int(k)) for k in keys[10:2990]])
    results = yield gatherResults([maybeDeferred(c.get, 'user_%05d' % i, 's%d' % (i % 7))
                                   for i in range(300)])
    t.equal('300 gets at once, each with its own answer', results,
            [(OK, b'value of %d' % i) for i in range(300)])


@inlineCallbacks
def check_hash_scans(t, c, _):
    keys = ['k%02d' % i for i in range(20)]
    yield write_rows(t, 'rows for hash scans', c, {('scan', k): k for k in keys})
    yield write_rows(t, 'their neighbours', c, {(h, 'k05'): 'x' for h in
                                                ('scam', 'scao', 'sca', 'scan0', 'scan\x00')})
    for start, stop, options, expected in (
            ('k05', 'k12', scan_options(5), keys[5:12]),
            ('k05', 'k12', scan_options(1), keys[5:12]),
            ('k05', 'k12', scan_options(0), keys[5:12]),
            ('k05', 'k12', scan_options(5, False, True), keys[6:13]),
            ('k05', 'k12', scan_options(2, True, True), keys[5:13]),
            ('', b'\xff', scan_options(5), keys),
            ('', 'k03', scan_options(), keys[:3]),
            ('k18', 'z', scan_options(), keys[18:]),
            ('k05', 'k05', scan_options(5, True, True), keys[5:6]),
            ('k05', 'k05', scan_options(), []),
            ('k12', 'k05', scan_options(), []),
            ('l', 'z', scan_options(), [])):
        scanner = c.get_scanner('scan', start, stop, options)
        name = 'get_scanner [%r, %r] %s' % (start, stop, options)
        t.equal(name, (yield drain(scanner)), [(('scan', k), k.encode()) for k in expected])
        t.equal(name + ', ended for good', (yield scanner.get_next()), None)
    scanner = c.get_scanner('no such hash key', '', 'z', scan_options())
    t.equal('get_scanner of a missing hash key', (yield scanner.get_next()), None)
    yield t.raises('get_scanner without a stop sort key is beyond this client', TypeError,
                   c.get_scanner, 'scan', 'k05', '', scan_options())


@inlineCallbacks
def scan_context(client, scanner, context):
    """Asks for the next batch of a context as the scanner would; returns the status answered."""
    session = client.table.get_session(scanner._gpid)
    operator = RrdbScanOperator(scanner._gpid, scan_request(context))
    answer = yield session.operate(operator, TIMEOUT_MS)
    return answer['error'] if isinstance(answer, dict) else answer


@inlineCallbacks
def check_scanner_contexts(t, c, _):
    scanner = c.get_scanner('scan', '', 'z', scan_options(2))
    t.equal('the first 3 rows', [k[1] for k, _ in (yield drain(scanner, 3))], ['k00', 'k01', 'k02'])
    context = scanner._context_id
    t.holds('a context the client will clear', context >= 0, '>= 0', context)
    t.equal('close a scanner', scanner.close(), None)
    t.equal('only what was fetched comes after close',
            [k[1] for k, _ in (yield drain(scanner))], ['k03'])
    # No answer comes to a close: a call on the same connection shows that it was processed.
    t.equal('a call after close', (yield c.sort_key_count('scan')), (OK, 20))
    t.equal('a closed context is gone', (yield scan_context(c, scanner, context)),
            CONTEXT_NOT_FOUND)

    scanner = c.get_scanner('scan', '', 'z', scan_options(2))
    yield scanner.get_next()
    used = scanner._context_id
    t.equal('next batch', (yield scanner.next_batch()), OK)
    t.holds('each batch has a new context', scanner._context_id != used, 'not %d' % used,
            scanner._context_id)
    t.equal('a used context is gone', (yield scan_context(c, scanner, used)), CONTEXT_NOT_FOUND)
    t.equal('the newer one is not', [k[1] for k, _ in (yield drain(scanner))],
            ['k%02d' % i for i in range(2, 20)])

    scanner = c.get_scanner('scan', '', 'z', scan_options(2))
    rows = yield drain(scanner, 1)
    yield write_rows(t, 'sets during a scan', c,
                     {('scan', 'k10+'): 'new', ('scan', 'k11'): 'changed'})
    t.equal('remove during a scan', (yield c.remove('scan', 'k12')), (OK, None))
    rows += yield drain(scanner)
    t.equal('a scan does not see later writes', rows,
            [(('scan', 'k%02d' % i), b'k%02d' % i) for i in range(20)])
    scanner = c.get_scanner('scan', 'k10', 'k13', scan_options(2))
    t.equal('a new scan does', [k[1] for k, _ in (yield drain(scanner))], ['k10', 'k10+', 'k11'])
