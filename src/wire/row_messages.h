// The messages that carry rows, by hand and with views into the frame: PUT and MULTI_PUT requests,
// replies to writes, and replies to scans. The generated structs of the same messages (data.thrift)
// copy every key and value; bench/codec compares the two.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::wire {

// One row as scans return it: the raw key (length, hash key, sort key), the user's value, and the
// expiry in seconds since 2016 (0 = none, or not requested).
struct KeyValueView {
  std::string_view key;
  std::string_view value;
  uint32_t expire_ts = 0;
};

// update_request, fields 1 to 3. (4 to 7 are internal to real servers.)
struct PutView {
  std::string_view key;
  std::string_view value;
  uint32_t expire_ts = 0;
};

// multi_put_request: in `rows`, key is the sort key and expire_ts unused.
struct MultiPutView {
  std::string_view hash_key;
  std::vector<KeyValueView> rows;
  uint32_t expire_ts = 0;
};

struct UpdateReply {
  int32_t error = 0;
  int32_t app_id = 0;
  int32_t partition_index = 0;
  int64_t decree = 0;
  std::string_view server;
};

struct ScanReplyView {
  int32_t error = 0;
  std::vector<KeyValueView> rows;
  int64_t context_id = 0;
  int32_t app_id = 0;
  int32_t partition_index = 0;
  int32_t row_count = 0;  // with only_return_count: the count that came instead of rows
};

// Decoders. Errors: kProtocol. Views point into `body`.
Result<PutView> decode_put(std::string_view body);
Result<MultiPutView> decode_multi_put(std::string_view body);
Result<UpdateReply> decode_update_reply(std::string_view body);
Result<ScanReplyView> decode_scan_reply(std::string_view body);

// Encoders append a body; field_id as in thrift_codec.h.
void append_put(std::string& out, const PutView& put, int16_t field_id);
void append_multi_put(std::string& out, const MultiPutView& put, int16_t field_id);
void append_update_reply(std::string& out, const UpdateReply& reply);

// Builds the body of a reply to GET_SCANNER or SCAN row by row, so that no row is copied twice.
class ScanReplyBuilder {
 public:
  // `expected_bytes`: of the whole reply, so that it need not move while it grows.
  explicit ScanReplyBuilder(size_t expected_bytes = 0);
  void add(std::string_view key, std::string_view value, bool with_expiry, uint32_t expire_ts);
  uint32_t rows() const { return rows_; }
  size_t size() const { return body_.size(); }

  // The reply's other fields. row_count < 0: the field is left out.
  struct End {
    int32_t error = 0;
    int64_t context_id = 0;
    int32_t app_id = 0;
    int32_t partition_index = 0;
    std::string_view server;
    int32_t row_count = -1;
  };
  std::string finish(const End& end) &&;

 private:
  std::string body_;
  size_t error_at_;
  size_t count_at_;
  uint32_t rows_ = 0;
};

}  // namespace pegmove::wire
