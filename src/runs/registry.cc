#include <fmt/format.h>

#include <algorithm>

#include "runs/work.h"

namespace pegmove::runs {

Result<const Method*> Registry::find(const journal::Run& run) const {
  const auto found = std::ranges::find(methods_, run.method, &Method::name);
  if (found != methods_.end()) return &*found;
  return fail(Code::kUnsupported,
              fmt::format("run {} is of method '{}', which this version of pegmove does not know; "
                          "use the version that began it",
                          run.id, run.method));
}

}  // namespace pegmove::runs
