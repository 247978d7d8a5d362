"""Comparing answers by meaning: what must be equal, what may vary and how far."""
import re

from rdsn import THREADS_OF_TABLE
from thrift import Struct, Unknown

TTL_TOLERANCE_S = 5
# Times and sizes of the machine: zero here exactly where they are zero there.
VARYING_NUMBERS = {"create_second", "drop_second", "expire_second", "total_capacity_mb",
                   "total_available_mb", "disk_capacity_mb", "disk_available_mb", "start_time_ms", "end_time_ms",
                   "create_ts"}
VARYING_TEXTS = {"full_dir"}  # a path: empty here exactly where it is empty there
TIME_IN_TEXT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
ADDRESS_IN_TEXT = re.compile(r"[\w.-]+:(\d+)")
UNIX_TIME_IN_TEXT = re.compile(r"\b[12]\d{9}\b")
PARTITION_IN_TEXT = re.compile(r"\b(\d+)(\.\d+@)")
ABSENT = "(absent)"
HEADER_FIELDS = ("version", "name", "partition", "context", "timeout_ms", "partition_hash")
SERVED_BY = ("ballot", "primary", "last_drops", "hp_primary", "hp_last_drops")


class Nodes:
    """Which part an address of a cluster plays: "meta", "replica", or itself if it is none."""

    def __init__(self):
        self.parts = {}

    def learn(self, port, part):
        self.parts[port] = part

    def part(self, host, port):
        return "none" if port == 0 else self.parts.get(port, f"{host}:{port}")

    def in_text(self, text):
        text = UNIX_TIME_IN_TEXT.sub("<time>", TIME_IN_TEXT.sub("<time>", text))
        text = ADDRESS_IN_TEXT.sub(lambda found: f"<{part}>" if (part := self.parts.get(int(found[1]))) else found[0],
                                   text)
        return re.sub(r"<(\w+)>(?:,<\1>)+", r"<\1>", text)  # however many of them there are


class Side:
    """One of the two clusters: its nodes, and its table ids with the recorded ones of the same tables."""

    def __init__(self, tables=None):
        self.nodes, self.tables = Nodes(), tables

    def table(self, number):
        """The recorded id; a text if the recorded cluster has no such table."""
        if number <= 0 or self.tables is None:
            return number
        return self.tables.get(number, f"{number} (here)")

    def in_text(self, text):
        """A text with what varies in it named: addresses, times, and tables in `1.0@host:port`."""
        text = PARTITION_IN_TEXT.sub(lambda found: f"{self.table(int(found[1]))}{found[2]}", text)
        return self.nodes.in_text(text)


class Comparison:
    """Compares one answer with the recorded one. `found` gets (path, recorded, ours) of each
    difference; `contexts` the recorded scanner contexts and backup ids with ours. `decrees` has the last recorded
    decree and ours of each partition. `time_shift_s`: our clock minus the recorded one, which is
    known to `slack_s`. `is_shared`: our cluster has tables and nodes that the recording knows
    nothing of. `known`: the contexts that earlier comparisons have found."""

    def __init__(self, idl, recorded_side, our_side, partition=None, decrees=None, slack_s=0,
                 time_shift_s=0, is_shared=False, known=None):
        self.idl, self.recorded_side, self.our_side = idl, recorded_side, our_side
        self.partition, self.decrees = partition, {} if decrees is None else decrees
        self.slack_s, self.time_shift_s, self.is_shared = slack_s, time_shift_s, is_shared
        self.found, self.contexts, self.known = [], {}, known or {}

    def answers(self, recorded, ours):
        if hasattr(recorded, "header"):
            self.headers(recorded.header, ours.header)
        if recorded.error != ours.error:
            self.found.append(("rpc_error", recorded.error, ours.error))
            return
        if recorded.name != ours.name:
            self.found.append(("name", recorded.name, ours.name))
        if recorded.kind is None:
            self.equal("body", recorded.body, ours.body)
        elif recorded.value is None or ours.value is None:
            self.equal("result", recorded.value, ours.value)
        else:
            self.values("", recorded.kind, recorded.value, ours.value)

    def headers(self, recorded, ours):
        """Headers of RDSN frames. Numbers and codes of the sending process vary."""
        for name in HEADER_FIELDS:
            self.equal(f"header.{name}", getattr(recorded, name), getattr(ours, name))
        self.equal("header.app_id", recorded.app_id, self.our_side.table(ours.app_id))
        self.equal("header.thread_hash", *(one.thread_hash - one.app_id * THREADS_OF_TABLE for one in (recorded, ours)))
        self.equal("header.from", *(side.nodes.part("", one.from_port()) for side, one in
                                    ((self.recorded_side, recorded), (self.our_side, ours))))

    def equal(self, path, recorded, ours):
        if recorded != ours:
            self.found.append((path.lstrip(".") or "result", recorded, ours))

    def values(self, path, kind, recorded, ours):
        name = path.rsplit(".", 1)[-1]
        if isinstance(recorded, dict) and kind[0] == "list":  # by_key
            self.maps(path, ("map", kind[1], kind[1]), recorded, ours)
        elif kind[0] == "struct":
            self.structs(path, recorded, ours)
        elif kind[0] in ("list", "set"):
            self.lists(path, kind, recorded, ours)
        elif kind[0] == "map":
            self.maps(path, kind, recorded, ours)
        elif kind in (("custom", "rpc_address"), ("custom", "host_port")):
            self.equal(path, self.recorded_side.nodes.part(*recorded[:2]), self.our_side.nodes.part(*ours[:2]))
        elif kind == ("custom", "gpid"):
            self.equal(path, recorded, (self.our_side.table(ours[0]), ours[1]))
        elif name in ("app_id", "appid") and isinstance(ours, int):
            self.equal(path, recorded, self.our_side.table(ours))
        elif name == "decree":
            self.equal(path, recorded, self.decree_as_recorded(recorded, ours))
        elif name == "context_id":
            self.context_ids(path, recorded, ours)
        elif name == "ttl_seconds":
            self.ttls(path, recorded, ours)
        elif name == "expire_ts_seconds":
            near = recorded > 0 < ours and abs(ours - self.time_shift_s - recorded) <= \
                self.slack_s + TTL_TOLERANCE_S
            self.equal(path, recorded, recorded if near else ours)
        elif name == "dupid" and recorded and ours:
            self.equal(path, recorded, recorded if self.known.get(recorded, ours) == ours else ours)
            self.contexts[recorded] = ours
        elif name == "backup_id" and isinstance(ours, int) and recorded and ours:
            self.contexts[recorded] = ours  # the moment of its beginning
        elif name in VARYING_NUMBERS or name in VARYING_TEXTS:
            self.equal(path, recorded, recorded if bool(recorded) == bool(ours) else ours)
        elif kind == ("base", "string"):
            self.equal(path, *(side.in_text(text) for side, text in
                               ((self.recorded_side, recorded), (self.our_side, ours))))
        else:
            self.equal(path, recorded, ours)

    def decree_as_recorded(self, recorded, ours):
        """The recorded decree if ours means the same: each write takes one. A real server puts
        empty mutations of its own between them when a partition is idle, so its step may be larger."""
        last_recorded, last_ours = self.decrees.get(self.partition, (0, 0))
        if min(recorded, ours) < 0:
            return ours
        self.decrees[self.partition] = (recorded, ours)
        return recorded if 1 <= ours - last_ours <= recorded - last_recorded else ours

    def ttls(self, path, recorded, ours):
        near = min(recorded, ours) >= 0 and \
            -TTL_TOLERANCE_S <= ours - recorded <= self.slack_s + TTL_TOLERANCE_S
        self.equal(path, recorded, recorded if near else ours)

    def context_ids(self, path, recorded, ours):
        """-1 means that the scan is over, and 0 goes with an error; any other is just an id."""
        if recorded in (-1, 0) or ours in (-1, 0):
            self.equal(path, recorded, ours)
        else:
            self.contexts[recorded] = ours

    def duplicated(self, path, recorded, ours):
        """How far a partition of a duplication is; decrees themselves vary, see decree_as_recorded."""
        def how_far(state):
            confirmed, last = state.get("confirmed_decree"), state.get("last_committed_decree")
            return "not begun" if confirmed < 0 else "behind" if confirmed < last else "all confirmed"
        self.equal(f"{path}.confirmed_decree", how_far(recorded), how_far(ours))

    def structs(self, path, recorded, ours):
        if {"confirmed_decree", "last_committed_decree"} <= set(recorded.fields):
            self.duplicated(path, recorded, ours)
            return
        if recorded.name == "configuration_cluster_info_response":
            recorded, ours = by_key(recorded), by_key(ours)
        elif is_unassigned(recorded) and not is_unassigned(ours):
            # How soon a partition is served varies: one that is served already is as right.
            recorded, ours = (without(one, SERVED_BY) for one in (recorded, ours))
        for field in self.idl.structs[recorded.name].values():
            inner = f"{path}.{field.name}"
            if field.name in recorded.fields and field.name in ours.fields:
                self.values(inner, field.kind, recorded.fields[field.name], ours.fields[field.name])
                continue
            zero = ABSENT if field.optional else zero_of(field.kind)
            self.equal(inner, recorded.get(field.name, zero), ours.get(field.name, zero))
        for key in {**recorded.fields, **ours.fields}:
            if isinstance(key, int):  # undeclared
                self.equal(f"{path}.{key}", recorded.get(key, ABSENT), ours.get(key, ABSENT))
        self.reserve(path, recorded, ours)

    def reserve(self, path, recorded, ours):
        """How long a dropped table is kept does not vary, though the times do."""
        if recorded.name != "app_info" or not recorded.get("drop_second") or not ours.get("drop_second"):
            return
        kept = [one.get("expire_second") - one.get("drop_second") for one in (recorded, ours)]
        self.equal(f"{path}.expire_second-drop_second", kept[0], kept[0] if abs(kept[0] - kept[1]) <= 1 else kept[1])

    def lists(self, path, kind, recorded, ours):
        if kind[0] == "set":
            order = lambda one: repr(one)
            ours = sorted(((self.our_side.table(one[0]), one[1]) if kind[1] == ("custom", "gpid") else one
                           for one in ours), key=order)
            self.equal(path, sorted(recorded, key=order), ours)
            return
        if kind[1] == ("struct", "app_info"):
            self.tables(path, recorded, ours)
            return
        if self.is_shared and kind[1] == ("struct", "node_info"):
            ours = ours[:len(recorded)]
        if len(recorded) != len(ours):
            self.equal(f"{path}.length", len(recorded), len(ours))
        for index, (one, other) in enumerate(zip(recorded, ours)):
            self.values(f"{path}.{index}", kind[1], one, other)

    def tables(self, path, recorded, ours):
        """Lists of tables: by id, so that a table that one side lacks is one difference; those that
        both have must come in the same order."""
        there = {info.get("app_id"): info for info in recorded}
        here = {self.our_side.table(info.get("app_id")): info for info in ours}
        for number, info in there.items():
            inner = f"{path}.{info.get('app_name')}"
            if number in here:
                self.values(inner, ("struct", "app_info"), info, here[number])
            else:
                self.equal(inner, info, ABSENT)
        for number, info in here.items():
            if number not in there and not (self.is_shared and isinstance(number, str)):
                self.equal(f"{path}.{info.get('app_name')}", ABSENT, info)
        self.equal(f"{path}.order", [one for one in there if one in here], [one for one in here if one in there])

    def maps(self, path, kind, recorded, ours):
        if path.endswith(("holding_primary_replicas", "holding_secondary_replicas")):
            ours = {self.our_side.table(key): value for key, value in ours.items()}
        if path.endswith("duplications"):  # by dupid
            recorded_of = {one: other for other, one in self.known.items()}
            ours = {recorded_of.get(key, key): value for key, value in ours.items()}
        for key in {**recorded, **ours}:
            inner = f"{path}.{key}"
            if key in recorded and key in ours:
                self.values(inner, kind[2], recorded[key], ours[key])
            else:
                self.equal(inner, recorded.get(key, ABSENT), ours.get(key, ABSENT))


def by_key(info):
    """Cluster info with each value in a field of its own, so that a difference names its key."""
    keys, values = info.get("keys", []), info.get("values", [])
    return Struct(info.name, {**info.fields, "values": dict(zip(keys, values))})


def is_unassigned(value):
    """Whether this is a partition that has no primary yet, after it was made or recalled."""
    return value.name == "partition_configuration" and value.get("primary", ("", 0))[1] == 0


def without(value, names):
    return Struct(value.name, {name: one for name, one in value.fields.items() if name not in names})


def zero_of(kind):
    """What a field that is always written means where it is missing."""
    if kind[0] == "custom":
        return {"blob": b"", "gpid": (0, 0), "rpc_address": ("0.0.0.0", 0, "invalid"),
                "host_port": ("", 0, 0)}.get(kind[1], "")
    return {"base": {"bool": False, "string": ""}.get(kind[1], 0), "enum": 0, "list": [], "set": [],
            "map": {}, "struct": None}[kind[0]]


def learn_nodes(nodes, value, field=""):
    """Notes the parts that the addresses in a value play, which the name of their field tells."""
    if isinstance(value, Struct):
        if {"keys", "values"} <= set(value.fields):
            value = dict(zip(value.get("keys"), value.get("values")))
        else:
            value = value.fields
    if isinstance(value, dict):
        for name, one in value.items():
            learn_nodes(nodes, one, name)
    elif isinstance(value, list):
        for one in value:
            learn_nodes(nodes, one, field)
    elif field in ("meta_servers", "primary_meta_server"):
        for address in value.split(","):
            nodes.learn(int(address.rsplit(":", 1)[1]), "meta")
    elif field == "server" and ":" in value:
        nodes.learn(int(value.rsplit(":", 1)[1]), "replica")
    elif isinstance(value, tuple) and len(value) == 3 and value[1]:  # an rpc_address or a host_port
        nodes.learn(value[1], "replica")
