#include "apps/store_path.h"

#include <fmt/format.h>

#include "blockstore/path.h"

namespace pegmove::apps {

Result<StorePath> parse_store_path(const char* option, const std::string& typed) {
  const auto colon = typed.find(':');
  if (colon == std::string::npos || colon == 0)
    return fail(Code::kInvalidArgument,
                fmt::format("{} '{}': give a [block_service.NAME] of the config file and a folder "
                            "in it, such as hdfs_x:/user/pegasus/backup",
                            option, typed));
  return StorePath{
      .store = typed.substr(0, colon),
      .path = TRY(in_context(blockstore::check_path(typed.substr(colon + 1)), option))};
}

}  // namespace pegmove::apps
