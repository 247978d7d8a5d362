// What the tests of the duplication log share: writes with entries, and whole logs as values.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "store/partitions_test.h"

namespace pegmove::store {

constexpr size_t kWholeLog = size_t{1} << 40;
constexpr int64_t kTimestamp = 1'800'000'000'000'000;

// Row `number` with decree `number`, and the body in the log.
inline Result<void> put_logged(PartitionDb& db, int64_t number, const std::string& body) {
  WriteBatch batch = db.new_batch();
  batch.put(row_key(number), "v", 0, 0);
  const std::vector<LoggedMutation> logged{{.decree = number,
                                            .timestamp_us = kTimestamp + number,
                                            .writes = {{LoggedCode::kPut, body}}}};
  return db.write(batch, number, kTimestamp + number, logged);
}

inline std::string text_of(const LoggedMutation& mutation) {
  std::string text = std::to_string(mutation.timestamp_us - kTimestamp);
  for (const auto& write : mutation.writes)
    text += "|" + std::to_string(int(write.code)) + ":" + std::string(write.body);
  return text;
}

inline LogPiece must_read(PartitionDb& db, int64_t after, size_t most_bytes = kWholeLog) {
  auto piece = db.read_log(after, most_bytes);
  if (!piece) throw std::runtime_error(piece.error().to_string());
  return *std::move(piece);
}

using LogText = std::map<int64_t, std::string>;  // by decree

// Behind a decree, in pieces.
inline LogText read_all(PartitionDb& db, int64_t after, size_t most_bytes = kWholeLog) {
  LogText log;
  for (;;) {
    const auto piece = must_read(db, after, most_bytes);
    for (const auto& mutation : piece.mutations) log[mutation.decree] = text_of(mutation);
    EXPECT_TRUE(piece.is_end || piece.last_decree > after);
    after = piece.last_decree;
    if (piece.is_end) return log;
  }
}

inline std::string read_error(PartitionDb& db, int64_t after) {
  const auto piece = db.read_log(after, kWholeLog);
  if (piece) return "it was read";
  EXPECT_EQ(piece.error().code(), Code::kCorrupt);
  return piece.error().to_string();
}

}  // namespace pegmove::store
