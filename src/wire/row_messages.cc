#include "wire/row_messages.h"

#include <fmt/format.h>

#include "wire/binary.h"

namespace pegmove::wire {
namespace {

using base::append_big_endian;
using Reader = BinaryReader;

// A key_value takes at least one field with an empty blob, and STOP.
constexpr size_t kLeastKeyValueSize = 8;

// Enters the one field of a body; its type and id are ignored, as real servers do.
BinaryReader enter_body(std::string_view body) {
  BinaryReader in(body);
  in.raw(3);
  return in;
}

// The struct's own STOP has been read: the body's must follow, and nothing else.
Result<void> leave_body(BinaryReader& in, const char* what) {
  if (in.i8() != Reader::kStop || !in.rest().empty()) in.fail("bytes after the message");
  if (in.ok()) return {};
  return fail(Code::kProtocol, fmt::format("malformed {}: {}", what, in.error()));
}

KeyValueView read_key_value(BinaryReader& in) {
  KeyValueView row;
  for (auto field = in.field(); field.type != Reader::kStop; field = in.field()) {
    if (field.id == 1 && field.type == Reader::kStruct)
      row.key = in.bytes();
    else if (field.id == 2 && field.type == Reader::kStruct)
      row.value = in.bytes();
    else if (field.id == 3 && field.type == Reader::kI32)
      row.expire_ts = uint32_t(in.i32());
    else
      in.skip(field.type);
  }
  return row;
}

void read_rows(BinaryReader& in, std::vector<KeyValueView>& rows) {
  auto count = in.list(kLeastKeyValueSize);
  rows.clear();  // of a repeated field the last one counts, as in generated code
  rows.reserve(count);
  while (count-- > 0 && in.ok()) rows.push_back(read_key_value(in));
}

void begin_body(std::string& out, int16_t field_id) {
  append_field_begin(out, Reader::kStruct, field_id);
}
void end_body(std::string& out) { out.append(2, '\0'); }  // the struct's STOP, the body's STOP

}  // namespace

Result<PutView> decode_put(std::string_view body) {
  auto in = enter_body(body);
  PutView put;
  for (auto field = in.field(); field.type != Reader::kStop; field = in.field()) {
    if (field.id == 1 && field.type == Reader::kStruct)
      put.key = in.bytes();
    else if (field.id == 2 && field.type == Reader::kStruct)
      put.value = in.bytes();
    else if (field.id == 3 && field.type == Reader::kI32)
      put.expire_ts = uint32_t(in.i32());
    else if (field.id == 7 && field.type == Reader::kStruct)
      in.bytes();  // check_value: a blob, which skip() would misread as a struct
    else
      in.skip(field.type);
  }
  TRY(leave_body(in, "update_request"));
  return put;
}

Result<MultiPutView> decode_multi_put(std::string_view body) {
  auto in = enter_body(body);
  MultiPutView put;
  for (auto field = in.field(); field.type != Reader::kStop; field = in.field()) {
    if (field.id == 1 && field.type == Reader::kStruct)
      put.hash_key = in.bytes();
    else if (field.id == 2 && field.type == Reader::kList)
      read_rows(in, put.rows);
    else if (field.id == 3 && field.type == Reader::kI32)
      put.expire_ts = uint32_t(in.i32());
    else
      in.skip(field.type);
  }
  TRY(leave_body(in, "multi_put_request"));
  return put;
}

Result<UpdateReply> decode_update_reply(std::string_view body) {
  auto in = enter_body(body);
  UpdateReply reply;
  for (auto field = in.field(); field.type != Reader::kStop; field = in.field()) {
    if (field.id == 1 && field.type == Reader::kI32)
      reply.error = in.i32();
    else if (field.id == 2 && field.type == Reader::kI32)
      reply.app_id = in.i32();
    else if (field.id == 3 && field.type == Reader::kI32)
      reply.partition_index = in.i32();
    else if (field.id == 4 && field.type == Reader::kI64)
      reply.decree = in.i64();
    else if (field.id == 5 && field.type == Reader::kString)
      reply.server = in.bytes();
    else
      in.skip(field.type);
  }
  TRY(leave_body(in, "update_response"));
  return reply;
}

Result<ScanReplyView> decode_scan_reply(std::string_view body) {
  auto in = enter_body(body);
  ScanReplyView reply;
  for (auto field = in.field(); field.type != Reader::kStop; field = in.field()) {
    if (field.id == 1 && field.type == Reader::kI32)
      reply.error = in.i32();
    else if (field.id == 2 && field.type == Reader::kList)
      read_rows(in, reply.rows);
    else if (field.id == 3 && field.type == Reader::kI64)
      reply.context_id = in.i64();
    else if (field.id == 4 && field.type == Reader::kI32)
      reply.app_id = in.i32();
    else if (field.id == 5 && field.type == Reader::kI32)
      reply.partition_index = in.i32();
    else if (field.id == 7 && field.type == Reader::kI32)
      reply.row_count = in.i32();
    else
      in.skip(field.type);
  }
  TRY(leave_body(in, "scan_response"));
  return reply;
}

void append_put(std::string& out, const PutView& put, int16_t field_id) {
  begin_body(out, field_id);
  append_blob_field(out, 1, put.key);
  append_blob_field(out, 2, put.value);
  append_i32_field(out, 3, int32_t(put.expire_ts));
  end_body(out);
}

void append_multi_put(std::string& out, const MultiPutView& put, int16_t field_id) {
  begin_body(out, field_id);
  append_blob_field(out, 1, put.hash_key);
  append_field_begin(out, Reader::kList, 2);
  out += char(Reader::kStruct);
  append_big_endian(out, uint32_t(put.rows.size()));
  for (const auto& row : put.rows) {
    append_blob_field(out, 1, row.key);
    append_blob_field(out, 2, row.value);
    out += '\0';
  }
  append_i32_field(out, 3, int32_t(put.expire_ts));
  end_body(out);
}

void append_update_reply(std::string& out, const UpdateReply& reply) {
  begin_body(out, 0);
  append_i32_field(out, 1, reply.error);
  append_i32_field(out, 2, reply.app_id);
  append_i32_field(out, 3, reply.partition_index);
  append_i64_field(out, 4, reply.decree);
  append_string_field(out, 5, reply.server);
  end_body(out);
}

ScanReplyBuilder::ScanReplyBuilder(size_t expected_bytes) {
  body_.reserve(expected_bytes);
  begin_body(body_, 0);
  append_i32_field(body_, 1, 0);
  error_at_ = body_.size() - 4;
  append_field_begin(body_, Reader::kList, 2);
  body_ += char(Reader::kStruct);
  count_at_ = body_.size();
  body_.append(4, '\0');
}

void ScanReplyBuilder::add(std::string_view key, std::string_view value, bool with_expiry,
                           uint32_t expire_ts) {
  append_blob_field(body_, 1, key);
  append_blob_field(body_, 2, value);
  if (with_expiry) append_i32_field(body_, 3, int32_t(expire_ts));
  body_ += '\0';
  ++rows_;
}

std::string ScanReplyBuilder::finish(const End& end) && {
  base::store_big_endian(&body_[error_at_], end.error);
  base::store_big_endian(&body_[count_at_], rows_);
  append_i64_field(body_, 3, end.context_id);
  append_i32_field(body_, 4, end.app_id);
  append_i32_field(body_, 5, end.partition_index);
  append_string_field(body_, 6, end.server);
  if (end.row_count >= 0) append_i32_field(body_, 7, end.row_count);
  end_body(body_);
  return std::move(body_);
}

}  // namespace pegmove::wire
