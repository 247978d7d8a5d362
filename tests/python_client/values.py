"""Checks of the calls on single values and on the values of one hash key."""

import random

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater

from checks import (BAD_PARAMETERS, FOREVER, INCOMPLETE, INVALID_ARGUMENT, NOT_FOUND, OK, code_of,
                    drain, multi_get_options, scan_options, write_rows)
from pypegasus.base.ttypes import blob, error_types, gpid
from pypegasus.operate.packet import RrdbPutOperator
from pypegasus.pgclient import Pegasus
from pypegasus.rrdb.ttypes import filter_type, update_request

MAX_WRITE_BYTES = 1 << 20  # max_allowed_write_size of a server, by default


@inlineCallbacks
def check_point_operations(t, c, _):
    missing = (NOT_FOUND, b'')
    t.equal('get of a missing key', (yield c.get('h1', 'none')), missing)
    t.equal('exist of a missing key', (yield c.exist('h1', 'none')), (NOT_FOUND, 0))
    t.equal('ttl of a missing key', (yield c.ttl('h1', 'none')), (NOT_FOUND, 0))
    t.equal('set', (yield c.set('h1', 'a', 'va', 0, 3000)), (OK, None))
    t.equal('get', (yield c.get('h1', 'a', 3000)), (OK, b'va'))
    t.equal('exist', (yield c.exist('h1', 'a', 3000)), (OK, FOREVER))
    t.equal('ttl without expiry', (yield c.ttl('h1', 'a', 3000)), (OK, FOREVER))
    t.equal('get with another sort key', (yield c.get('h1', 'b')), missing)
    t.equal('get with another hash key', (yield c.get('h2', 'a')), missing)
    t.equal('set over a value', (yield c.set('h1', 'a', b'second')), (OK, None))
    t.equal('get the newer value', (yield c.get('h1', 'a')), (OK, b'second'))
    for name, h, s, v in (('empty sort key', 'h1', '', b'empty sort'),
                          ('empty value', 'h1', 'ev', b''),
                          ('empty hash key', '', 'es', b'empty hash'),
                          ('empty hash and sort key', '', '', b'empty both'),
                          ('binary', b'\x00\x01\xfe\xff', b'\x00\xff', b'\x00\x80\xff'),
                          ('key of zero bytes', b'\x00' * 3, b'\x00', b'\x00'),
                          ('text beyond ASCII', '\u6f22', '\u00fc', '\u00df'.encode()),
                          ('hash key of 40000 bytes', b'k' * 40000, b's' * 40000, b'long')):
        t.equal('set, ' + name, (yield c.set(h, s, v)), (OK, None))
        t.equal('get, ' + name, (yield c.get(h, s)), (OK, v))
        t.equal('exist, ' + name, (yield c.exist(h, s)), (OK, FOREVER))
        t.equal('remove, ' + name, (yield c.remove(h, s)), (OK, None))
        t.equal('get after remove, ' + name, (yield c.get(h, s)), missing)
    t.equal('the neighbour is still there', (yield c.get('h1', 'a')), (OK, b'second'))
    t.equal('remove', (yield c.remove('h1', 'a', 3000)), (OK, None))
    t.equal('remove of a missing key', (yield c.remove('h1', 'a')), (OK, None))
    t.equal('exist after remove', (yield c.exist('h1', 'a')), (NOT_FOUND, 0))


@inlineCallbacks
def check_binary_sort_keys(t, c, _):
    h = b'bin\xff\x00'
    rows = {b'\x00': b'\x80', b'\x7f\xff': b'', b'\x80': b'\x00\x01',
            b'\xff\xff': bytes(range(256))}
    for s, v in rows.items():
        t.equal('set of binary sort key %s' % s.hex(), (yield c.set(h, s, v)), (OK, None))
    t.equal('sort_key_count, binary', (yield c.sort_key_count(h)), (OK, len(rows)))
    t.equal('get_sort_keys, binary', (yield c.get_sort_keys(h)), (OK, {s: b'' for s in rows}))
    t.equal('multi_get, binary', (yield c.multi_get(h, None)), (OK, rows))
    options = multi_get_options(stop_inclusive=True)
    t.equal('multi_get_opt, binary range',
            (yield c.multi_get_opt(h, b'\x7f\xff', b'\x80', options)),
            (OK, {s: rows[s] for s in (b'\x7f\xff', b'\x80')}))
    options = multi_get_options(sortkey_filter_type=filter_type.FT_MATCH_POSTFIX,
                                sortkey_filter_pattern=b'\xff')
    t.equal('multi_get_opt, binary filter', (yield c.multi_get_opt(h, b'', b'', options)),
            (OK, {s: rows[s] for s in (b'\x7f\xff', b'\xff\xff')}))

    yield write_rows(t, 'a binary sort key and a text', c,
                     {('bin', b'\x80\xff'): b'v', ('bin', b'\xc3\xbc'): b'text'})
    scanner = c.get_scanner('bin', '', b'\xff', scan_options())
    error = yield t.raises('a scanner decodes keys as UTF-8', UnicodeDecodeError, scanner.get_next)
    t.equal('the scanned binary sort key', error.object, b'\x80\xff')
    t.equal('the scan goes on', (yield drain(scanner)), [(('bin', '\u00fc'), b'text')])
    for hash_key, sort_keys in ((h, rows), ('bin', (b'\x80\xff', b'\xc3\xbc'))):
        for s in sort_keys:
            t.equal('remove %s' % s.hex(), (yield c.remove(hash_key, s)), (OK, None))
        t.equal('nothing is left', (yield c.sort_key_count(hash_key)), (OK, 0))


@inlineCallbacks
def check_multi_operations(t, c, _):
    rows = {'k%02d' % i: 'value-%d' % i for i in range(20)}
    stored = {k.encode(): v.encode() for k, v in rows.items()}
    stored[b'zt'] = b'1'
    t.equal('multi_set', (yield c.multi_set('multi', rows)), (OK, None))
    t.equal('multi_set with ttl', (yield c.multi_set('multi', {'zt': '1'}, 1000, 3000)), (OK, None))
    t.equal('get after multi_set', (yield c.get('multi', 'k07')), (OK, b'value-7'))
    t.equal('sort_key_count', (yield c.sort_key_count('multi', 3000)), (OK, 21))
    t.equal('sort_key_count of nothing', (yield c.sort_key_count('nothing')), (OK, 0))
    t.equal('multi_get by keys', (yield c.multi_get('multi', {'k01', 'k03', 'nope'})),
            (OK, {b'k01': b'value-1', b'k03': b'value-3'}))
    t.equal('multi_get by keys without values',
            (yield c.multi_get('multi', {'k01', 'k03'}, 100, 1000000, True, 3000)),
            (OK, {b'k01': b'', b'k03': b''}))
    t.equal('multi_get by missing keys', (yield c.multi_get('multi', {'no', 'none'})), (OK, {}))
    t.equal('multi_get of all', (yield c.multi_get('multi', None)), (OK, stored))
    t.equal('multi_get of an empty set is of all', (yield c.multi_get('multi', set())),
            (OK, stored))
    t.equal('multi_get of nothing', (yield c.multi_get('nothing', None)), (OK, {}))
    t.equal('get_sort_keys', (yield c.get_sort_keys('multi')), (OK, {k: b'' for k in stored}))
    t.equal('get_sort_keys of nothing', (yield c.get_sort_keys('nothing')), (OK, {}))

    odd = {'': 'empty sort key', 'e': '', '\x00\x01': '\x00', '\u00fc\u6f22': '\u00df'}
    t.equal('multi_set of odd keys', (yield c.multi_set('odd', odd)), (OK, None))
    t.equal('multi_get of odd keys', (yield c.multi_get('odd', set(odd))),
            (OK, {k.encode(): v.encode() for k, v in odd.items()}))
    t.equal('multi_del of odd keys', (yield c.multi_del('odd', set(odd), 3000)), (OK, 4))
    t.equal('get_sort_keys after multi_del', (yield c.get_sort_keys('odd')), (OK, {}))

    t.equal('multi_get wants a set', (yield c.multi_get('multi', ['k01'])), (BAD_PARAMETERS, 0))
    t.equal('multi_del wants a set', (yield c.multi_del('multi', ['k01'])), (BAD_PARAMETERS, 0))
    t.equal('multi_set of nothing', (yield c.multi_set('multi', {})), (INVALID_ARGUMENT, None))
    t.equal('multi_del of nothing', code_of((yield c.multi_del('multi', set()))), INVALID_ARGUMENT)
    t.equal('nothing was deleted', (yield c.sort_key_count('multi')), (OK, 21))


@inlineCallbacks
def check_ranges_and_filters(t, c, _):
    keys = ['k%02d' % i for i in range(20)] + ['zt']
    value = {k: b'value-%d' % i for i, k in enumerate(keys)}
    value['zt'] = b'1'
    anywhere, prefix, postfix = (filter_type.FT_MATCH_ANYWHERE, filter_type.FT_MATCH_PREFIX,
                                 filter_type.FT_MATCH_POSTFIX)
    both = {'start_inclusive': True, 'stop_inclusive': True}
    swapped = {'start_inclusive': False, 'stop_inclusive': True}

    def matching(kind, pattern):
        return {'sortkey_filter_type': kind, 'sortkey_filter_pattern': pattern}

    for fields, start, stop, count, code, expected in (
            ({}, 'k05', 'k10', 100, OK, keys[5:10]),
            ({}, 'k15', '', 100, OK, keys[15:]),
            ({}, '', 'k03', 100, OK, keys[:3]),
            ({}, '', '', 3, INCOMPLETE, keys[:3]),
            ({}, '', '', 21, OK, keys),
            (swapped, 'k05', 'k10', 100, OK, keys[6:11]),
            (swapped, '', '', 3, INCOMPLETE, keys[:3]),
            (both, 'k05', 'k05', 100, OK, keys[5:6]),
            ({}, 'k05', 'k05', 100, OK, []),
            ({}, 'k10', 'k05', 100, OK, []),
            ({'reverse': True}, 'k05', 'k10', 100, OK, keys[5:10]),
            ({'reverse': True}, '', '', 3, INCOMPLETE, keys[-3:]),
            (matching(prefix, 'k0'), 'k05', 'k10', 100, OK, keys[5:10]),
            (matching(prefix, 'k0'), '', '', 3, INCOMPLETE, keys[:3]),
            (matching(prefix, 'k1'), '', '', 100, OK, keys[10:20]),
            (matching(anywhere, '1'), '', '', 100, OK, keys[1:2] + keys[10:20]),
            (matching(postfix, '5'), '', '', 100, OK, ['k05', 'k15']),
            (matching(postfix, 'none'), '', '', 100, OK, []),
            (matching(anywhere, ''), '', '', 100, OK, keys),
            (dict(matching(postfix, '5'), reverse=True), '', '', 1, INCOMPLETE, ['k15']),
            (matching(9, 'k'), '', '', 100, INVALID_ARGUMENT, [])):
        seen = yield c.multi_get_opt('multi', start, stop, multi_get_options(**fields), count)
        name = 'multi_get_opt [%s, %s] at most %d %s' % (start, stop, count, fields)
        t.equal(name, seen, (code, {k.encode(): value[k] for k in expected}))
        t.equal(name + ', ascending', list(seen[1]), sorted(seen[1]))
        fields = dict(fields, no_value=True)
        seen = yield c.multi_get_opt('multi', start, stop, multi_get_options(**fields), count)
        t.equal(name + ', without values', seen, (code, {k.encode(): b'' for k in expected}))


@inlineCallbacks
def check_limits(t, c, _):
    first = {b'k%02d' % i: b'value-%d' % i for i in range(3)}
    t.equal('multi_get of at most 3 rows', (yield c.multi_get('multi', None, 3)),
            (INCOMPLETE, first))
    t.equal('multi_get of 10-byte rows, at most 25 bytes, with the row that crosses it',
            (yield c.multi_get('multi', None, 100, 25)), (INCOMPLETE, first))
    t.equal('multi_get of 3-byte keys, at most 7 bytes',
            (yield c.multi_get('multi', None, 100, 7, True)), (INCOMPLETE, {k: b'' for k in first}))
    t.equal('multi_get up to the very last row',
            code_of((yield c.multi_get('multi', None, 21))), OK)
    t.equal('get_sort_keys of at most 4', (yield c.get_sort_keys('multi', 4)),
            (INCOMPLETE, {b'k%02d' % i: b'' for i in range(4)}))
    t.equal('get_sort_keys of at most 7 bytes', (yield c.get_sort_keys('multi', 100, 7, 3000)),
            (INCOMPLETE, {k: b'' for k in first}))
    t.equal('multi_get_opt of at most 25 bytes',
            (yield c.multi_get_opt('multi', '', '', multi_get_options(), 100, 25, 3000)),
            (INCOMPLETE, first))
    seen = yield c.multi_get('multi', {'k00', 'k01', 'k02'}, 2)
    t.holds('multi_get by 3 keys, at most 2 rows',
            code_of(seen) == INCOMPLETE and len(seen[1]) == 2 and
            set(seen[1].items()) <= set(first.items()), '(%d, two of %s)' % (INCOMPLETE, first),
            seen)
    t.equal('multi_get by 3 keys, at most 3 rows',
            (yield c.multi_get('multi', {'k00', 'k01', 'k02'}, 3)), (OK, first))
    t.equal('multi_del counts the keys it was given',
            (yield c.multi_del('multi', {'k00', 'k01', 'nope'})), (OK, 3))
    t.equal('sort_key_count after multi_del', (yield c.sort_key_count('multi')), (OK, 19))
    t.equal('get after multi_del', (yield c.get('multi', 'k01')), (NOT_FOUND, b''))


def put_body_size(hash_key, sort_key, value):
    """Bytes after the header of the request that `set` sends."""
    out = TMemoryBuffer()
    request = update_request(Pegasus.generate_key(hash_key, sort_key), blob(value), 0)
    RrdbPutOperator(gpid(1, 0), request).send_data(TBinaryProtocol(out), 1)
    return len(out.getvalue())


@inlineCallbacks
def check_big_values(t, c, _):
    room = MAX_WRITE_BYTES - put_body_size('big', 's', b'')
    value = random.Random(1).randbytes(room)
    t.equal('set at the size limit', (yield c.set('big', 's', value)), (OK, None))
    seen = yield c.get('big', 's')
    t.holds('get at the size limit', seen == (OK, value), '%d bytes as written' % room, seen)
    t.equal('set one byte above it', (yield c.set('big', 's', value + b'x')),
            error_types.ERR_INVALID_DATA)
    seen = yield c.get('big', 's')
    t.holds('the refused set changed nothing', seen == (OK, value), 'the value before', seen)
    t.equal('remove the big value', (yield c.remove('big', 's')), (OK, None))

    rows = {b'%d' % i: random.Random(i).randbytes(600000) for i in range(3)}
    for s, v in rows.items():
        t.equal('set of 600000 bytes', (yield c.set('big', s, v)), (OK, None))
    seen = yield c.multi_get('big', None)
    t.holds('multi_get stops behind its million bytes',
            seen == (INCOMPLETE, {k: rows[k] for k in (b'0', b'1')}), 'two rows of three', seen)
    seen = yield c.multi_get('big', None, -1, -1)
    t.holds('multi_get of 1.8 million bytes', seen == (OK, rows), 'three rows', seen)
    seen = yield drain(c.get_scanner('big', '', 'z', scan_options()))
    t.holds('scan of 1.8 million bytes',
            seen == [(('big', k.decode()), v) for k, v in rows.items()], 'three rows', seen)


def is_ttl(seen, ttl):
    """The clock of the caller and of the server may be some seconds apart."""
    return code_of(seen) == OK and ttl - 30 < seen[1] <= ttl + 1


@inlineCallbacks
def check_ttl(t, c, _):
    live, short = {'live': 'v'}, {'short1': 'v', 'short2': 'v'}
    t.equal('set with a short ttl', (yield c.set('ttl', 'short', 'v', 2)), (OK, None))
    t.equal('multi_set with a short ttl', (yield c.multi_set('ttl', short, 2)), (OK, None))
    t.equal('multi_set without ttl', (yield c.multi_set('ttl', live)), (OK, None))
    t.equal('set with a ttl', (yield c.set('ttl', 'long', 'v', 1000)), (OK, None))
    seen = yield c.ttl('ttl', 'long')
    t.holds('ttl of it', is_ttl(seen, 1000), '(0, about 1000)', seen)
    seen = yield c.exist('ttl', 'long')
    t.holds('exist tells its ttl too', is_ttl(seen, 1000), '(0, about 1000)', seen)
    seen = yield c.ttl('multi', 'zt')
    t.holds('ttl of a multi_set row', is_ttl(seen, 1000), '(0, about 1000)', seen)
    t.equal('set over it without ttl', (yield c.set('ttl', 'long', 'w')), (OK, None))
    t.equal('ttl is gone', (yield c.ttl('ttl', 'long')), (OK, FOREVER))

    deadline = reactor.seconds() + 15
    expected = (OK, {b'live': b'v', b'long': b'w'})
    while True:
        seen = yield c.multi_get('ttl', None)
        if seen == expected or reactor.seconds() > deadline:
            break
        yield deferLater(reactor, 0.1, lambda: None)
    t.equal('rows expire', seen, expected)
    for key in ('short', 'short1', 'short2'):
        t.equal('get of expired ' + key, (yield c.get('ttl', key)), (NOT_FOUND, b''))
        t.equal('exist of expired ' + key, (yield c.exist('ttl', key)), (NOT_FOUND, 0))
        t.equal('ttl of expired ' + key, (yield c.ttl('ttl', key)), (NOT_FOUND, 0))
    t.equal('sort_key_count without expired', (yield c.sort_key_count('ttl')), (OK, 2))
    t.equal('get_sort_keys without expired', (yield c.get_sort_keys('ttl')),
            (OK, {b'live': b'', b'long': b''}))
    scanner = c.get_scanner('ttl', '', 'z', scan_options())
    t.equal('scan without expired', [k[1] for k, _ in (yield drain(scanner))], ['live', 'long'])
    t.equal('set of an expired key', (yield c.set('ttl', 'short', 'again')), (OK, None))
    t.equal('get of it', (yield c.get('ttl', 'short')), (OK, b'again'))
