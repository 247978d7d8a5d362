// Table files from outside, before a database takes them in.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::store {

struct TablePlace {
  int32_t partition = 0;
  int32_t partition_count = 1;
  int data_version = 1;
};

// Reads the files through: whether their blocks are whole, their keys are ones and belong to the
// partition, their values have headers, and no two of them overlap. The invisible record of real
// servers, the empty key, may be among them. Blocks. Errors name the file: kCorrupt; kIo.
Result<void> check_table_files(const std::vector<std::string>& paths, TablePlace place);

}  // namespace pegmove::store
