"""Differing rows of each kind are found by verify, listed by diff, and mended by repair: those and no others."""
import json
import os
import time

from scenario import DIFFER, DONE, FUTURE, Copier, Scenario, seconds
from tables import many_rows

ROWS = 20_000
MISSING = ("user7", "field0001")
VALUE = ("user8", "field0002")
EXPIRY = ("user9", "field0003")
EXTRA = (b"\xfe\x00extra", "field")


class Differences(Scenario):
    def setUp(self):
        super().setUp()
        self.load(self.a, "t", many_rows(ROWS, expiry=FUTURE), 4)
        self.copied("--create", "--partitions", 7)
        self.assertEqual(self.check_equal(), ROWS)

    def between(self, verb, *more):
        return [verb, "--from", self.a.meta, "--to", self.b.meta, "--table", "t", *more]

    def make_differences(self):
        rows = self.table(self.a).rows()
        key = tuple(part.encode() for part in EXPIRY)
        value, expire_ts = rows[key]
        self.done("shell", "--cluster", self.b.meta, "-e", f"use t; del {MISSING[0]} {MISSING[1]}")
        self.load(self.b, "t", [(*VALUE, "other"), (*EXPIRY, value, (expire_ts or FUTURE) + 100), (*EXTRA, "v")])
        self.assertNotEqual(self.table(self.a).digest(), self.table(self.b).digest())

    def counts(self, *more):
        outcome = self.run_words(*self.between("verify", "--json", "--quiet", *more))
        self.assertIn(outcome.code, (DONE, DIFFER), str(outcome))
        report = json.loads(outcome.out)
        counts = [report[kind] for kind in ("missing", "extra", "value", "expiry")]
        self.assertEqual(outcome.code, DIFFER if any(counts) else DONE, str(outcome))
        return counts

    def test_a_row_of_each_kind_is_found_and_mended(self):
        self.make_differences()
        self.assertEqual(self.counts(), [1, 1, 1, 1])
        listed = self.run_words(*self.between("diff", "--json"))
        self.assertEqual(listed.code, DIFFER, str(listed))
        for text in ("missing", "extra", "value", "expiry", MISSING[0], VALUE[0], EXPIRY[0]):
            self.assertIn(text, listed.out)
        before = self.table(self.b).count()
        self.run_words(*self.between("repair"))
        self.assertEqual(self.counts(), [0, 1, 0, 0], "extra rows stay without --delete-extra")
        self.assertEqual(self.table(self.b).count(), before + 1)
        self.done(*self.between("repair", "--delete-extra", "--yes"))
        self.assertEqual(self.counts(), [0, 0, 0, 0])
        self.assertEqual(self.check_equal(), ROWS)

    def test_many_differences_of_every_kind(self):
        rows = self.table(self.a).rows()
        keys = sorted(rows)
        self.load(self.b, "t", [(*key, "other", rows[key][1]) for key in keys[0:9000:3]])
        self.load(self.b, "t", [(*key, rows[key][0], FUTURE + 70_000) for key in keys[1:9000:3]])
        self.load(self.b, "t", [(b"more" + key[0], key[1], "v") for key in keys[:3000]])
        for word in ("user19", "user18"):
            self.done("shell", "--cluster", self.b.meta, "-e", f"use t; clear_data -h prefix -x {word} -f",
                      limit_s=120)
        before = self.counts()
        self.note(f"missing, extra, value, expiry: {before}")
        self.assertTrue(all(count > 100 for count in before), before)
        self.done(*self.between("repair", "--delete-extra", "--yes"), limit_s=120)
        self.assertEqual(self.check_equal(), ROWS)

    def test_repair_of_a_list_mends_what_is_listed_and_no_more(self):
        self.make_differences()
        path = os.path.join(self.folder, "differences.jsonl")
        self.assertEqual(self.run_words(*self.between("diff", "--json", "--output", path)).code, DIFFER)
        with open(path, encoding="utf-8") as file:
            listed = [json.loads(line) for line in file]
        self.assertEqual(sorted(one["kind"] for one in listed), ["expiry", "extra", "missing", "value"])
        later = ("user10", "field0001")
        self.load(self.b, "t", [(*later, "since then")])
        dry = self.table(self.b).digest()
        self.run_words(*self.between("repair", "--differences", path, "--delete-extra", "--yes", "--dry-run"))
        self.assertEqual(self.table(self.b).digest(), dry, "--dry-run changes nothing")
        self.run_words(*self.between("repair", "--differences", path, "--delete-extra", "--yes"))
        wanted = {**self.table(self.a).rows(), tuple(part.encode() for part in later): (b"since then", 0)}
        self.assertEqual(self.table(self.b).rows(), wanted)

    def test_extra_rows_are_not_deleted_without_a_yes(self):
        self.load(self.b, "t", [(*EXTRA, "v")])
        self.assertNotEqual(self.run_words(*self.between("repair", "--delete-extra")).code, DONE)
        self.assertEqual(self.table(self.b).count(), ROWS + 1)

    def test_a_certificate(self):
        path = os.path.join(self.folder, "certificate.json")
        self.done(*self.between("verify", "--certificate", path))
        with open(path, encoding="utf-8") as file:
            certificate = json.load(file)
        self.assertEqual((certificate["equal"], certificate["source_rows"]), (True, ROWS))

    def test_expiry_tolerance_compares_rows(self):
        rows = self.table(self.a).rows()
        lasting = [key for key in sorted(rows) if rows[key][1]][:10]
        # Later and earlier by as much: sums over the table would not tell.
        self.load(self.b, "t", [(*key, rows[key][0], rows[key][1] + (1 if place % 2 else -1))
                                for place, key in enumerate(lasting)])
        self.assertEqual(self.counts(), [0, 0, 0, len(lasting)])
        self.assertEqual(self.counts("--expiry-tolerance", "2s"), [0, 0, 0, 0])
        self.load(self.b, "t", [(*lasting[0], rows[lasting[0]][0], rows[lasting[0]][1] + 5)])
        self.assertEqual(self.counts("--expiry-tolerance", "2s"), [0, 0, 0, 1])

    def test_a_sample(self):
        self.assertEqual(self.counts("--sample", "1/8"), [0, 0, 0, 0])
        self.load(self.b, "t", [(f"user{number}", "field0000", "other") for number in range(1000)])
        found = self.counts("--sample", "1/8")
        self.assertTrue(0 < found[2] < 1000, found)

    def test_differences_of_rows_that_are_gone_meanwhile(self):
        soon = int(time.time()) + 3
        self.load(self.b, "t", [("soon", "gone", "v", soon)])
        self.look_until(lambda: self.table(self.b).count() == ROWS, "the expiry", pause_s=0.1)
        self.assertEqual(self.counts(), [0, 0, 0, 0])


class KilledVerify(Scenario):
    ROWS = 300_000

    @seconds(15)
    def test_a_killed_verification_goes_on(self):
        self.load(self.a, "t", b"".join(b"user%d\tf\t%d\n" % (number, number) for number in range(self.ROWS)), 8)
        self.copied("--create", "--partitions", 8, "--full-speed")
        self.load(self.b, "t", [(f"user{number}", "f", "other") for number in range(0, self.ROWS, 3000)])
        shell = ["shell", "--cluster", self.a.meta, "-e"]
        self.done(*shell, "use t; set_app_envs replica.read_throttling 1*delay*300")  # so that it is not done at once
        words = ["verify", "--from", self.a.meta, "--to", self.b.meta, "--table", "t", "--state", self.state, "--json"]
        verifier = Copier(words, self.folder)
        self.addCleanup(verifier.kill)
        run = verifier.wait_for_run()
        self.look_until(lambda: self.journal.ask("SELECT 1 FROM units WHERE run = ?", run), "progress", verifier)
        self.kill_hard(verifier)
        self.assertNotEqual(self.status(run)["state"], "done")
        self.done(*shell, "use t; del_app_envs replica.read_throttling")
        outcome = self.run_words("resume", run, "--state", self.state, "--json")
        self.assertEqual(outcome.code, DIFFER, str(outcome))
        report = json.loads(outcome.out)
        self.assertEqual((report["source_rows"], report["target_rows"], report["value"], report["missing"]),
                         (self.ROWS, self.ROWS, self.ROWS // 3000, 0))
