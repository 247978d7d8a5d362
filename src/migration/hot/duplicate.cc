#include "migration/hot/duplicate.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "client/table.h"

namespace pegmove::migration::hot {
namespace {

using client::DuplicationStatus;
using runs::UndoEnd;
using runs::Undone;

std::string product_of_duplication(int32_t id) {
  return base::json_text(nlohmann::json{{"id", id}});
}

std::string duplication_place(const ClusterSide& side, const DuplicationEnds& ends) {
  return fmt::format("the duplication of table '{}' to cluster {}", side.table(), ends.remote);
}

std::string state_text(const client::Duplication& duplication) {
  const auto name = client::duplication_status_name(duplication.status);
  if (duplication.status == DuplicationStatus::kPrepare)
    return name + ": the source makes checkpoints, and creates the target table" +
           (duplication.waits_for.empty()
                ? " (if that does not end: does the target have a table of that name already, or "
                  "fewer servers than replicas?)"
                : ": " + duplication.waits_for);
  if (duplication.status == DuplicationStatus::kApp)
    return name + ": the target fetches the checkpoints" +
           (duplication.waits_for.empty() ? "" : ": " + duplication.waits_for);
  return name;
}

}  // namespace

Task<std::optional<client::Duplication>> TableDuplication::find_to_remote(ClusterSide& side,
                                                                          Deadline deadline) const {
  const auto known =
      CO_TRY(co_await client::table_duplications(side.cluster(), side.table(), deadline));
  for (const auto& duplication : known.duplications)
    if (duplication.remote == ends_.remote && duplication.status != DuplicationStatus::kRemoved)
      co_return duplication;
  co_return std::nullopt;
}

Task<std::string> TableDuplication::find_none(ClusterSide& side, Deadline deadline) const {
  const auto found = CO_TRY(co_await find_to_remote(side, deadline));
  if (found)
    co_return fail(Code::kRefused,
                   fmt::format("{} exists already, with id {}: it is not this run's; remove it "
                               "with `remove_dup {} {}` in the shell of cluster {}",
                               duplication_place(side, ends_), found->id, side.table(), found->id,
                               side.cluster().name()));
  co_return std::string();
}

Task<std::string> TableDuplication::add(ClusterSide& side, Deadline deadline) {
  const auto added =
      CO_TRY(co_await client::add_duplication(side.cluster(),
                                              {.table = side.table(),
                                               .remote = ends_.remote,
                                               .with_checkpoint = ends_.with_checkpoint,
                                               .remote_table = ends_.remote_table,
                                               .remote_replica_count = ends_.remote_replica_count},
                                              deadline));
  if (added.app_id != side.app_id())
    co_return fail(Code::kRefused, fmt::format("table '{}' of cluster {} was dropped and created "
                                               "again since the run began: cancel the run",
                                               side.table(), side.cluster().name()));
  // The answer to a request that was sent twice says so, too; an older one has an earlier time.
  if (added.remote_table && !ends_.remote_table.empty() &&
      *added.remote_table != ends_.remote_table)
    co_return fail(
        Code::kRefused,
        fmt::format("{} goes to table '{}': somebody else has added it meanwhile; remove "
                    "it with `remove_dup {} {}`, and resume the run",
                    duplication_place(side, ends_), *added.remote_table, side.table(), added.id));
  may_exist_ = true;
  shipping_ = Shipping{.dup_id = added.id, .remote = ends_.remote};
  co_return product_of_duplication(added.id);
}

Task<std::optional<std::string>> TableDuplication::find(ClusterSide& side,
                                                        Deadline deadline) const {
  const auto found = CO_TRY(co_await find_to_remote(side, deadline));
  if (!found) co_return std::nullopt;
  co_return product_of_duplication(found->id);
}

Result<void> TableDuplication::take(const journal::StepRecord& record) {
  may_exist_ = record.state != journal::StepState::kUndone;
  if (record.product.empty()) return {};
  const auto json = base::parse_json<nlohmann::json>(record.product);
  const auto in = TRY(base::JsonFields::of(json, "the journal's duplication"));
  shipping_ = Shipping{.dup_id = TRY(in.int32("id", 0, INT32_MAX)), .remote = ends_.remote};
  return {};
}

Task<Undone> TableDuplication::remove(ClusterSide& side, Deadline deadline) const {
  if (!may_exist_) co_return Undone{};  // one that is there is not the run's
  const auto what = duplication_place(side, ends_);
  const auto gone = Undone{.end = UndoEnd::kUndone, .says = what + " is removed"};
  const auto found = co_await find_to_remote(side, deadline);
  if (!found && found.error().code() == Code::kNotFound) co_return gone;  // with its table
  if (!found) co_return fail(found.error());
  if (!*found) co_return gone;
  const auto id = (*found)->id;
  if (shipping_ && shipping_->dup_id != id)
    co_return Undone{
        .end = UndoEnd::kStays,
        .says = fmt::format("{} has id {}, and this run's had {}: it was replaced, and "
                            "stays",
                            what, id, shipping_->dup_id)};
  auto removed = co_await client::set_duplication_status(side.cluster(), side.table(), id,
                                                         DuplicationStatus::kRemoved, deadline);
  if (!removed && removed.error().code() != Code::kNotFound)
    co_return fail(std::move(removed.error()));
  co_return gone;
}

bool is_passing(const Error& error) {
  return error.code() == Code::kUnreachable || error.code() == Code::kTimeout ||
         error.code() == Code::kBusy;
}

Result<ShippingLook> judge_duplication(const client::TableDuplications& known, Shipping shipping) {
  const auto ours = std::ranges::find_if(known.duplications, [&](const auto& each) {
    return each.id == shipping.dup_id && each.remote == shipping.remote;
  });
  const auto what = fmt::format("the duplication {} of table '{}' to cluster {}", shipping.dup_id,
                                known.table, shipping.remote);
  if (ours == known.duplications.end() || ours->status == DuplicationStatus::kRemoved)
    return fail(Code::kRefused,
                what +
                    " was removed by somebody else, so that writes are missing on the target: "
                    "cancel the run, drop the target table, and start another run");
  for (const auto& [index, partition] : ours->partitions)
    if (!partition.error.empty())
      return fail(Code::kRefused,
                  fmt::format("{} has ended in partition {}: {}: cancel the run, drop the target "
                              "table, and start another run",
                              what, index, partition.error));
  if (ours->status == DuplicationStatus::kPause)
    return ShippingLook{.state = ShippingState::kPaused,
                        .says = fmt::format("{} is paused: `start_dup {} {}` in the source's shell "
                                            "continues it",
                                            what, known.table, shipping.dup_id)};
  if (ours->status != DuplicationStatus::kLog)
    return ShippingLook{.state = ShippingState::kPreparing, .says = state_text(*ours)};
  ShippingLook look{.state = ShippingState::kShips};
  for (const auto& [index, partition] : ours->partitions)
    if (!partition.waits_for.empty() && look.says.empty())
      look.says = fmt::format("partition {}: {}", index, partition.waits_for);
  return look;
}

Lag lag_of(int32_t partitions, const std::vector<PartitionProgress>& progress) {
  Lag lag{.partitions = partitions};
  for (const auto& each : progress) {
    ++lag.answered;
    lag.last_committed += each.last_committed;
    if (each.confirmed < 0) continue;
    ++lag.begun;
    lag.mutations += std::max<int64_t>(each.last_committed - each.confirmed, 0);
  }
  return lag;
}

Task<ShippingLook> look_at_shipping(ClusterSide& side, Shipping shipping, Deadline deadline) {
  const auto known =
      CO_TRY(co_await client::table_duplications(side.cluster(), side.table(), deadline));
  auto look = CO_TRY(judge_duplication(known, shipping));
  if (look.state != ShippingState::kShips) co_return look;
  auto view = CO_TRY(co_await side.view(deadline));
  look.lag = lag_of(side.partition_count(),
                    CO_TRY(co_await side.progress(std::move(view), shipping, deadline)));
  co_return look;
}

// A partition whose shipping has begun has a confirmed decree of at least 0; one that was never
// written to is touched before, so that it has 1.
Task<ShippedFrom> look_at_shipped_from(ClusterSide& side, Shipping shipping, Deadline deadline) {
  const auto known =
      CO_TRY(co_await client::table_duplications(side.cluster(), side.table(), deadline));
  const auto look = CO_TRY(judge_duplication(known, shipping));
  if (look.state != ShippingState::kShips) co_return ShippedFrom{.says = look.says};
  auto view = CO_TRY(co_await side.view(deadline));
  const auto progress = CO_TRY(co_await side.progress(std::move(view), shipping, deadline));
  std::vector<int64_t> decrees(size_t(side.partition_count()), 0);
  int32_t ready = 0;
  for (const auto& each : progress) {
    decrees[size_t(each.partition)] = each.persisted;
    ready += each.persisted >= 1;
  }
  ShippedFrom from{.says = fmt::format("{} of {} partitions have a stored confirmed decree{}",
                                       ready, side.partition_count(),
                                       look.says.empty() ? "" : ": " + look.says)};
  if (ready == side.partition_count()) from.decrees = std::move(decrees);
  co_return from;
}

std::string decrees_to_json(const std::vector<int64_t>& decrees) {
  return base::json_text(nlohmann::json{{"decrees", decrees}});
}

Result<std::vector<int64_t>> decrees_from_json(std::string_view text) {
  const auto json = base::parse_json<nlohmann::json>(text);
  const auto in = TRY(base::JsonFields::of(json, "the journal's confirmed decrees"));
  return in.integers("decrees", 1, INT64_MAX);
}

Task<int> touch_partitions(ClusterSide& side, Deadline deadline) {
  const auto view = CO_TRY(co_await side.view(deadline));
  const auto known =
      CO_TRY(co_await primary_progress(side.cluster(), side.app_id(), view, deadline));
  const auto table =
      CO_TRY(co_await client::Table::open(side.shared_cluster(), side.table(), deadline));
  int touched = 0;
  for (int32_t partition = 0; partition < side.partition_count(); ++partition) {
    const auto found = known.find(partition);
    if (found == known.end())
      co_return fail(
          Code::kUnreachable,
          fmt::format("partition {} of {}: its primary does not say what its last decree "
                      "is",
                      partition, side.name()));
    if (found->second.last_committed > 0) continue;
    CO_TRY(co_await table->del(foreign_hash_key(partition, side.partition_count()), "", deadline));
    ++touched;
  }
  co_return touched;
}

}  // namespace pegmove::migration::hot
