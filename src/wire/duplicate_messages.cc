#include "wire/duplicate_messages.h"

#include "wire/binary.h"
#include "wire/rpc_code.h"

namespace pegmove::wire {
namespace {

using base::append_big_endian;
using Reader = BinaryReader;

// An entry that can be applied takes more: without a bound a small frame could claim millions.
constexpr size_t kLeastEntrySize = 15;

// Fields of ours.
constexpr int16_t kDecreeField = 100;
constexpr int16_t kWriteIndexField = 101;
constexpr int16_t kSourceField = 100;
constexpr DuplicatePosition kNoPosition{.decree = -1, .write_index = -1};

// The body of a PUT without its key and its value: headers of the body's field and of three fields,
// two sizes, the expiry, two STOPs.
constexpr size_t kPutOverhead = 3 + (3 + 4) + (3 + 4) + (3 + 4) + 2;

DuplicateEntryView read_entry(BinaryReader& in) {
  DuplicateEntryView entry;
  DuplicatePosition position = kNoPosition;
  for (auto field = in.field(); field.type != Reader::kStop; field = in.field()) {
    if (field.id == 1 && field.type == Reader::kI64)
      entry.timestamp_us = in.i64();
    else if (field.id == 2 && field.type == Reader::kStruct)
      entry.task_code = in.bytes();
    else if (field.id == 3 && field.type == Reader::kStruct)
      entry.raw_message = in.bytes();
    else if (field.id == 4 && field.type == Reader::kByte)
      entry.cluster_id = in.i8();
    else if (field.id == 5 && field.type == Reader::kBool)
      entry.verify_timetag = in.i8() != 0;
    else if (field.id == kDecreeField && field.type == Reader::kI64)
      position.decree = in.i64();
    else if (field.id == kWriteIndexField && field.type == Reader::kI32)
      position.write_index = in.i32();
    else
      in.skip(field.type);
  }
  if (position != kNoPosition) entry.position = position;
  return entry;
}

DuplicateSource read_source(BinaryReader& in) {
  DuplicateSource source{.app_id = -1, .partition_index = -1, .log_id = -1};
  for (auto field = in.field(); field.type != Reader::kStop; field = in.field()) {
    if (field.id == 1 && field.type == Reader::kI32)
      source.app_id = in.i32();
    else if (field.id == 2 && field.type == Reader::kI32)
      source.partition_index = in.i32();
    else if (field.id == 3 && field.type == Reader::kI64)
      source.log_id = in.i64();
    else
      in.skip(field.type);
  }
  return source;
}

void append_request_begin(std::string& out, uint32_t entries) {
  append_field_begin(out, Reader::kStruct, 0);
  append_field_begin(out, Reader::kList, 1);
  out += char(Reader::kStruct);
  append_big_endian(out, entries);
}

}  // namespace

Result<DuplicateRequestView> decode_duplicate(std::string_view body) {
  BinaryReader in(body);
  in.raw(3);  // the one field of a body; its type and id are ignored, as real servers do
  DuplicateRequestView request;
  for (auto field = in.field(); field.type != Reader::kStop; field = in.field()) {
    if (field.id == kSourceField && field.type == Reader::kStruct) {
      request.source = read_source(in);
      continue;
    }
    if (field.id != 1 || field.type != Reader::kList) {
      in.skip(field.type);
      continue;
    }
    auto count = in.list(kLeastEntrySize);
    request.entries.clear();
    request.entries.reserve(count);
    while (count-- > 0 && in.ok()) request.entries.push_back(read_entry(in));
  }
  if (in.i8() != Reader::kStop || !in.rest().empty()) in.fail("bytes after the message");
  if (in.ok()) return request;
  return fail(Code::kProtocol, "malformed duplicate_request: " + std::string(in.error()));
}

DuplicateWriter::DuplicateWriter(std::string& out, uint32_t entries) : out_(out) {
  append_request_begin(out_, entries);
}

void DuplicateWriter::add(const DuplicateEntryView& entry) {
  append_i64_field(out_, 1, entry.timestamp_us);
  append_blob_field(out_, 2, entry.task_code);  // a task_code is written as a blob is
  append_blob_field(out_, 3, entry.raw_message);
  append_field_begin(out_, Reader::kByte, 4);
  out_ += char(entry.cluster_id);
  if (entry.verify_timetag) append_bool_field(out_, 5, true);
  if (entry.position) {
    append_i64_field(out_, kDecreeField, entry.position->decree);
    append_i32_field(out_, kWriteIndexField, entry.position->write_index);
  }
  out_ += '\0';
}

void DuplicateWriter::finish(const std::optional<DuplicateSource>& source) {
  if (source) {
    append_field_begin(out_, Reader::kStruct, kSourceField);
    append_i32_field(out_, 1, source->app_id);
    append_i32_field(out_, 2, source->partition_index);
    append_i64_field(out_, 3, source->log_id);
    out_ += '\0';
  }
  out_.append(2, '\0');
}

DuplicatePutsWriter::DuplicatePutsWriter(std::string& out, const DuplicateStamp& stamp,
                                         uint32_t entries)
    : out_(out) {
  append_i64_field(before_, 1, stamp.timestamp_us);
  append_blob_field(before_, 2, rpc_name(RpcCode::kPut));  // a task_code is written as a blob is
  append_field_begin(before_, Reader::kStruct, 3);
  append_field_begin(after_, Reader::kByte, 4);
  after_ += char(stamp.cluster_id);
  if (stamp.verify_timetag) append_bool_field(after_, 5, true);
  after_ += '\0';
  append_request_begin(out_, entries);
}

void DuplicatePutsWriter::add(const PutView& put) {
  out_ += before_;
  append_big_endian(out_, uint32_t(kPutOverhead + put.key.size() + put.value.size()));
  append_put(out_, put, 0);
  out_ += after_;
}

void DuplicatePutsWriter::finish() { out_.append(2, '\0'); }

}  // namespace pegmove::wire
