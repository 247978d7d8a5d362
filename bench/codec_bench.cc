// Hand-written messages of the hot path (wire/row_messages.h) compared with the generated structs
// of the same messages (wire/thrift_codec.h): 1,000 rows of 37-byte keys and 100-byte values.
#include <benchmark/benchmark.h>

#include "data_types.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::wire {
namespace {

constexpr int kRows = 1000;

std::string key_of(int row) {
  return std::string("\0\x1f", 2) + "hash_key_of_a_typical_row" +
         std::to_string(1'000'000'000 + row);
}

scan_response generated_reply() {
  scan_response reply;
  for (int row = 0; row < kRows; ++row) {
    auto& kv = reply.kvs.emplace_back();
    kv.key.data = key_of(row);
    kv.value.data = std::string(100, char('a' + row % 26));
    kv.__set_expire_ts_seconds(0);
  }
  return reply;
}

void decode_scan_generated(benchmark::State& state) {
  auto body = encode_body(generated_reply());
  for (auto _ : state) benchmark::DoNotOptimize(decode_body<scan_response>(body));
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(decode_scan_generated);

void decode_scan_by_hand(benchmark::State& state) {
  auto body = encode_body(generated_reply());
  for (auto _ : state) benchmark::DoNotOptimize(decode_scan_reply(body));
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(decode_scan_by_hand);

void encode_scan_generated(benchmark::State& state) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (int row = 0; row < kRows; ++row) rows.emplace_back(key_of(row), std::string(100, 'v'));
  for (auto _ : state) {
    scan_response reply;
    for (const auto& [key, value] : rows) {
      auto& kv = reply.kvs.emplace_back();
      kv.key.data = key;
      kv.value.data = value;
      kv.__set_expire_ts_seconds(0);
    }
    benchmark::DoNotOptimize(encode_body(reply));
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(encode_scan_generated);

void encode_scan_by_hand(benchmark::State& state) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (int row = 0; row < kRows; ++row) rows.emplace_back(key_of(row), std::string(100, 'v'));
  for (auto _ : state) {
    ScanReplyBuilder reply;
    for (const auto& [key, value] : rows) reply.add(key, value, true, 0);
    benchmark::DoNotOptimize(std::move(reply).finish({.server = "127.0.0.1:34801"}));
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(encode_scan_by_hand);

void decode_put_generated(benchmark::State& state) {
  std::string body;
  append_put(body, {key_of(1), std::string(100, 'v'), 0}, 0);
  for (auto _ : state) benchmark::DoNotOptimize(decode_body<update_request>(body));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_put_generated);

void decode_put_by_hand(benchmark::State& state) {
  std::string body;
  append_put(body, {key_of(1), std::string(100, 'v'), 0}, 0);
  for (auto _ : state) benchmark::DoNotOptimize(decode_put(body));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decode_put_by_hand);

void decode_multi_put_generated(benchmark::State& state) {
  multi_put_request request;
  for (auto& kv : generated_reply().kvs) request.kvs.push_back(kv);
  auto body = encode_body(request);
  for (auto _ : state) benchmark::DoNotOptimize(decode_body<multi_put_request>(body));
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(decode_multi_put_generated);

void decode_multi_put_by_hand(benchmark::State& state) {
  multi_put_request request;
  for (auto& kv : generated_reply().kvs) request.kvs.push_back(kv);
  auto body = encode_body(request);
  for (auto _ : state) benchmark::DoNotOptimize(decode_multi_put(body));
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(decode_multi_put_by_hand);

}  // namespace
}  // namespace pegmove::wire
