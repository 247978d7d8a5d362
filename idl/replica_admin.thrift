// What tools ask a replica server.
// Field ids and types are those of Apache Pegasus:
// idl/replica_admin.thrift.
// A field that Pegasus always writes is given without `optional`. Custom scalar types are in dsn.thrift.
include "dsn.thrift"
namespace cpp pegmove.wire

struct disk_info {
  1: string tag,
  2: string full_dir,
  3: i64 disk_capacity_mb,
  4: i64 disk_available_mb,
  5: map<i32, set<dsn.gpid>> holding_primary_replicas,
  6: map<i32, set<dsn.gpid>> holding_secondary_replicas,
}

struct query_disk_info_request {
  1: dsn.rpc_address node1,
  2: string app_name,
  3: optional dsn.host_port hp_node1,
}

struct query_disk_info_response {
  1: dsn.error_code err,
  2: i64 total_capacity_mb,
  3: i64 total_available_mb,
  4: list<disk_info> disk_infos,
}
