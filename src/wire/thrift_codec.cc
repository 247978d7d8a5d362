#include "wire/thrift_codec.h"

#include "backup_types.tcc"
#include "bulk_load_types.tcc"
#include "data_types.tcc"
#include "learn_types.tcc"
#include "meta_types.tcc"
#include "replica_admin_types.tcc"
#include "wire/thrift_protocol.h"

namespace pegmove::wire {
namespace {

constexpr size_t kFieldHeaderSize = 3;

// Reads the one field of a body with `read_value` and checks that a STOP, and nothing else,
// follows.
template <typename ReadValue>
Result<void> read_only_field(std::string_view body, ReadValue read_value) {
  if (body.size() < kFieldHeaderSize) return fail(Code::kProtocol, "body without a field");
  try {
    BytesReader reader(body.substr(kFieldHeaderSize));
    read_value(reader);
    int8_t stop = 0;
    reader.readByte(stop);
    if (stop != 0 || !reader.rest().empty())
      return fail(Code::kProtocol, "body has more than one field");
  } catch (const apache::thrift::TException& error) {
    return fail(Code::kProtocol, std::string("malformed body: ") + error.what());
  }
  return {};
}

void append_field_header(std::string& out, TType type, int16_t field_id) {
  out += char(type);
  base::append_big_endian(out, field_id);
}

}  // namespace

template <typename Message>
Result<Message> decode_body(std::string_view body) {
  Message message;
  TRY(read_only_field(body, [&](BytesReader& reader) { message.read(&reader); }));
  return message;
}

template <typename Message>
void append_body(std::string& out, const Message& message, int16_t field_id) {
  append_field_header(out, apache::thrift::protocol::T_STRUCT, field_id);
  BytesWriter writer(out);
  message.write(&writer);
  out += '\0';
}

Result<int64_t> decode_i64_body(std::string_view body) {
  int64_t value = 0;
  TRY(read_only_field(body, [&](BytesReader& reader) { reader.readI64(value); }));
  return value;
}

void append_i64_body(std::string& out, int64_t value, int16_t field_id) {
  append_field_header(out, apache::thrift::protocol::T_I64, field_id);
  base::append_big_endian(out, value);
  out += '\0';
}

Result<std::string> decode_string_body(std::string_view body) {
  std::string value;
  TRY(read_only_field(body, [&](BytesReader& reader) { reader.readString(value); }));
  return value;
}

void append_string_body(std::string& out, std::string_view value, int16_t field_id) {
  append_field_header(out, apache::thrift::protocol::T_STRING, field_id);
  base::append_big_endian(out, int32_t(value.size()));
  out += value;
  out += '\0';
}

// clang-format off
#define PEGMOVE_MESSAGES(X)                                                                      \
  X(blob) X(rpc_address) X(key_value) X(command) X(update_request) X(update_response)            \
  X(multi_put_request) X(multi_remove_request) X(multi_remove_response) X(incr_request)          \
  X(incr_response) X(check_and_set_request) X(check_and_set_response)                            \
  X(check_and_mutate_request) X(check_and_mutate_response) X(read_response) X(ttl_response)      \
  X(batch_get_request) X(batch_get_response) X(multi_get_request) X(multi_get_response)          \
  X(count_response) X(get_scanner_request) X(scan_response) X(scan_request)                      \
  X(duplicate_request) X(duplicate_response)                                                     \
  X(query_cfg_request) X(query_cfg_response) X(configuration_create_app_request)                 \
  X(configuration_create_app_response) X(configuration_drop_app_request)                         \
  X(configuration_drop_app_response) X(configuration_recall_app_request)                         \
  X(configuration_recall_app_response) X(configuration_rename_app_request)                       \
  X(configuration_rename_app_response) X(configuration_list_apps_request)                        \
  X(configuration_list_apps_response) X(configuration_list_nodes_request)                        \
  X(configuration_list_nodes_response) X(configuration_cluster_info_request)                     \
  X(configuration_cluster_info_response) X(configuration_update_app_env_request)                 \
  X(configuration_update_app_env_response) X(configuration_get_max_replica_count_request)        \
  X(configuration_get_max_replica_count_response)                                                \
  X(configuration_set_max_replica_count_request)                                                 \
  X(configuration_set_max_replica_count_response)                                                \
  X(configuration_get_atomic_idempotent_request)                                                 \
  X(configuration_get_atomic_idempotent_response)                                                \
  X(configuration_set_atomic_idempotent_request)                                                 \
  X(configuration_set_atomic_idempotent_response) X(configuration_meta_control_request)          \
  X(configuration_meta_control_response) X(start_app_manual_compact_request)                     \
  X(start_app_manual_compact_response) X(query_app_manual_compact_request)                       \
  X(query_app_manual_compact_response) X(query_disk_info_request) X(query_disk_info_response)    \
  X(negotiation_request) X(negotiation_response) X(start_backup_app_request)                     \
  X(start_backup_app_response) X(query_backup_status_request) X(query_backup_status_response)    \
  X(start_bulk_load_request) X(start_bulk_load_response) X(control_bulk_load_request)            \
  X(control_bulk_load_response) X(query_bulk_load_request) X(query_bulk_load_response)           \
  X(clear_bulk_load_state_request) X(clear_bulk_load_state_response)                             \
  X(configuration_add_backup_policy_request) X(configuration_add_backup_policy_response)         \
  X(configuration_modify_backup_policy_request) X(configuration_modify_backup_policy_response)   \
  X(configuration_query_backup_policy_request) X(configuration_query_backup_policy_response)     \
  X(configuration_restore_request) X(configuration_query_restore_request)                        \
  X(configuration_query_restore_response)                                                        \
  X(duplication_add_request) X(duplication_add_response) X(duplication_modify_request)           \
  X(duplication_modify_response) X(duplication_query_request) X(duplication_query_response)      \
  X(duplication_list_request) X(duplication_list_response)                                      \
  X(learn_request) X(learn_response) X(get_file_size_request) X(get_file_size_response)          \
  X(copy_request) X(copy_response)
// clang-format on

#define PEGMOVE_INSTANTIATE(Message)                           \
  template Result<Message> decode_body(std::string_view body); \
  template void append_body(std::string& out, const Message& message, int16_t field_id);
PEGMOVE_MESSAGES(PEGMOVE_INSTANTIATE)
#undef PEGMOVE_INSTANTIATE

}  // namespace pegmove::wire
