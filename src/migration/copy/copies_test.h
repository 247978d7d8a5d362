// A copy without a run, for the tests of this folder.
#pragma once

#include "migration/copy/copy.h"

namespace pegmove::migration {

inline Task<CopyReport> prepare_and_copy(std::shared_ptr<client::Cluster> source,
                                         std::shared_ptr<client::Cluster> target,
                                         CopyOptions options, const async::StopSignal& stop,
                                         CopyListener listener) {
  auto copy =
      CO_TRY(co_await prepare_copy(std::move(source), std::move(target), std::move(options)));
  auto report = CO_TRY(co_await copy_rows(copy, stop, std::move(listener)));
  CO_TRY(co_await finish_target(*copy.target, envs_after_copy(copy), copy.options.timeout));
  co_return report;
}

}  // namespace pegmove::migration
