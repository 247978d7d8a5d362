#include "migration/preflight.h"

#include <boost/asio/this_coro.hpp>

#include "async/task_group.h"
#include "migration/prepare_copy.h"
#include "migration/probes.h"

namespace pegmove::migration {

Routine<Preflight> look_before_copy(Side source, Side target, CopyOptions options) {
  if (options.to_table.empty()) options.to_table = options.table;
  SideLook from, to;
  {
    async::TaskGroup both(co_await asio::this_coro::executor);
    both.spawn(look_at(std::move(source), {options.table, options.timeout}, from));
    both.spawn(look_at(std::move(target), {options.to_table, options.timeout}, to));
    co_await both.join();  // no result
  }
  Preflight preflight{.options = std::move(options)};
  preflight.source_cluster = std::move(from.cluster);
  preflight.target_cluster = std::move(to.cluster);
  preflight.source = std::move(from.table);
  preflight.target = std::move(to.table);
  auto& facts = preflight.facts;
  facts.source = std::move(from.facts);
  facts.target = std::move(to.facts);
  if (preflight.source && preflight.target)
    facts.is_same_table = is_same_table(*preflight.source, *preflight.target);
  const auto& known =
      preflight.target_cluster ? preflight.target_cluster : preflight.source_cluster;
  if (known) facts.now_us = known->client().clock().unix_us();
  preflight.judgement = judge(facts, preflight.options);
  co_return preflight;
}

}  // namespace pegmove::migration
