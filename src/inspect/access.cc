#include "inspect/access.h"

#include <fmt/format.h>

namespace pegmove::inspect {

Task<> check_access(client::Table& table, Needs needs, Deadline deadline) {
  auto& cluster = table.cluster();
  const auto info = CO_TRY(co_await cluster.table_info(table.name(), deadline));
  const auto findings = check_denied(
      info.envs, needs, fmt::format("table '{}' on cluster {}", table.name(), cluster.name()));
  if (findings.has_errors()) co_return fail(to_error(findings.all));
  co_return Result<void>();
}

}  // namespace pegmove::inspect
