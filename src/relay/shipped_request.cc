#include "relay/shipped_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "data_types.h"
#include "record/key.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::relay {
namespace {

using shipping::ShippedEntry;
using wire::RpcCode;

// The rows that later entries of a request write, by raw key and time.
using Written = std::set<std::pair<std::string, int64_t>>;

std::string raw_key(std::string_view hash_key, std::string_view sort_key) {
  std::string key;
  record::append_key(key, hash_key, sort_key);
  return key;
}

// Real servers log a MULTI_PUT without rows and a MULTI_REMOVE without sort keys, change nothing,
// and answer their client with status 4; so does a target. Precondition: it decodes.
bool changes_nothing(RpcCode code, std::string_view body) {
  if (code == RpcCode::kMultiPut) return wire::decode_multi_put(body)->rows.empty();
  if (code == RpcCode::kMultiRemove)
    return wire::decode_body<wire::multi_remove_request>(body)->sort_keys.empty();
  return false;
}

// The rows of a MULTI_PUT that no later one replaces, in their order.
std::vector<wire::KeyValueView> rows_that_stay(const wire::MultiPutView& put, int64_t timestamp_us,
                                               Written& later) {
  std::vector<wire::KeyValueView> rows;
  for (auto row = put.rows.rbegin(); row != put.rows.rend(); ++row)
    if (later.insert({raw_key(put.hash_key, row->key), timestamp_us}).second) rows.push_back(*row);
  std::ranges::reverse(rows);
  return rows;
}

}  // namespace

Result<std::unique_ptr<ShippedRequest>> ShippedRequest::parse(std::string body,
                                                              WriteMethod method) {
  std::unique_ptr<ShippedRequest> request(new ShippedRequest(std::move(body)));
  TRY(request->read());
  if (method == WriteMethod::kDuplicate) {
    request->leave_out_superseded();
    for (auto& entry : request->entries_) entry.view.verify_timetag = true;
  }
  return request;
}

Result<void> ShippedRequest::read() {
  auto request = wire::decode_duplicate(body_);
  if (!request) return fail(Code::kInvalidArgument, request.error().message());
  source_ = request->source;
  for (size_t i = 0; i < request->entries.size(); ++i) {
    const auto& view = request->entries[i];
    const auto code = wire::rpc_code_from_name(view.task_code);
    const auto hash = shipping::key_hash_of(code, view.raw_message);
    if (!hash || (code == RpcCode::kMultiPut &&
                  !record::check_hash_key(wire::decode_multi_put(view.raw_message)->hash_key)))
      return fail(Code::kInvalidArgument,
                  fmt::format("entry {} of the request, '{}', is no write that can be shipped", i,
                              base::printable(view.task_code, 64)));
    if (!changes_nothing(code, view.raw_message)) entries_.push_back({.view = view, .hash = *hash});
  }
  return {};
}

// From the last entry to the first: whatever was seen already replaces what comes now.
void ShippedRequest::leave_out_superseded() {
  Written later;
  std::vector<ShippedEntry> kept;
  for (auto next = entries_.rbegin(); next != entries_.rend(); ++next) {
    auto entry = *next;
    const auto code = wire::rpc_code_from_name(entry.view.task_code);
    if (code == RpcCode::kPut) {
      const auto put = wire::decode_put(entry.view.raw_message);
      if (!later.insert({std::string(put->key), entry.view.timestamp_us}).second) {
        ++superseded_rows_;
        continue;
      }
    } else if (code == RpcCode::kMultiPut) {
      auto put = *wire::decode_multi_put(entry.view.raw_message);
      auto rows = rows_that_stay(put, entry.view.timestamp_us, later);
      if (const auto lost = put.rows.size() - rows.size(); lost > 0) {
        superseded_rows_ += lost;
        if (rows.empty()) continue;
        put.rows = std::move(rows);
        wire::append_multi_put(rewritten_.emplace_back(), put, 0);
        entry.view.raw_message = rewritten_.back();
      }
    }
    kept.push_back(entry);
  }
  std::ranges::reverse(kept);
  entries_ = std::move(kept);
}

}  // namespace pegmove::relay
