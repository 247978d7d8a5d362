"""The tool's own tests: the decoder, the mapping and the comparison."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import idl as declarations  # noqa: E402
import replay  # noqa: E402
from compare import Comparison, Side, learn_nodes  # noqa: E402
from differences import DifferenceList, ListError  # noqa: E402
from frames import Answer, Request  # noqa: E402
from thrift import Reader, Struct, ThriftError, Unknown, Writer, shown  # noqa: E402
from transcript import RecordedClock, Transcript, tables_at_start  # noqa: E402

TRANSCRIPTS = os.path.join(declarations.ROOT, "tests", "golden", "transcripts")
IDL = declarations.read_idl()
CODES = declarations.read_codes(IDL)
# A GET of partition 2.3, hash key "hk", sort key "s", in both framings, and an answer to it.
GET_V0 = bytes.fromhex(
    "544846540000000000000030000000000000002a0000000000000002000000030000138800003de11122334455667788"
    "8001000100000011" "5250435f525244425f525244425f474554" "000000070c0001000000050002686b7300")
GET_V1 = bytes.fromhex(
    "5448465400000001000000250000002a0800010000000208000200000003080003000013880a00041122334455667788"
    "0200050000" "8001000100000011" "5250435f525244425f525244425f474554" "000000070c0001000000050002686b7300")
GET_ANSWER = bytes.fromhex(
    "0000005b000000064552525f4f4b8001000200000015" "5250435f525244425f525244425f4745545f41434b"
    "000000070c0000080001000000000c0002000000017608000300000002080004000000030b000600000003683a310000")


def read(*fields, error=0):
    return Struct("read_response", {"error": error, "value": b"v", "app_id": 2, "partition_index": 3,
                                    "server": "h:1", **dict(fields)})


def compare(kind, recorded, ours, **more):
    our_side = more.pop("our_side", Side())
    comparison = Comparison(IDL, more.pop("recorded_side", Side()), our_side, **more)
    comparison.values("", kind, recorded, ours)
    return comparison


def paths(kind, recorded, ours, **more):
    return [path for path, _, _ in compare(kind, recorded, ours, **more).found]


class Exchange:
    def __init__(self, n, name, value, answer, app_id=1):
        self.n, self.answer = n, type("Answer", (), {"value": answer})
        self.request = type("Request", (), {"name": name, "value": value, "app_id": app_id})


class Declarations(unittest.TestCase):
    def test_reads_fields_with_their_kinds(self):
        kvs = IDL.structs["multi_put_request"][2]
        self.assertEqual((kvs.name, kvs.kind, kvs.optional), ("kvs", ("list", ("struct", "key_value")), False))
        self.assertTrue(IDL.structs["key_value"][3].optional)
        self.assertEqual(IDL.structs["disk_info"][5].kind, ("map", ("base", "i32"), ("set", ("custom", "gpid"))))
        self.assertEqual(IDL.enums["filter_type"][2], "FT_MATCH_PREFIX")

    def test_knows_the_messages_of_each_code(self):
        self.assertEqual(CODES["RPC_RRDB_RRDB_GET"], (("custom", "blob"), ("struct", "read_response")))
        self.assertEqual(CODES["RPC_RRDB_RRDB_CLEAR_SCANNER"], (("base", "i64"), None))
        self.assertEqual(CODES["RPC_CLI_CLI_CALL"], (("struct", "command"), ("base", "string")))

    def test_refuses_what_it_cannot_read(self):
        for text in ("struct a { 1: nothing b }", "struct a { oops }"):
            with self.assertRaises(declarations.DeclarationError):
                declarations.read_declarations(declarations.Idl(), text)


class Frames(unittest.TestCase):
    def test_both_framings_say_the_same(self):
        for frame in (GET_V0, GET_V1):
            request = Request(IDL, CODES, frame)
            self.assertEqual((request.name, request.seqid, request.app_id, request.partition, request.value),
                             ("RPC_RRDB_RRDB_GET", 7, 2, 3, b"\0\2hks"))
            self.assertEqual(request.encoded(), frame)

    def test_another_table_changes_id_and_thread_hash_only(self):
        for frame in (GET_V0, GET_V1):
            request = Request(IDL, CODES, frame)
            request.app_id = 9
            changed = Request(IDL, CODES, request.encoded())
            self.assertEqual((changed.app_id, changed.partition, changed.value), (9, 3, b"\0\2hks"))
        self.assertEqual(Request(IDL, CODES, GET_V0).thread_hash, 2 * 7919 + 3)

    def test_reads_an_answer(self):
        answer = Answer(IDL, CODES, GET_ANSWER)
        self.assertEqual((answer.error, answer.seqid, answer.value), ("ERR_OK", 7, read()))

    def test_refuses_damaged_frames(self):
        for size in range(len(GET_V0)):
            with self.assertRaises((ThriftError, Exception)):
                Request(IDL, CODES, GET_V0[:size])
        with self.assertRaises(ThriftError):
            Answer(IDL, CODES, GET_ANSWER + b"\0")

    def test_every_recorded_frame_comes_back_byte_for_byte(self):
        for name in sorted(os.listdir(TRANSCRIPTS)):
            if not name.endswith(".jsonl") or name.endswith(".expect.jsonl"):
                continue
            for exchange in Transcript(IDL, CODES, os.path.join(TRANSCRIPTS, name)).exchanges:
                with self.subTest(name=name, n=exchange.n):
                    self.assertEqual(exchange.request.encoded(), exchange.request.frame)
                    answer = exchange.answer
                    if answer is not None and answer.value is not None:
                        self.assertEqual(answer.encoded_value(IDL), answer.body)


class Values(unittest.TestCase):
    def back(self, kind, value):
        writer = Writer(IDL)
        writer.value(kind, value)
        reader = Reader(IDL, writer.bytes())
        self.assertEqual(reader.value(kind), value)
        self.assertEqual(reader.at, len(reader.data))
        return writer.bytes()

    def test_custom_types_have_no_fields(self):
        self.assertEqual(self.back(("custom", "blob"), b"ab").hex(), "000000026162")
        self.assertEqual(self.back(("custom", "error_code"), "ERR_OK").hex(), "000000064552525f4f4b")
        self.assertEqual(self.back(("custom", "rpc_address"), ("127.0.0.1", 34801, "ipv4")).hex(), "7f00000187f10001")
        self.assertEqual(self.back(("custom", "gpid"), (2, 3)).hex(), "0000000300000002")
        self.assertEqual(self.back(("custom", "host_port"), ("h", 34801, 1)).hex(), "000000016887f101")

    def test_an_undeclared_field_is_kept(self):
        value = read((77, Unknown(11, b"\0\0\0\1x")))
        self.back(("struct", "read_response"), value)

    def test_refuses_lengths_beyond_the_end(self):
        for data in (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"):
            with self.assertRaises(ThriftError):
                Reader(IDL, data).value(("custom", "blob"))

    def test_shows_bytes_readably(self):
        self.assertEqual((shown(b"ab"), shown(b"\0\xff"), shown([b"a"])), ("'ab'", "x:00ff", "['a']"))


class Comparisons(unittest.TestCase):
    READ = ("struct", "read_response")

    def test_names_the_field_that_differs(self):
        self.assertEqual(paths(self.READ, read(), read()), [])
        self.assertEqual(paths(self.READ, read(), read(("value", b"w"))), ["value"])
        self.assertEqual(paths(self.READ, read(), read(error=1)), ["error"])

    def test_a_missing_field_means_zero_unless_it_is_optional(self):
        self.assertEqual(paths(self.READ, read(("value", b"")), Struct("read_response", {
            "error": 0, "app_id": 2, "partition_index": 3, "server": "h:1"})), [])
        self.assertEqual(paths(("struct", "key_value"), Struct("key_value", {"expire_ts_seconds": 0}),
                               Struct("key_value")), ["expire_ts_seconds"])

    def test_table_ids_and_addresses_are_translated(self):
        recorded_side, our_side = Side(), Side({5: 2})
        learn_nodes(recorded_side.nodes, read())
        our_side.nodes.learn(9, "replica")
        ours = read(("app_id", 5), ("server", "127.0.0.1:9"))
        sides = {"recorded_side": recorded_side, "our_side": our_side}
        self.assertEqual(paths(self.READ, read(), ours, **sides), [])
        self.assertEqual(paths(self.READ, read(), read(("app_id", 6), ("server", "127.0.0.1:9")), **sides), ["app_id"])
        self.assertEqual(paths(self.READ, read(), read(("app_id", 5), ("server", "127.0.0.1:8")), **sides), ["server"])

    def test_scanner_contexts_are_ids_but_their_ends_are_not(self):
        scan = lambda number: Struct("scan_response", {"context_id": number})
        kind = ("struct", "scan_response")
        self.assertEqual(compare(kind, scan(-123), scan(7)).contexts, {-123: 7})
        for recorded, ours in ((-1, 7), (-123, -1), (0, 7), (0, -1)):
            self.assertEqual(paths(kind, scan(recorded), scan(ours)), ["context_id"])

    def test_ttls_may_lag(self):
        ttl = lambda seconds: Struct("ttl_response", {"ttl_seconds": seconds})
        kind = ("struct", "ttl_response")
        self.assertEqual(paths(kind, ttl(100), ttl(99)), [])
        self.assertEqual(paths(kind, ttl(100), ttl(107), slack_s=3), [])
        for ours in (90, 110, -1):
            self.assertEqual(paths(kind, ttl(100), ttl(ours)), ["ttl_seconds"])
        self.assertEqual(paths(kind, ttl(-1), ttl(0)), ["ttl_seconds"])

    def test_decrees_advance_alike(self):
        kind, decrees = ("struct", "update_response"), {}
        step = lambda recorded, ours: paths(kind, Struct("update_response", {"decree": recorded}),
                                            Struct("update_response", {"decree": ours}), decrees=decrees)
        self.assertEqual(step(2, 1), [])  # an empty mutation came first
        self.assertEqual(step(3, 2), [])
        self.assertEqual(step(4, 2), ["decree"])  # not taken
        self.assertEqual(step(5, 9), ["decree"])
        self.assertEqual(step(-1, 10), ["decree"])

    def test_a_new_partition_may_be_served_sooner_but_not_later(self):
        served = Struct("partition_configuration", {"ballot": 1, "primary": ("h", 1, "ipv4")})
        new = Struct("partition_configuration", {"ballot": 0, "primary": ("0.0.0.0", 0, "invalid")})
        kind = ("struct", "partition_configuration")
        self.assertEqual(paths(kind, new, served), [])
        self.assertEqual(paths(kind, served, new), ["ballot", "primary"])

    def test_a_table_that_one_side_lacks_is_one_difference(self):
        info = lambda number, name: Struct("app_info", {"app_id": number, "app_name": name})
        kind = ("list", ("struct", "app_info"))
        self.assertEqual(paths(kind, [info(1, "a"), info(2, "b")], [info(2, "b"), info(3, "c")]), ["a", "c"])
        self.assertEqual(paths(kind, [info(1, "a"), info(2, "b")], [info(2, "b"), info(1, "a")]), ["order"])


class Clock(unittest.TestCase):
    def test_a_ttl_answer_tells_the_time(self):
        ok, key = Struct("update_response", {"error": 0}), b"\0\1hs"
        clock = RecordedClock([
            Exchange(1, "RPC_RRDB_RRDB_PUT", Struct("update_request", {"key": key, "expire_ts_seconds": 343747522}), ok),
            Exchange(3, "RPC_RRDB_RRDB_TTL", key, Struct("ttl_response", {"error": 0, "ttl_seconds": 100})),
            Exchange(5, "RPC_RRDB_RRDB_PUT", Struct("update_request", {"key": key, "expire_ts_seconds": 100}), ok),
            Exchange(7, "RPC_RRDB_RRDB_TTL", key, Struct("ttl_response", {"error": 0, "ttl_seconds": 90}))])
        self.assertEqual([clock.at(n) for n in (1, 3, 9)], [343747422] * 3)

    def test_tables_of_the_start_are_those_that_nothing_in_the_recording_made(self):
        info = lambda number, name: Struct("app_info", {
            "status": 1, "app_id": number, "app_name": name, "partition_count": 4})
        listed = lambda *infos: Struct("configuration_list_apps_response", {"err": "ERR_OK", "infos": list(infos)})
        ask = Struct("configuration_list_apps_request", {"status": 1})
        made = Struct("configuration_create_app_response", {"err": "ERR_OK", "appid": 8})
        tables = tables_at_start([
            Exchange(1, "RPC_CM_CREATE_APP", Struct("configuration_create_app_request", {"app_name": "new"}), made),
            Exchange(3, "RPC_CM_LIST_APPS", ask, listed(info(8, "new"), info(5, "old"))),
            Exchange(5, "RPC_CM_LIST_APPS", ask, listed(info(5, "old"), info(9, "restored")))])
        self.assertEqual([(one.number, one.name) for one in tables], [(5, "old")])


class Requests(unittest.TestCase):
    """What is sent in the place of a recorded request."""

    def setUp(self):
        exchanges = [
            Exchange(1, "RPC_RRDB_RRDB_PUT", Struct("update_request", {"key": b"k", "expire_ts_seconds": 343747522}),
                     Struct("update_response", {"error": 0, "server": "h:1"})),
            Exchange(2, "RPC_RRDB_RRDB_TTL", b"k", Struct("ttl_response", {"error": 0, "ttl_seconds": 100}))]
        transcript = type("Transcript", (), {"exchanges": exchanges, "clock": RecordedClock(exchanges), "tables": []})
        self.replay = replay.Replay(IDL, CODES, transcript, "127.0.0.1:7", ["127.0.0.1:8"], False)

    def sent(self, name, value, app_id=2):
        request = Request(IDL, CODES, GET_V0)
        request.name, request.kind, request.value, request.app_id = name, CODES[name][0], value, app_id
        request.head = request.head.replace(b"RPC_RRDB_RRDB_GET", name.encode()).replace(
            (17).to_bytes(4, "big"), len(name).to_bytes(4, "big"))
        exchange = Exchange(3, name, value, None)
        exchange.request = request
        request.frame = request.encoded()
        return request.frame, Request(IDL, CODES, self.replay.frame(exchange))

    def test_nothing_to_map_is_sent_as_recorded(self):
        recorded, sent = self.sent("RPC_RRDB_RRDB_GET", b"\0\2hks")
        self.assertEqual(sent.frame, recorded)

    def test_a_table_has_our_id(self):
        self.replay.know_table(2, 9)
        sent = self.sent("RPC_RRDB_RRDB_GET", b"\0\2hks")[1]
        self.assertEqual((sent.app_id, sent.thread_hash), (9, 9 * 7919 + 3))
        recall = Struct("configuration_recall_app_request", {"app_id": 2, "new_app_name": ""})
        self.assertEqual(self.sent("RPC_CM_RECALL_APP", recall, 0)[1].value.get("app_id"), 9)

    def test_a_scan_context_has_our_id(self):
        self.replay.contexts[-5] = 6
        self.assertEqual(self.sent("RPC_RRDB_RRDB_SCAN", Struct("scan_request", {"context_id": -5}))[1].value.get(
            "context_id"), 6)
        self.assertEqual(self.sent("RPC_RRDB_RRDB_CLEAR_SCANNER", -5)[1].value, 6)

    def test_a_point_in_time_moves_and_a_raw_ttl_does_not(self):
        put = lambda seconds: self.sent("RPC_RRDB_RRDB_PUT", Struct("update_request", {
            "key": b"k", "value": b"", "expire_ts_seconds": seconds}))[1].value.get("expire_ts_seconds")
        self.assertAlmostEqual(put(343747422 + 500) - replay.now_2016_s(), 500, delta=2)
        self.assertEqual([put(seconds) for seconds in (0, 100, -1)], [0, 100, -1])
        self.assertEqual(self.replay.pending, set())
        put(343747423)  # a short one: a reader may have to wait for its end
        self.assertEqual(len(self.replay.pending), 1)

    def asked_at(self, moments, name):
        """A request whose answer always differs, asked at these moments: those at which it was not asked any more."""
        left = iter(moments)

        class Differing:
            found, contexts = [("error", 0, 1)], {}

        def compared(_):
            self.replay.asked_at_s = next(left)
            return None, Differing
        self.replay.compared = compared
        self.assertEqual(self.replay.step(Exchange(1, name, None, None)), (None, Differing.found))
        return list(left)

    def test_a_read_is_asked_again_until_what_was_to_expire_has_expired(self):
        self.replay.pending = {10, 12}
        self.assertEqual(self.asked_at([9, 10, 11, 12, 13, 14], "RPC_RRDB_RRDB_GET"), [14])
        self.assertEqual(self.asked_at([9, 10, 11, 12, 13, 14], "RPC_RRDB_RRDB_SCAN"), [10, 11, 12, 13, 14])

    def test_only_arguments_that_name_tables_are_changed(self):
        self.replay.know_table(2, 9)
        call = lambda name, *words: self.sent("RPC_CLI_CLI_CALL", Struct("command", {
            "cmd": name, "arguments": list(words)}), 0)[1].value.get("arguments")
        self.assertEqual(call("replica.query-app-envs", "2", "2.1", "3"), ["9", "9.1", "3"])
        self.assertEqual(call("nfs.max_copy_rate_megabytes_per_disk", "2"), ["2"])


class Lists(unittest.TestCase):
    def test_covers_what_it_names(self):
        listed = DifferenceList("# note\ngo 3,7-9 a.*,b : why\n* RPC_X body : not spoken\n")
        different = [("a.1", 0, 1), ("c", 0, 1)]
        self.assertEqual(listed.unlisted("go", 8, "RPC_Y", different), [("c", 0, 1)])
        self.assertEqual(listed.unlisted("go", 4, "RPC_Y", different), different)
        self.assertEqual(listed.unlisted("node", 8, "RPC_X", [("body", 0, 1)]), [])

    def test_tells_what_no_longer_occurs(self):
        listed = DifferenceList("go 3,7 a : why\n* RPC_X body : why")
        listed.unlisted("go", 3, "RPC_Y", [("a", 0, 1)])
        self.assertEqual(len(list(listed.stale({"go": {3, 7}}))), 1)
        self.assertEqual(len(list(listed.stale({"go": {3, 7}, "*": set()}))), 2)
        self.assertEqual(list(listed.stale({"node": set()})), [])

    def test_what_depends_on_timing_need_not_occur(self):
        listed = DifferenceList("go 3? a : timing\ngo 7 b : always\n")
        self.assertEqual(listed.unlisted("go", 3, "X", [("a", 1, 2), ("c", 1, 2)]), [("c", 1, 2)])
        self.assertEqual(listed.unlisted("go", 7, "X", [("b", 1, 2)]), [])
        self.assertEqual(list(listed.stale({"go": {3, 7}})), [])
        untouched = DifferenceList("go 3? a : timing\n")
        self.assertEqual(list(untouched.stale({"go": {3, 7}})), [])

    def test_a_line_without_reason_is_refused(self):
        for line in ("go 3 a", "go 3 a :", "go 3x a : why"):
            with self.assertRaises(ListError):
                DifferenceList(line)


if __name__ == "__main__":
    unittest.main()
