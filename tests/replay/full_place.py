"""A full duplication (-s) with the embedded cluster as the source: what it asks of the target is compared, and a
scripted follower fetches the checkpoints as the recorded one did. File names, sizes, decrees and folders are the
source's own business; their order, the fields and the contents' sizes are not."""
import copy
import itertools
import re

import harness
import wire_client
from crc64 import crc64
from source_place import CONFIG, SHIPPED, SourcePlace, follower_status
from target_place import arguments

ROWS, PARTITIONS = 2000, 4
BLOCK = 4 << 20  # of a copy, as recorded


def kind_of(file):
    return "sst" if file.endswith(".sst") else file.split("-")[0]


def order_of(files):
    """The kinds of the files, in their order."""
    return [kind for kind, _ in itertools.groupby(files, kind_of)]


def hash_key_of(value):
    """Of a write's argument."""
    if isinstance(value, bytes):
        key = value
    elif "hash_key" in value.fields:
        return value.get("hash_key")
    else:
        key = value.get("key")
    return key[2:2 + int.from_bytes(key[:2], "big")]


class FullPlace(SourcePlace):
    def run(self, report, now_s):
        self.replay.make_tables()
        self.table = self.recording.tables[-1]
        rows = b"".join(b"row%05d\ts\tvalue%d\n" % (number, number) for number in range(ROWS))
        done = harness.run_program(["import", "--cluster", self.cluster.meta, "--table", self.table.name, "--format",
                                    "tsv", "--quiet", "-"], self.folder, stdin=rows)
        if done.code != 0:
            raise AssertionError(str(done))
        self.checkpoints = {}  # by partition: (folder, {file: size})
        self.target.held = {"creating", "created"}
        for exchange in self.recording.exchanges:
            self.one_step(report, exchange)
        left = self.shipping.more("at the end") + self.replay.uninvited()
        report.add(None, None, left + [("asked", None, text)
                                       for text in self.target.strangers + self.target.peer.troubles])

    def one_step(self, report, exchange):
        name = exchange.request.name
        if name == "RPC_CM_CREATE_APP":
            report.add(exchange, *self.asked_alike(exchange))
            if follower_status(exchange.request) == "creating":
                self.write_shipped(1)  # the recorded client wrote this row before; here it is behind the checkpoint
            self.target.held.discard(follower_status(exchange.request))
        elif exchange.sender == "client":
            self.command(report, exchange)
        elif name == SHIPPED:
            report.add(exchange, *self.shipping.compare(exchange))
            self.write_shipped(1)
        elif exchange.receiver in self.RECEIVERS:
            report.add(exchange, *self.asked_alike(exchange))
        elif name == CONFIG:
            report.add(exchange, *self.replay.step(exchange))
        else:
            ask = {"RPC_QUERY_LAST_CHECKPOINT_INFO": self.last_checkpoint, "RPC_NFS_GET_FILE_SIZE": self.file_sizes,
                   "RPC_NFS_COPY": self.copy}[name]
            report.add(exchange, *ask(exchange))

    def write_shipped(self, count):
        """The next writes that the recorded source has shipped later."""
        if not hasattr(self, "writes"):
            self.writes = (entry for one in self.recording.exchanges if one.request.name == SHIPPED
                           for entry in one.request.value.get("entries"))
        for entry in itertools.islice(self.writes, count):
            code, body = entry.get("task_code"), entry.get("raw_message")
            partition = crc64(hash_key_of(arguments(self.idl, self.codes[code][0], body))) % PARTITIONS
            address = self.replay.primaries[self.table.number, partition]
            client = wire_client.Wire(address, wire_client.RDSN, self.replay.ids[self.table.number], partition)
            reply = client.ask(code, body)
            client.close()
            if reply.error != "ERR_OK":
                raise AssertionError(f"a write is answered {reply.error}")

    # The follower

    def asked(self, exchange, **fields):
        """Our answer to the recorded question with these fields instead."""
        changed = copy.copy(exchange)
        changed.request = copy.copy(exchange.request)
        changed.request.value = copy.deepcopy(exchange.request.value)
        changed.request.value.fields.update(fields)
        return self.replay.ask(changed)

    def last_checkpoint(self, exchange):
        answer = self.replay.ask(exchange)
        there, here = exchange.answer.value, answer.value
        if here is None:
            return answer, [("rpc_error", exchange.answer.error, answer.error)]
        found = [(f"{name}.fields", sorted(map(str, one.fields)), sorted(map(str, other.fields)))
                 for name, one, other in (("response", there, here), ("state", there.get("state"), here.get("state")))
                 if set(one.fields) != set(other.fields)]
        files = here.get("state").get("files")
        found += [(path, one, other) for path, one, other in (
            ("err", there.get("err"), here.get("err")),
            ("type", there.get("type"), here.get("type")),
            ("state.files", order_of(there.get("state").get("files")), order_of(files)),
            ("decrees", True, here.get("state").get("to_decree_included") <= here.get("last_committed_decree")),
            ("base_local_dir", True, here.get("base_local_dir", "").startswith("/"))) if one != other]
        self.checkpoints[exchange.request.value.get("pid")[1]] = (here.get("base_local_dir"), files)
        return answer, found

    def partition_of(self, exchange):
        """That a recorded question about files is about: it is in the folder's name."""
        return int(re.search(r"/\d+\.(\d+)\.pegasus/", exchange.request.value.get("source_dir"))[1])

    def file_sizes(self, exchange):
        partition = self.partition_of(exchange)
        folder, files = self.checkpoints[partition]
        answer = self.asked(exchange, source_dir=folder, file_list=files)
        there, here = exchange.answer.value, answer.value
        found = [(path, one, other) for path, one, other in (
            ("error", there.get("error"), here.get("error")), ("file_list", files, here.get("file_list")),
            ("size_list", len(files), sum(size > 0 for size in here.get("size_list")))) if one != other]
        self.checkpoints[partition] = (folder, dict(zip(files, here.get("size_list"))))
        return answer, found

    def copy(self, exchange):
        """A file of the same kind that has not been fetched yet; if there is none, because ours has fewer, the last
        one again."""
        folder, sizes = self.checkpoints[self.partition_of(exchange)]
        kind = kind_of(exchange.request.value.get("file_name"))
        files = [name for name in sizes if kind_of(name) == kind]
        fetched = self.fetched = getattr(self, "fetched", set())
        file = next((name for name in files if (folder, name) not in fetched), files[-1])
        fetched.add((folder, file))
        size = min(sizes[file], BLOCK)
        answer = self.asked(exchange, source_dir=folder, file_name=file, offset=0, size=size,
                            is_last=size == sizes[file])
        here = answer.value
        if here is None:
            return answer, [("rpc_error", exchange.answer.error, answer.error)]
        content = here.get("file_content")
        is_right = kind != "CURRENT" or content.startswith(b"MANIFEST-")
        return answer, [(path, one, other) for path, one, other in (
            ("error", exchange.answer.value.get("error"), here.get("error")),
            ("fields", sorted(map(str, exchange.answer.value.fields)), sorted(map(str, here.fields))),
            ("offset", 0, here.get("offset")), ("size", size, here.get("size")),
            ("file_content", size, len(content)), ("CURRENT", True, is_right)) if one != other]
