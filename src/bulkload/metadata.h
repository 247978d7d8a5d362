// The JSON files of a bulk load, written as Pegasus reads them. Pegasus:
// src/common/bulk_load_common.h, idl/bulk_load.thrift.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "blockstore/stored_file.h"

namespace pegmove::bulkload {

inline constexpr size_t kMostMetadataBytes = 64 << 20;

// bulk_load_info: the table that the files are for.
struct Info {
  int32_t app_id = 0;  // of the table that is loaded
  std::string table;   // Pegasus does not compare it
  int32_t partition_count = 0;
  bool operator==(const Info&) const = default;
};

// bulk_load_metadata: the files of a partition.
struct Metadata {
  std::vector<blockstore::StoredFile> files;
  bool operator==(const Metadata&) const = default;
};

std::string encode(const Info& info);
std::string encode(const Metadata& metadata);

// Errors: kCorrupt, saying what is wrong. Files written by Spark have an additional field
// "cluster".
Result<Info> decode_info(std::string_view text);
// Checks that names are valid and unique, and that sizes add up, to more than 0: servers refuse a
// partition without bytes.
Result<Metadata> decode_metadata(std::string_view text);

}  // namespace pegmove::bulkload
