#include <algorithm>

#include "runs/work.h"

namespace pegmove::runs {

Result<const Method*> Registry::find(const journal::Run& run) const {
  const auto found = std::ranges::find(methods_, run.method, &Method::name);
  if (found != methods_.end()) return &*found;
  return fail(Code::kUnsupported,
              "run " + run.id + " is of method '" + run.method +
                  "', which this version of pegmove does not know; use the version that began it");
}

}  // namespace pegmove::runs
