// The rows that the copy benchmark moves, and the tables that it moves them between.
//
// Keys are "k%010d" / "s%d": with one sort key per hash key each row is sent in its own PUT, with
// more of them in a MULTI_PUT.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/client.h"

namespace pegmove::bench {

inline constexpr const char* kBenchTable = "bench";

struct RowShape {
  int64_t rows = 1'000'000;
  int value_size = 100;
  int sort_keys = 1;  // per hash key

  bool operator==(const RowShape&) const = default;
};

struct BenchRow {
  std::string raw_key, value;
};

// The same rows each time. Values compress about like real ones: half random letters, half the
// same.
std::vector<BenchRow> make_rows(const RowShape& shape);

// Of keys and values.
int64_t bytes_of(const std::vector<BenchRow>& rows);

// Errors: the client's.
Task<> create_table(client::Client& client, std::string meta, int partitions);
Task<> load_table(client::Client& client, std::string meta, const std::vector<BenchRow>& rows);

// How many mutations the target has made: the decrees of its partitions, from a write to each.
Task<int64_t> count_mutations(client::Client& client, std::string meta);

}  // namespace pegmove::bench
