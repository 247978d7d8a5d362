// The client library for code without coroutines: each call waits for its answer.
//
//   auto client = client::BlockingClient::connect("10.0.0.1:34601,10.0.0.2:34601");
//   if (!client) die(client.error().to_string());
//   auto table = (*client)->open_table("my_table");
//   (*table)->set("hash", "sort", "value");
//
// Safe from any thread; calls of several threads share the connections. A call runs on a thread of
// the client's own; its errors are those of client/table.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::client {

struct BlockingRow {
  std::string hash_key;
  std::string sort_key;
  std::string value;
};

class BlockingTable {
 public:
  virtual ~BlockingTable() = default;
  virtual int partition_count() const = 0;

  // ttl_seconds 0: never expires.
  virtual Result<void> set(std::string hash_key, std::string sort_key, std::string value,
                           int64_t ttl_seconds = 0) = 0;
  // nullopt: no such row.
  virtual Result<std::optional<std::string>> get(std::string hash_key, std::string sort_key) = 0;
  virtual Result<void> del(std::string hash_key, std::string sort_key) = 0;
  virtual Result<bool> exist(std::string hash_key, std::string sort_key) = 0;
  // nullopt: no such row; -1: never expires.
  virtual Result<std::optional<int32_t>> ttl(std::string hash_key, std::string sort_key) = 0;
  // All rows of the hash key, in order of their sort keys; fails when there are more than 3000.
  virtual Result<std::vector<BlockingRow>> multi_get(std::string hash_key) = 0;
  virtual Result<void> multi_set(std::string hash_key,
                                 std::vector<std::pair<std::string, std::string>> sort_values,
                                 int64_t ttl_seconds = 0) = 0;
  virtual Result<int64_t> multi_del(std::string hash_key, std::vector<std::string> sort_keys) = 0;
  virtual Result<int64_t> sort_key_count(std::string hash_key) = 0;
  // Calls `row` for every row of the table until it returns false; called on the client's thread.
  virtual Result<void> scan(std::function<bool(const BlockingRow&)> row) = 0;
};

class BlockingClient {
 public:
  // metas: "host:port,host:port". Each call may take `timeout` (a scan: each of its requests).
  static Result<std::unique_ptr<BlockingClient>> connect(
      std::string_view metas, std::chrono::milliseconds timeout = std::chrono::seconds(5));
  virtual ~BlockingClient() = default;

  // The name the cluster gives itself.
  virtual const std::string& cluster_name() const = 0;
  // Errors: kNotFound. The table must be gone before the client.
  virtual Result<std::unique_ptr<BlockingTable>> open_table(std::string name) = 0;
};

}  // namespace pegmove::client
