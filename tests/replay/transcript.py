"""A recorded dialogue: requests with their answers, and what it tells about the cluster behind it."""
import json
import os

from frames import Answer, Request
from thrift import Struct, ThriftError

# Below this an expire_ts_seconds is no point in time but a raw ttl, as some clients send it: in
# seconds since 2016, this is in 2019.
FIRST_POINT_IN_TIME_S = 100_000_000
AVAILABLE, DROPPED = 1, 6  # app_status
TABLE_LISTS = {0: (AVAILABLE, DROPPED), 1: (AVAILABLE,), 6: (DROPPED,)}  # asked status -> listed ones


class Exchange:
    """A request and its answer; `answer` is None where the recording has none."""

    def __init__(self, frame, request):
        self.n, self.conn, self.peer, self.request = frame["n"], frame["conn"], frame["peer"], request
        self.answer = None


class Table:
    """A table that the recorded cluster had before the recording began."""

    def __init__(self, number, name, partitions, reserve_s=None):
        self.number, self.name, self.partitions = number, name, partitions
        self.reserve_s = reserve_s  # of its drop, None if it was not dropped


class Transcript:
    def __init__(self, idl, codes, path):
        self.name = os.path.basename(path).removesuffix(".jsonl")
        self.exchanges, self.frame_count = [], 0
        waiting = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                self.add(idl, codes, json.loads(line), waiting)
        self.tables = list(tables_at_start(self.exchanges))
        self.clock = RecordedClock(self.exchanges)
        info = cluster_info(self.exchanges)
        self.cluster_name = info.get("cluster_name", "replay")
        levels = {name: number for number, name in idl.enums.get("meta_function_level", {}).items()}
        self.meta_level = levels.get("fl_" + info.get("meta_function_level", ""))

    def add(self, idl, codes, frame, waiting):
        self.frame_count += 1
        data = bytes.fromhex(frame["frame"])
        try:
            if frame["dir"] == "request":
                exchange = Exchange(frame, Request(idl, codes, data))
                self.exchanges.append(exchange)
                waiting[frame["conn"], frame["seqid"]] = exchange
            else:
                waiting.pop((frame["conn"], frame["seqid"])).answer = Answer(idl, codes, data)
        except (ThriftError, KeyError) as error:
            raise ThriftError(f"{self.name}, frame {frame['n']}: {error!r}") from error

    def table_names(self):
        """The tables of the start, and those that a request makes, renames or asks for."""
        names = {table.name for table in self.tables}
        for exchange in self.exchanges:
            if isinstance(exchange.request.value, Struct):
                value = exchange.request.value
                names |= {value.get(field) for field in ("app_name", "new_app_name") if value.get(field)}
        return names


def cluster_info(exchanges):
    """The first cluster info of the recording."""
    for exchange in exchanges:
        if exchange.request.name == "RPC_CM_CLUSTER_INFO" and exchange.answer and exchange.answer.value:
            values = exchange.answer.value.fields
            return dict(zip(values["keys"], values["values"]))
    return {}


def seen_tables(exchange):
    """The tables that an answer shows, as (Table, status)."""
    value = exchange.answer and exchange.answer.value
    if not isinstance(value, Struct) or value.get("err") != "ERR_OK":
        return
    if exchange.request.name == "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX":
        name = exchange.request.value.get("app_name")
        yield Table(value.get("app_id"), name, value.get("partition_count")), AVAILABLE
    if exchange.request.name == "RPC_CM_LIST_APPS":
        for info in value.get("infos"):
            reserve_s = None
            if info.get("status") == DROPPED:
                reserve_s = max(1, info.get("expire_second") - info.get("drop_second"))
            yield Table(info.get("app_id"), info.get("app_name"), info.get("partition_count"), reserve_s), \
                info.get("status")


def tables_at_start(exchanges):
    """Tables that an answer shows, unless an earlier one shows that they were not there."""
    tables, later, listed = {}, set(), set()
    for exchange in exchanges:
        value = exchange.answer and exchange.answer.value
        if exchange.request.name == "RPC_CM_CREATE_APP" and value and value.get("err") == "ERR_OK":
            later |= {value.get("appid")} - set(tables)
        for table, status in seen_tables(exchange):
            if table.number in tables or table.number in later:
                continue
            # A drop in the recording makes a table of the start a dropped one, not a new one.
            if status in listed:
                later.add(table.number)
            else:
                tables[table.number] = table
        if exchange.request.name == "RPC_CM_LIST_APPS" and value:
            listed |= set(TABLE_LISTS.get(exchange.request.value.get("status"), ()))
    return (tables[number] for number in sorted(tables))


def raw_key(hash_key, sort_key):
    return len(hash_key).to_bytes(2, "big") + hash_key + sort_key


def expiries(request):
    """What a write asks for: (raw key, expire_ts_seconds as sent) of each record."""
    value = request.value
    if request.name in ("RPC_RRDB_RRDB_PUT", "RPC_RRDB_RRDB_INCR"):
        yield value.get("key", b""), value.get("expire_ts_seconds", 0)
    elif request.name == "RPC_RRDB_RRDB_MULTI_PUT":
        for one in value.get("kvs", []):
            yield raw_key(value.get("hash_key", b""), one.get("key", b"")), value.get("expire_ts_seconds", 0)
    elif request.name == "RPC_RRDB_RRDB_CHECK_AND_SET":
        sort_key = value.get("set_sort_key" if value.get("set_diff_sort_key") else "check_sort_key", b"")
        yield raw_key(value.get("hash_key", b""), sort_key), value.get("set_expire_ts_seconds", 0)
    elif request.name == "RPC_RRDB_RRDB_CHECK_AND_MUTATE":
        for one in value.get("mutate_list", []):
            yield raw_key(value.get("hash_key", b""), one.get("sort_key", b"")), \
                one.get("set_expire_ts_seconds", 0)


class RecordedClock:
    """The server's clock during the recording, in seconds since 2016, as far as it shows: a ttl
    answer about a record whose expire_ts_seconds was sent earlier tells what time it was."""

    def __init__(self, exchanges):
        self.known, self.earliest_expiry = [], None  # [(n, seconds)]
        expiry_of = {}
        for exchange in exchanges:
            request, value = exchange.request, exchange.answer and exchange.answer.value
            if not isinstance(value, Struct) or request.value is None:
                continue
            if request.name == "RPC_RRDB_RRDB_TTL":
                expiry = expiry_of.get((request.app_id, request.value), 0)
                if value.get("error") == 0 and value.get("ttl_seconds", -1) >= 0 < expiry:
                    self.known.append((exchange.n, expiry - value.get("ttl_seconds")))
                continue
            for key, expiry in expiries(request):
                if value.get("error") == 0 and (expiry != 0 or request.name != "RPC_RRDB_RRDB_INCR"):
                    expiry_of[request.app_id, key] = expiry if expiry >= FIRST_POINT_IN_TIME_S else 0
                if expiry >= FIRST_POINT_IN_TIME_S:
                    self.earliest_expiry = min(expiry, self.earliest_expiry or expiry)

    def at(self, n):
        """The time of frame n: that of the last frame up to it that tells the time, else of the
        first one behind it. If none does, an hour before the first record expires."""
        if not self.known:
            return (self.earliest_expiry or 3600) - 3600
        return max((time for frame, time in self.known if frame <= n), default=self.known[0][1])

    def span_s(self):
        """How far two moments of the recording may lie apart, as far as it tells."""
        times = [time for _, time in self.known]
        return max(times) - min(times) if times else 0
