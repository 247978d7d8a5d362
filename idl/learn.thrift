// What replica servers ask each other when a partition's files are copied: the checkpoint of a
// duplication's source (QUERY_LAST_CHECKPOINT_INFO), and the files (NFS_GET_FILE_SIZE, NFS_COPY).
// Field ids and types are those of Apache Pegasus:
// src/common/consensus.thrift, idl/metadata.thrift, utils.thrift, src/nfs/nfs.thrift.
// A field that Pegasus always writes is given without `optional`. Custom scalar types are in dsn.thrift.
include "dsn.thrift"
namespace cpp pegmove.wire

enum partition_status {
  PS_INVALID = 0,
  PS_INACTIVE = 1,
  PS_ERROR = 2,
  PS_PRIMARY = 3,
  PS_SECONDARY = 4,
  PS_POTENTIAL_SECONDARY = 5,
  PS_PARTITION_SPLIT = 6,
}

enum learn_type {
  LT_INVALID = 0,
  LT_CACHE = 1,
  LT_APP = 2,
  LT_LOG = 3,
}

enum checksum_kind {
  CST_INVALID = 0,
  CST_NONE = 1,
  CST_MD5 = 2,
}

struct replica_configuration {
  1: dsn.gpid pid,
  2: i64 ballot,
  3: dsn.rpc_address primary,
  4: partition_status status = partition_status.PS_INVALID,
  5: i64 learner_signature,
  6: optional bool pop_all = false,
  7: optional bool split_sync_to_child = false,
  8: optional dsn.host_port hp_primary,
}

struct learn_state {
  1: i64 from_decree_excluded,
  2: i64 to_decree_included,
  3: dsn.blob meta,
  4: list<string> files,
  5: optional i64 learn_start_decree,
  6: optional list<i64> file_sizes,
  7: optional list<string> file_checksums,
}

struct learn_request {
  1: dsn.gpid pid,
  2: dsn.rpc_address learner,
  3: i64 signature,
  4: i64 last_committed_decree_in_app,
  5: i64 last_committed_decree_in_prepare_list,
  6: dsn.blob app_specific_learn_request,
  7: optional i64 max_gced_decree,
  8: optional dsn.host_port hp_learner,
  9: optional checksum_kind checksum_type = checksum_kind.CST_NONE,
}

struct learn_response {
  1: dsn.error_code err,
  2: replica_configuration config,
  3: i64 last_committed_decree,
  4: i64 prepare_start_decree,
  5: learn_type type = learn_type.LT_INVALID,
  6: learn_state state,
  7: dsn.rpc_address learnee,
  8: string base_local_dir,
  9: optional string replica_disk_tag,
  10: optional dsn.host_port hp_learnee,
}

struct get_file_size_request {
  1: dsn.rpc_address source,
  2: string dst_dir,
  3: list<string> file_list,
  4: string source_dir,
  5: bool overwrite,
  6: optional string source_disk_tag,
  7: optional string dest_disk_tag,
  8: optional dsn.gpid pid,
  9: optional dsn.host_port hp_source,
}

// `error` is the number of an error code, not its name.
struct get_file_size_response {
  1: i32 error,
  2: list<string> file_list,
  3: list<i64> size_list,
}

struct copy_request {
  1: dsn.rpc_address source,
  2: string source_dir,
  3: string dst_dir,
  4: string file_name,
  5: i64 offset,
  6: i32 size,
  7: bool is_last,
  8: bool overwrite,
  9: optional string source_disk_tag,
  10: optional dsn.gpid pid,
  11: optional dsn.host_port hp_source,
}

struct copy_response {
  1: dsn.error_code error,
  2: dsn.blob file_content,
  3: i64 offset,
  4: i32 size,
}
