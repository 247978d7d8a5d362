#include "migration/ports.h"

#include <fmt/format.h>

namespace pegmove::migration {

Result<blockstore::AsyncStore> Ports::get_store(const std::string& name, int calls) const {
  auto found = TRY(open_store(name, calls));
  if (found) return *std::move(found);
  return fail(
      Code::kNotFound,
      fmt::format(
          "the configuration has no [block_service.{}]; add it to the file given with --config",
          name));
}

}  // namespace pegmove::migration
