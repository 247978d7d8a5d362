"""A property of duplications in both directions: with random writes on one side at a time, whatever is killed, both
sides become equal, and then nothing is sent any more. ROUNDS_OF_WRITES is how often the side changes."""
import os
import random
import time

from duplicated import (MULTI_PUT, MULTI_REMOVE, PUT, REMOVE, SORT_KEY, Duplicated, multi_put_body, multi_remove_body,
                        put_body, remove_body)
from scenario import seconds
from tables import StoredTable

ROUNDS_OF_WRITES = int(os.environ.get("ROUNDS_OF_WRITES", "8"))
SEED = int(os.environ.get("SEED", "1"))
YEAR_2016_S = 1451606400
KEYS, WRITES = 30, 100  # writes: in a round
SORT_KEYS = [SORT_KEY, b"t", b"u", b"long sort key"]


class Mutual(Duplicated):
    def random_write(self, chance):
        """(code, hash key, body, the rows that it writes by sort key, None for a remove)"""
        key, number = f"key{chance.randrange(KEYS)}".encode(), chance.randrange(10**9)
        some = chance.sample(SORT_KEYS, chance.randrange(1, len(SORT_KEYS) + 1))
        kind = chance.randrange(6)
        if kind == 0:
            return REMOVE, key, remove_body(key), {SORT_KEY: None}
        if kind == 1:
            rows = {one: b"m%d" % number for one in some}
            return MULTI_PUT, key, multi_put_body(key, rows), rows
        if kind == 2:
            return MULTI_REMOVE, key, multi_remove_body(key, some), dict.fromkeys(some)
        if kind == 3:  # it expires long after this
            value = b"ttl%d" % number
            expire_ts = int(time.time()) - YEAR_2016_S + 100_000
            return PUT, key, put_body(key, value, expire_ts), {SORT_KEY: value}
        value = b"p%d" % number if number % 7 else b""
        return PUT, key, put_body(key, value), {SORT_KEY: value}

    def one_round(self, chance, writer, others):
        """Writes to one cluster; one of the clusters may be killed amid them."""
        client = self.client(writer)
        kill_at = chance.randrange(WRITES) if chance.random() < 0.7 else None
        for number in range(WRITES):
            if number == kill_at:
                self.kill_and_start(chance.choice([writer, *others]))
            code, key, body, rows = self.random_write(chance)
            client.must(code, key, body)  # tried until it is acknowledged, so that it may be written twice
            for sort_key, value in rows.items():
                self.model.pop((key, sort_key), None)
                if value is not None:
                    self.model[key, sort_key] = value

    def check_model(self):
        found = {key: value for key, (value, _) in StoredTable(self.b, "t").rows().items()}
        self.assertEqual(found, self.model)

    @seconds(20)
    def test_dup_mutual_property(self):
        chance, self.model = random.Random(SEED), {}
        self.make(self.a, self.b)
        self.add_dup(self.a, self.b)
        self.add_dup(self.b, self.a)
        for number in range(ROUNDS_OF_WRITES):
            sides = [self.a, self.b] if chance.random() < 0.5 else [self.b, self.a]
            self.one_round(chance, sides[0], sides[1:])
            try:
                rows = self.wait_for_equal(limit_s=30)
                self.check_model()
            except AssertionError as late:
                self.fail(f"seed {SEED}, round {number}, written on {sides[0].name}: {late}")
        self.note(f"seed {SEED}, {ROUNDS_OF_WRITES} rounds, {rows} rows in the end")
        self.check_quiet()

    def check_quiet(self):
        """One write is one request to the other side, and nothing follows from it: a row that circled would be counted
        by the time the next ones have come. The first pair takes what is still under way after a kill."""
        clients = [(self.client(self.a), self.b), (self.client(self.b), self.a)]

        def pair(name):
            for client, other in clients:
                # The same partition each time, so that one is behind the other.
                client.put(b"quiet", name + other.name.encode())
                self.row_arrives(other, b"quiet", name + other.name.encode())
            return self.received()
        pair(b"first")
        counts = [pair(b"round%d" % number) for number in range(5)]
        self.assertEqual([after - before for before, after in zip(counts, counts[1:])], [2] * 4,
                         f"more DUPLICATE requests than writes: {counts}\n{self.state(self.a)}\n{self.state(self.b)}")
