// The layout of the files of a bulk load in a block store. Pegasus:
// src/meta/meta_bulk_load_service.cpp, src/replica/bulk_load/replica_bulk_loader.cpp.
//
//   [<root>/]<cluster>/<table>/bulk_load_info                          written last
//                              <partition>/bulk_load_metadata
//                              <partition>/<any name>.sst
//
// The cluster is only a component of the path: the request to start the load names it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::bulkload {

inline constexpr std::string_view kInfo = "bulk_load_info";
inline constexpr std::string_view kMetadata = "bulk_load_metadata";

// The place of a table's set of files, with paths in the form of BlockStore.
struct Place {
  std::string root;
  std::string cluster;
  std::string table;

  std::string table_folder() const;
  std::string info_file() const;
  std::string partition_folder(int32_t partition) const;
  std::string metadata_file(int32_t partition) const;
  std::string file(int32_t partition, std::string_view name) const;

  bool operator==(const Place&) const = default;
};

// Checks the parts. Errors: kInvalidArgument for an invalid component of a path.
Result<Place> place_of(std::string_view root, std::string_view cluster, std::string_view table);

}  // namespace pegmove::bulkload
