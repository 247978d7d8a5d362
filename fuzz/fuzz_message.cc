// Bodies from hostile bytes. The first byte chooses the message: twice the position of the code in
// rpc_code.h, and one more for the reply. A body that decodes must encode to bytes that decode to
// the same, and the decoders of row_messages.h must agree with the generated structs.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/code_messages.h"
#include "wire/row_messages.h"
#include "wire/rpc_code.h"
#include "wire/thrift_codec.h"

namespace pegmove::wire {
namespace {

constexpr RpcCode kCodes[] = {
#define PEGMOVE_LISTED(identifier, name) RpcCode::identifier,
    PEGMOVE_RPC_CODES(PEGMOVE_LISTED)
#undef PEGMOVE_LISTED
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz_message: %s\n", what);
  std::abort();
}

template <typename Message>
void fuzz_generated(std::string_view body) {
  auto message = decode_body<Message>(body);
  if (!message) {
    require(message.error().code() == Code::kProtocol, "an error that is not a protocol error");
    return;
  }
  for (int16_t field_id : {0, 1}) {
    auto encoded = encode_body(*message, field_id);
    auto again = decode_body<Message>(encoded);
    require(again.has_value(), "a message of ours does not decode");
    require(encode_body(*again, field_id) == encoded, "a message changed on its way");
    auto cut = std::string_view(encoded).substr(0, encoded.size() - 1);
    require(!decode_body<Message>(cut), "a truncated message decodes");
  }
}

template <typename Rows, typename Generated>
void require_same_rows(const Rows& rows, const Generated& generated) {
  require(std::ranges::equal(rows, generated,
                             [](const auto& row, const auto& other) {
                               return row.key == other.key.data && row.value == other.value.data &&
                                      row.expire_ts == uint32_t(other.expire_ts_seconds);
                             }),
          "rows differ");
}

// The two decoders of a message may disagree on what to refuse in unknown fields, never on what an
// accepted body says. Writing the view again gives a body that both read.
void fuzz_put(std::string_view body) {
  auto view = decode_put(body);
  if (!view) return;
  auto same = [&](const update_request& put) {
    require(view->key == put.key.data && view->value == put.value.data &&
                view->expire_ts == uint32_t(put.expire_ts_seconds),
            "decode_put differs");
  };
  if (auto put = decode_body<update_request>(body)) same(*put);
  std::string again;
  append_put(again, *view, 0);
  auto put = decode_body<update_request>(again);
  require(put.has_value(), "append_put does not decode");
  same(*put);
  require(encode_body(*put) == again, "append_put differs from the generated struct");
}

void fuzz_multi_put(std::string_view body) {
  auto view = decode_multi_put(body);
  if (!view) return;
  auto same = [&](const multi_put_request& put) {
    require(
        view->hash_key == put.hash_key.data && view->expire_ts == uint32_t(put.expire_ts_seconds),
        "decode_multi_put differs");
    require_same_rows(view->rows, put.kvs);
  };
  if (auto put = decode_body<multi_put_request>(body)) same(*put);
  for (auto& row : view->rows) row.expire_ts = 0;  // append_multi_put leaves it out
  std::string again;
  append_multi_put(again, *view, 0);
  auto put = decode_body<multi_put_request>(again);
  require(put.has_value(), "append_multi_put does not decode");
  same(*put);
  require(encode_body(*put) == again, "append_multi_put differs from the generated struct");
}

void fuzz_update_reply(std::string_view body) {
  auto view = decode_update_reply(body);
  if (!view) return;
  auto same = [&](const update_response& reply) {
    require(view->error == reply.error && view->app_id == reply.app_id &&
                view->partition_index == reply.partition_index && view->decree == reply.decree &&
                view->server == reply.server,
            "decode_update_reply differs");
  };
  if (auto reply = decode_body<update_response>(body)) same(*reply);
  std::string again;
  append_update_reply(again, *view);
  auto reply = decode_body<update_response>(again);
  require(reply.has_value(), "append_update_reply does not decode");
  same(*reply);
  require(encode_body(*reply) == again, "append_update_reply differs from the generated struct");
}

void fuzz_scan_reply(std::string_view body) {
  auto view = decode_scan_reply(body);
  if (!view) return;
  auto same = [&](const scan_response& reply) {
    require(view->error == reply.error && view->context_id == reply.context_id &&
                view->app_id == reply.app_id && view->partition_index == reply.partition_index &&
                view->row_count == reply.kv_count,
            "decode_scan_reply differs");
    require_same_rows(view->rows, reply.kvs);
  };
  if (auto reply = decode_body<scan_response>(body)) same(*reply);
  if (view->row_count < 0) return;  // ScanReplyBuilder leaves it out
  ScanReplyBuilder builder;
  for (const auto& row : view->rows) builder.add(row.key, row.value, true, row.expire_ts);
  auto again = std::move(builder).finish({.error = view->error,
                                          .context_id = view->context_id,
                                          .app_id = view->app_id,
                                          .partition_index = view->partition_index,
                                          .server = "server",
                                          .row_count = view->row_count});
  auto reply = decode_body<scan_response>(again);
  require(reply.has_value(), "ScanReplyBuilder's body does not decode");
  same(*reply);
  require(encode_body(*reply) == again, "ScanReplyBuilder differs from the generated struct");
}

void fuzz_i64(std::string_view body) {
  auto value = decode_i64_body(body);
  if (!value) return;
  std::string again;
  append_i64_body(again, *value, 0);
  require(decode_i64_body(again) == *value, "an integer changed on its way");
}

void fuzz(std::string_view input) {
  if (input.empty()) return;
  size_t choice = uint8_t(input[0]) % (2 * std::size(kCodes));
  auto code = kCodes[choice / 2];
  bool is_request = choice % 2 == 0;
  auto body = input.substr(1);
  if (code == RpcCode::kClearScanner) return fuzz_i64(body);
  visit_messages(
      code,
      [&]<typename Request, typename Reply>(std::type_identity<Request>,
                                            std::type_identity<Reply>) {
        is_request ? fuzz_generated<Request>(body) : fuzz_generated<Reply>(body);
        return true;
      },
      false);
  if (is_request && code == RpcCode::kPut) fuzz_put(body);
  if (is_request && code == RpcCode::kMultiPut) fuzz_multi_put(body);
  if (!is_request && code == RpcCode::kPut) fuzz_update_reply(body);
  if (!is_request && code == RpcCode::kScan) fuzz_scan_reply(body);
}

}  // namespace
}  // namespace pegmove::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pegmove::wire::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
