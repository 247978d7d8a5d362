// What stands in a write-ahead log of RocksDB, read without RocksDB. Format: its "Write Ahead Log
// File Format", without recycled files.
#pragma once

#include <string>
#include <vector>

namespace pegmove::testing {

// The whole records of a log, in their order: contents of write batches. It ends where one is torn.
std::vector<std::string> log_records(const std::string& path);

}  // namespace pegmove::testing
