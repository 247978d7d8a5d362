#include "shipping/target_table.h"

#include <fmt/format.h>

namespace pegmove::shipping {
namespace {

constexpr async::milliseconds kQuestionTimeout{5'000};
// A table is never larger than this; a larger claim is not an answer of Pegasus.
constexpr int32_t kMostTargetPartitions = 1 << 16;

}  // namespace

TargetTable::TargetTable(client::Client& client, std::string remote,
                         std::vector<net::HostPort> metas, std::string table)
    : client_(client),
      remote_(std::move(remote)),
      table_(std::move(table)),
      has_metas_(!metas.empty()),
      cluster_(client, std::move(metas)) {}

std::string TargetTable::place(int32_t index) const {
  return fmt::format("partition {} of table '{}' on cluster '{}'", index, table_, remote_);
}

Deadline TargetTable::deadline() const { return Deadline::in(client_.clock(), kQuestionTimeout); }

Task<int32_t> TargetTable::partition_count() {
  if (partitions_.empty()) CO_TRY(co_await ask_all());
  co_return int32_t(partitions_.size());
}

Task<> TargetTable::refresh() {
  if (partitions_.empty()) co_return Result<void>();
  co_return co_await ask_all();
}

// One question at a time; other callers wait for it.
Task<> TargetTable::ask_all() {
  if (asking_) {
    while (asking_) co_await asked_.wait();  // no result
    if (partitions_.empty())
      co_return fail(Code::kUnreachable,
                     fmt::format("cluster '{}' did not say where table '{}' is", remote_, table_));
    co_return Result<void>();
  }
  asking_ = true;
  auto loaded = co_await load();
  asking_ = false;
  asked_.notify_all();
  co_return in_context(std::move(loaded),
                       fmt::format("asking cluster '{}' for table '{}'", remote_, table_));
}

Task<> TargetTable::load() {
  if (!has_metas_)
    co_return fail(Code::kNotFound,
                   "[pegasus.clusters] does not have it: add its meta servers, and "
                   "restart this cluster");
  auto config = CO_TRY(co_await cluster_.table_config(table_, {}, deadline()));
  if (config.partition_count > kMostTargetPartitions ||
      config.partition_count != int32_t(config.partitions.size()))
    co_return fail(Code::kProtocol, "the listed partitions do not match their count");
  std::vector<Known> partitions;
  for (auto& info : config.partitions)
    partitions.push_back(co_await known(std::move(info)));  // no result
  app_id_ = config.app_id;
  partitions_ = std::move(partitions);
  co_return Result<void>();
}

// Newer servers send names; the address is used when the name is not known here.
Routine<TargetTable::Known> TargetTable::known(client::PartitionInfo info) {
  Known found;
  found.address = info.primary_address;
  if (info.primary.port != 0)
    if (auto addresses = co_await client_.host_names().resolve(info.primary, deadline()))
      found.address = addresses->front();
  found.info = std::move(info);
  co_return found;
}

Task<> TargetTable::ask_one(int32_t index) {
  auto config =
      CO_TRY(in_context(co_await cluster_.table_config(table_, {index}, deadline()), place(index)));
  if (config.app_id != app_id_ || config.partition_count != int32_t(partitions_.size()))
    co_return co_await ask_all();
  // Real servers answer with the partitions that were asked for, others may answer with all.
  const bool has_all = config.partition_count == int32_t(config.partitions.size());
  if (!has_all && config.partitions.size() != 1)
    co_return fail(Code::kProtocol, fmt::format("{}: {} partitions were answered", place(index),
                                                config.partitions.size()));
  auto found = co_await known(std::move(config.partitions[has_all ? size_t(index) : 0]));
  if (size_t(index) < partitions_.size()) partitions_[size_t(index)] = std::move(found);
  co_return Result<void>();
}

Task<TargetPartition> TargetTable::partition(int32_t index, int32_t count) {
  const auto known_count = CO_TRY(co_await partition_count());
  if (index < known_count && partitions_[size_t(index)].is_doubted) CO_TRY(co_await ask_one(index));
  if (index >= count || count != int32_t(partitions_.size()))
    co_return fail(Code::kRefused, fmt::format("table '{}' on cluster '{}' now has {} partitions",
                                               table_, remote_, partitions_.size()));
  const auto server = served_by(index);
  if (partitions_[size_t(server)].is_doubted) {
    CO_TRY(co_await ask_one(server));
    if (count != int32_t(partitions_.size()) || served_by(index) != server)
      co_return fail(Code::kUnreachable, place(index) + " has moved meanwhile");
  }
  const auto& found = partitions_[size_t(server)];
  if (found.address.port == 0) {
    doubt(index);
    co_return fail(Code::kUnreachable, place(index) + " has no primary now");
  }
  TargetPartition target{.index = index,
                         .gpid = {app_id_, server},
                         .primary = found.info.primary,
                         .address = found.address,
                         .replicas = {found.info.primary}};
  for (const auto& secondary : found.info.secondaries)
    if (secondary.port != 0) target.replicas.push_back(secondary);
  co_return target;
}

// A partition that is not split off yet is served by its parent.
int32_t TargetTable::served_by(int32_t index) const {
  const auto half = int32_t(partitions_.size() / 2);
  const bool is_child = partitions_[size_t(index)].info.ballot < 0 && index >= half;
  return is_child ? index - half : index;
}

void TargetTable::doubt(int32_t index) {
  if (size_t(index) >= partitions_.size()) return;
  partitions_[size_t(index)].is_doubted = true;
  partitions_[size_t(served_by(index))].is_doubted = true;
}

}  // namespace pegmove::shipping
