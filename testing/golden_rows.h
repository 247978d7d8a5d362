// The rows that a real server's shell showed of the table whose cold backup is in tests/golden.
// Tests run in the source folder.
#pragma once

#include <fstream>
#include <set>
#include <string>
#include <tuple>

#include "base/bytes.h"

namespace pegmove::testing {

inline constexpr int kGoldenPartitions = 4;
inline constexpr int64_t kGoldenBackupTime = 1795335319;  // unix seconds: the id of the backup
inline const std::string kGoldenBackups = "tests/golden/cold-backup";

using GoldenRow = std::tuple<std::string, std::string, std::string>;  // hash key, sort key, data

// Removes one quoted "\xHH..." from the front of the line.
inline std::string take_quoted(std::string& line) {
  const size_t open = line.find('"');
  const size_t close = line.find('"', open + 1);
  std::string digits;
  for (size_t at = open + 1; at < close; at += 4) digits += line.substr(at + 2, 2);
  line.erase(0, close + 1);
  return base::from_hex(digits).value();
}

// Of lines `"hash key" : "sort key" => "value"`, each byte as \xHH.
inline std::set<GoldenRow> golden_rows() {
  std::set<GoldenRow> rows;
  std::ifstream file(kGoldenBackups + "/golden.scan.txt");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with('"')) continue;
    const std::string hash_key = take_quoted(line);
    const std::string sort_key = take_quoted(line);
    rows.insert({hash_key, sort_key, take_quoted(line)});
  }
  return rows;
}

}  // namespace pegmove::testing
