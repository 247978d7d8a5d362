// Tables of random rows, and their expected contents: a plain std::map that tests compare with.
#pragma once

#include <map>
#include <random>
#include <string>

#include "client/table.h"

namespace pegmove::testing {

struct ModelKey {
  std::string hash_key;
  std::string sort_key;
  auto operator<=>(const ModelKey&) const = default;
};

struct ModelRow {
  std::string value;
  uint32_t expire_ts = 0;
  bool operator==(const ModelRow&) const = default;
};

using Model = std::map<ModelKey, ModelRow>;

struct RandomTableOptions {
  int rows = 400;
  size_t largest_value = 100'000;  // most values are small
  uint32_t expires_after = 0;      // expiries are after this second (since 2016)
};

std::string random_bytes(std::mt19937& random, size_t least, size_t most);

// Binary keys, several sort keys per hash key, empty hash keys and sort keys, very long keys, empty
// values, expiries up to the last possible second.
Model random_model(uint32_t seed, RandomTableOptions options);

// Writes each row with its own request, many at once.
Task<> write_model(std::shared_ptr<client::Table> table, Model model, Deadline deadline);

// Writes the rows to partitions to which they do not belong, where an old partition split would
// have left them: half the partition count from their own. Precondition: at least two partitions.
Task<> write_foreign(std::shared_ptr<client::Table> table, Model model, Deadline deadline);

// Reads the table by point reads (values by get, expiries by ttl, at the server's second `now`) and
// counts its rows by a scan. Returns the differences from the model as text; empty: none. Shares no
// code with copies and comparisons of tables.
Task<std::string> differs_from(std::shared_ptr<client::Table> table, Model model, uint32_t now,
                               Deadline deadline);

Task<int64_t> count_rows(std::shared_ptr<client::Table> table, Deadline deadline);

}  // namespace pegmove::testing
