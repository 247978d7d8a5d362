#include "migration/copy/preflight.h"

namespace pegmove::migration {

Routine<Preflight> look_before_copy(inspect::Side source, inspect::Side target,
                                    CopyOptions options) {
  if (options.to_table.empty()) options.to_table = options.table;
  auto gathered = co_await inspect::gather(
      std::move(source), std::move(target),
      {.table = options.table, .to_table = options.to_table, .timeout = options.timeout});
  Preflight preflight{.options = std::move(options),
                      .inspection = std::move(gathered.inspection),
                      .source_cluster = std::move(gathered.source_cluster),
                      .target_cluster = std::move(gathered.target_cluster),
                      .source = std::move(gathered.source),
                      .target = std::move(gathered.target)};
  preflight.result = check_copy(preflight.inspection, preflight.options);
  co_return preflight;
}

}  // namespace pegmove::migration
