"""Writes of other clusters: what the servers answer when they refuse one."""
import os
import struct

from test_wire_limits import DATA, PUT, RDSN, WireTest

DUPLICATE = DATA + "DUPLICATE"
INVALID_ARGUMENT, TRY_AGAIN = 4, 13  # a real source aborts on the first, and repeats after the second


def blob(number, value):
    return struct.pack(">bhi", 12, number, len(value)) + value


def request_of(cluster_id, raw_message):
    """One PUT of another cluster, made long ago."""
    entry = (struct.pack(">bhq", 10, 1, 1_700_000_000_000_000) + blob(2, PUT.encode()) + blob(3, raw_message) +
             struct.pack(">bhb", 3, 4, cluster_id) + b"\0")
    return struct.pack(">bhbhbi", 12, 0, 15, 1, 12, 1) + entry + b"\0\0"


class RefusedDuplicates(WireTest):
    def answers_of(self, *more):
        """The answers to a cluster id that is not known, and to the cluster's own."""
        config = os.path.join(self.folder, "group.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[duplication-group]\nA = 1\nB = 2\n")
        cluster = self.start_cluster(more=["--config", config, *more])
        self.create(cluster, "t", 1)
        wire = self.wire(cluster.replicas[0], RDSN, self.app_id(cluster, "t"), 0)
        put = self.body(PUT)
        replies = [wire.ask(DUPLICATE, request_of(number, put)) for number in (9, 1, 2)]
        self.assertEqual([reply.error for reply in replies], ["ERR_OK"] * 3)
        errors = [struct.unpack_from(">i", reply.body, 6)[0] for reply in replies]
        self.assertIn(b"request cluster id is unconfigured", replies[0].body)
        self.assertIn(b"self-duplicating", replies[1].body)
        self.assertEqual(errors[2], 0)
        cluster.kill()
        return errors[:2]

    def test_the_usual_answer_is_that_of_real_servers(self):
        self.assertEqual(self.answers_of(), [INVALID_ARGUMENT] * 2)

    def test_an_option_makes_sources_repeat_them(self):
        self.assertEqual(self.answers_of("--retry-refused-duplicates"), [TRY_AGAIN] * 2)
