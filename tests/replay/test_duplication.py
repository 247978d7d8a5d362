"""The replay of duplications itself: a recorded source's own requests are alike, and each change is found."""
import json
import os
import time
import unittest
import urllib.request

import duplication
import idl as declarations
from crc64 import crc64
from differences import DifferenceList
from rdsn import RdsnConnection, RdsnRequest
from recording import Recording, unpacked
from scripted_peer import patched
from shell_place import ShellPlace
from shipped_place import key_of
from source_place import SHIPPED, Shipping, Target, config_before_next
from target_place import Rows, row_differences, without_text
from thrift import Struct
from transcript import Table

IDL = declarations.read_idl()
CODES = declarations.read_codes(IDL)
RECEIVERS, PORTS = ("B.meta", "B.replica1"), {"meta": 35601, "replica": 35801}
SOURCE_PORT = 34801


def recorded(file="incremental.jsonl"):
    return Recording(IDL, CODES, os.path.join(duplication.FOLDER, file), "self-test", [Table(1, "t", 4)])


class Recorded(unittest.TestCase):
    def test_runs_of_bytes(self):
        self.assertEqual(unpacked("0c(00*3)ff(41*2)"), b"\x0c\0\0\0\xffAA")
        self.assertEqual(unpacked(""), b"")

    def test_every_recording_can_be_read(self):
        for name, (file, place, tables) in duplication.REPLAYS.items():
            recording = place.READ(IDL, CODES, os.path.join(duplication.FOLDER, file), name, tables)
            self.assertGreater(len(recording.exchanges), 15, name)

    def test_requests_are_encoded_as_they_were(self):
        for exchange in recorded().exchanges:
            self.assertEqual(exchange.request.encoded(), exchange.request.frame, exchange.n)

    def test_a_request_to_another_table(self):
        request = recorded().requests_to("B.replica1")[0].request
        request.app_id = 9
        changed = RdsnRequest(IDL, CODES, request.encoded())
        self.assertEqual((changed.app_id, changed.header.thread_hash), (9, 9 * 7919 + changed.partition))
        self.assertEqual(changed.body, request.body)

    def test_addresses_in_bodies(self):
        body = b"\x7f\0\0\1\x8b\x11\0\1 localhost\x8b\x11\1 localhost:35601"
        self.assertEqual(patched(body, 35601, 1), b"\x7f\0\0\1\0\1\0\1 localhost\0\1\1 localhost:1")

    def test_a_text_is_left_out_of_a_body(self):
        begin = b"\x0c\0\0\x0c\0\1" + bytes(8)
        body = begin + b"\x0b\0\2\0\0\0\1a" + b"\x0b\0\3\0\0\0\2bc" + b"\0\0"
        self.assertEqual(without_text(body, 3), begin + b"\x0b\0\2\0\0\0\1a" + b"\0\0")

    def test_whether_a_config_query_follows(self):
        recording = recorded("errors.jsonl")
        tries = [one for one in recording.exchanges if one.request.name == SHIPPED]
        asks = {one.answer.error: config_before_next(recording.exchanges, one)
                for one in tries[:-1] if one.answer and one.answer.error != "ERR_OK"}
        self.assertEqual(asks, {"ERR_BUSY": False, "ERR_INVALID_STATE": True, "ERR_OBJECT_NOT_FOUND": True,
                                "ERR_TIMEOUT": True})


    def test_what_real_sources_ship_to_more_partitions_is_partly_lost(self):
        recording = recorded("partition-counts.jsonl.gz")
        entries = [(one.request.partition, entry) for one in recording.exchanges
                   if one.request.name == SHIPPED and one.request.app_id == 11
                   for entry in one.request.value.get("entries")]
        lost = [one for partition, one in entries if crc64(key_of(IDL, CODES, one)) % 8 != partition]
        self.assertEqual((len(entries), len(lost)), (208, 100))


class Printed(unittest.TestCase):
    def test_what_varies_is_not_compared(self):
        recorded = 'id 1795959337 at 2026-11-29 13:35:37.398\n{"confirmed_decree":-1,"last_committed_decree":4}\n'
        ours = '\nid 1800000000 at 2027-01-01 00:00:00.1\n{"confirmed_decree":-1,"last_committed_decree":17}'
        self.assertEqual(ShellPlace.differences(recorded, ours), [])

    def test_differences_of_what_is_printed(self):
        found = ShellPlace.differences("one\ncount : 1\n", "one\ncount : 0\nmore\n")
        self.assertEqual([path for path, _, _ in found], ["lines", "line.2.count"])
        found = ShellPlace.differences('{"confirmed_decree":-1}', '{"confirmed_decree":0}')
        self.assertEqual(len(found), 1)


class TestRows(unittest.TestCase):
    def test_rows_of_what_was_shipped(self):
        rows = Rows(IDL, CODES)
        for exchange in recorded().requests_to("B.replica1"):
            for entry in exchange.request.value.get("entries"):
                rows.apply(entry.get("task_code"), entry.get("raw_message"))
        late, early = rows.shown(2**33), rows.shown(0)
        self.assertIn(["h3", "b", "vb"], late)
        self.assertNotIn(["h3", "a", "va"], late)  # removed
        self.assertEqual(row_differences(late, early)[0], ("row h2/s1", "(absent)", "withttl"))
        self.assertEqual(len(early) - len(late), 3)  # with a ttl
        self.assertEqual(row_differences(late, late), [])


class Shipped(unittest.TestCase):
    """Recorded requests are sent to the scripted target, as they were or changed."""

    def setUp(self):
        self.recording = recorded()
        self.target = Target(IDL, CODES, self.recording, RECEIVERS, PORTS)
        self.addCleanup(self.target.peer.close)
        self.shipping = Shipping(self.target, {SOURCE_PORT: "replica"})
        self.shipping.begin_us = 0
        self.connection = RdsnConnection(f"127.0.0.1:{self.target.peer.ports['replica']}")
        self.addCleanup(self.connection.close)
        self.exchanges = [one for one in self.recording.exchanges if one.request.name == SHIPPED]

    def send(self, exchange, change=lambda request: None, **header):
        request = RdsnRequest(IDL, CODES, exchange.request.frame)
        change(request)
        frame = request.encoded()
        frame = RdsnRequest(IDL, CODES, frame).header.changed(**header) + frame[192:]
        self.connection.send(frame)
        return self.connection.receive()

    def found(self, change=lambda request: None, exchange=None, **header):
        exchange = exchange or self.exchanges[0]
        self.send(exchange, change, **header)
        return [path for path, _, _ in self.shipping.compare(exchange)[1]]

    def test_the_recorded_source_is_alike(self):
        for exchange in self.exchanges:
            reply = self.send(exchange)
            self.assertEqual(reply[192:], exchange.answer.body)
        for exchange in self.exchanges:
            self.assertEqual(self.shipping.compare(exchange)[1], [], exchange.n)
        self.assertEqual(self.shipping.more("at the end"), [])

    def test_other_bytes(self):
        def change(request):
            entry = request.value.get("entries")[0]
            entry.fields["raw_message"] = entry.get("raw_message")[:-1] + b"x"
        self.assertEqual(self.found(change), ["entries.0.raw_message"])

    def test_another_cluster_id_and_a_field_more(self):
        def change(request):
            request.value.get("entries")[0].fields.update(cluster_id=2, verify_timetag=True)
        self.assertEqual(self.found(change), ["entries.0.cluster_id", "entries.0.fields"])

    def test_a_place_in_a_log(self):
        def change(request):
            request.value.get("entries")[0].fields.update(decree=3, write_index=0)
            request.value.fields["source"] = Struct("duplicate_source",
                                                    {"app_id": 1, "partition_index": 0, "log_id": 9})
        self.assertEqual(self.found(change), ["entries.0.decree", "entries.0.write_index", "source"])

    def test_another_order(self):
        many = next(one for one in self.exchanges if len(one.request.value.get("entries")) > 20)

        def change(request):
            entries = request.value.get("entries")
            entries[3], entries[4] = entries[4], entries[3]
        self.assertEqual(self.found(change, many), ["entries.3.raw_message", "entries.4.raw_message",
                                                    "entries.4.timestamp"])

    def test_a_time_to_come(self):
        def change(request):
            request.value.get("entries")[0].fields["timestamp"] = 2**62
        self.assertEqual(self.found(change), ["entries.0.timestamp"])

    def test_headers(self):
        self.assertEqual(self.found(timeout_ms=5000, context=0x40, partition_hash=1, from_address=0),
                         ["header.context", "header.timeout_ms", "header.partition_hash", "header.from"])

    def test_too_much(self):
        self.send(self.exchanges[0])
        self.assertEqual([path for path, _, _ in self.shipping.more("too early")], ["shipped too early"])

    def test_it_says_its_time(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.target.peer.ports['replica']}/metrics?x=y") as reply:
            self.assertAlmostEqual(json.load(reply)["timestamp_ns"] / 1e9, time.time(), delta=60)
        self.assertEqual((self.target.peer.asked, self.target.peer.troubles), ([], []))

    def test_an_error_first(self):
        self.target.answers[self.exchanges[0].request.partition] = [(b"", "ERR_BUSY"), "close"]
        reply = self.send(self.exchanges[0])
        self.assertEqual((RdsnRequest(IDL, CODES, reply).header.error, self.target.entries), ("ERR_BUSY", {}))


class Lists(unittest.TestCase):
    def test_the_list_can_be_read(self):
        with open(os.path.join(duplication.HERE, duplication.LIST), encoding="utf-8") as file:
            listed = DifferenceList(file.read(), duplication.LIST)
        names = {entry.transcript for entry in listed.entries}
        self.assertLessEqual(names, set(duplication.REPLAYS))


if __name__ == "__main__":
    unittest.main()
