#include "bulkload/layout.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "blockstore/path.h"

namespace pegmove::bulkload {

using blockstore::join;

std::string Place::table_folder() const { return join(root, cluster, table); }

std::string Place::info_file() const { return join(table_folder(), kInfo); }

std::string Place::partition_folder(int32_t partition) const {
  return join(table_folder(), std::to_string(partition));
}

std::string Place::metadata_file(int32_t partition) const {
  return join(partition_folder(partition), kMetadata);
}

std::string Place::file(int32_t partition, std::string_view name) const {
  return join(partition_folder(partition), name);
}

Result<Place> place_of(std::string_view root, std::string_view cluster, std::string_view table) {
  Place place{.root = TRY(blockstore::check_path(root)),
              .cluster = std::string(cluster),
              .table = std::string(table)};
  for (const auto& [what, name] : {std::pair("cluster", cluster), {"table", table}})
    if (!blockstore::is_name(name))
      return fail(Code::kInvalidArgument,
                  fmt::format("the {} \"{}\" is not a valid name of a folder in a block store",
                              what, base::printable(name)));
  return place;
}

}  // namespace pegmove::bulkload
