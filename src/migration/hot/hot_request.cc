#include "migration/hot/hot_request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "routes/route.h"

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
using HotJson = nlohmann::ordered_json;

constexpr int32_t kMostReplicas = 1024;
constexpr int64_t kMostShippedPerSecond = 1'000'000'000;
constexpr int32_t kMostClusterId = 127;
constexpr int32_t kMostTablePartitions = 1 << 16;
constexpr int64_t kMostSplitBytes = int64_t{1} << 60;

HotJson to_json(const HotSide& side) {
  return {{"metas", side.metas}, {"table", side.table},     {"name", side.name},
          {"id", side.id},       {"cluster", side.cluster}, {"is_embedded", side.is_embedded}};
}

Result<HotSide> read_hot_side(const base::JsonFields& in) {
  return HotSide{.metas = TRY(in.text("metas")),
                 .table = TRY(in.text("table")),
                 .name = TRY(in.text("name")),
                 .id = TRY(in.int32("id", 0, kMostClusterId)),
                 .cluster = TRY(in.text("cluster")),
                 .is_embedded = TRY(in.boolean("is_embedded"))};
}

HotJson to_json(const OtherCount& other) {
  return {{"partitions", other.partitions},
          {"relay", other.relay},
          {"relay_back", other.relay_back},
          {"no_way_back", other.no_way_back},
          {"relay_root", other.relay_root},
          {"store", other.store},
          {"path", other.path},
          {"split_path", other.split_path},
          {"units_at_once", other.limits.units_at_once},
          {"memory_bytes", other.limits.memory_bytes},
          {"disk_bytes", other.limits.disk_bytes},
          {"work_folder", other.limits.work_folder}};
}

Result<OtherCount> read_other_count(const base::JsonFields& in) {
  OtherCount other{.partitions = TRY(in.int32("partitions", 0, kMostTablePartitions)),
                   .relay = TRY(in.text("relay")),
                   .relay_back = TRY(in.text("relay_back")),
                   .no_way_back = TRY(in.boolean("no_way_back")),
                   .relay_root = TRY(in.text("relay_root")),
                   .store = TRY(in.text("store")),
                   .path = TRY(in.text("path")),
                   .split_path = TRY(in.text("split_path")),
                   .limits = {.units_at_once = TRY(in.int32("units_at_once", 1, 1024)),
                              .memory_bytes = TRY(in.integer("memory_bytes", 1, kMostSplitBytes)),
                              .disk_bytes = TRY(in.integer("disk_bytes", 1, kMostSplitBytes)),
                              .work_folder = TRY(in.text("work_folder"))}};
  if (other.relay.empty()) return other;
  if (auto root = routes::check_root(other.relay_root); !root)
    return in.wrong(root.error().message());
  if (other.partitions == 0) return in.wrong("a relay without a partition count");
  return other;
}

Result<HotRequest> read_hot_request(const nlohmann::json& json) {
  const auto in = TRY(base::JsonFields::of(json, "the journal's options of a hot migration"));
  HotRequest request{.source = TRY(read_hot_side(TRY(in.object("source")))),
                     .target = TRY(read_hot_side(TRY(in.object("target")))),
                     .zookeeper = TRY(in.text("zookeeper")),
                     .zk_root = TRY(in.text("zk_root")),
                     .proxies = TRY(in.texts("proxies")),
                     .replica_count = TRY(in.int32("replica_count", 0, kMostReplicas)),
                     .cuts_over_alone = TRY(in.boolean("auto")),
                     .max_write_hold = TRY(in.milliseconds("max_write_hold_ms")),
                     .most_lag = TRY(in.integer("most_lag", 0, INT64_MAX)),
                     .opens_source = TRY(in.boolean("open_source")),
                     .drops_source = TRY(in.boolean("drop_source")),
                     .drops_target = TRY(in.boolean("drop_target")),
                     .timeout = TRY(in.milliseconds("timeout_ms"))};
  // Journals of earlier versions have none of these.
  if (in.has("other_count")) request.other = TRY(read_other_count(TRY(in.object("other_count"))));
  request.no_direct_clients = TRY(in.boolean("no_direct_clients", false));
  if (in.has("restart_within_ms"))
    request.restart_within = TRY(in.milliseconds("restart_within_ms"));
  request.ships_per_second =
      TRY(in.integer("ships_per_second", 1, kMostShippedPerSecond, kShippedPerSecond));
  request.ships_in_batches = TRY(in.boolean("ships_in_batches", false));
  const auto fence = parse_fence(TRY(in.text("fence")));
  if (!fence) return in.must_be("fence", "all or writes");
  request.fence = *fence;
  const auto order = parse_order(TRY(in.text("order")));
  if (!order) return in.must_be("order", "fence-first or routes-first");
  request.order = *order;
  // "/" is kept as check_root() returns it: without the slash.
  if (auto root = routes::check_root(request.zk_root.empty() ? "/" : request.zk_root); !root)
    return in.wrong(root.error().message());
  return request;
}

}  // namespace

std::string_view to_string(FenceKind fence) { return fence == FenceKind::kAll ? "all" : "writes"; }

std::string_view to_string(Order order) {
  return order == Order::kFenceFirst ? "fence-first" : "routes-first";
}

Result<FenceKind> parse_fence(std::string_view text) {
  for (const auto fence : {FenceKind::kAll, FenceKind::kWrites})
    if (text == to_string(fence)) return fence;
  return fail(Code::kInvalidArgument, fmt::format("'{}' is no fence: all, writes", text));
}

Result<Order> parse_order(std::string_view text) {
  for (const auto order : {Order::kFenceFirst, Order::kRoutesFirst})
    if (text == to_string(order)) return order;
  return fail(Code::kInvalidArgument,
              fmt::format("'{}' is no order: fence-first, routes-first", text));
}

std::string to_json(const HotRequest& request) {
  return base::json_text(HotJson{{"source", to_json(request.source)},
                                 {"target", to_json(request.target)},
                                 {"zookeeper", request.zookeeper},
                                 {"zk_root", request.zk_root},
                                 {"proxies", request.proxies},
                                 {"no_direct_clients", request.no_direct_clients},
                                 {"restart_within_ms", request.restart_within.count()},
                                 {"ships_per_second", request.ships_per_second},
                                 {"ships_in_batches", request.ships_in_batches},
                                 {"replica_count", request.replica_count},
                                 {"auto", request.cuts_over_alone},
                                 {"fence", to_string(request.fence)},
                                 {"order", to_string(request.order)},
                                 {"max_write_hold_ms", request.max_write_hold.count()},
                                 {"most_lag", request.most_lag},
                                 {"open_source", request.opens_source},
                                 {"drop_source", request.drops_source},
                                 {"drop_target", request.drops_target},
                                 {"other_count", to_json(request.other)},
                                 {"timeout_ms", request.timeout.count()}});
}

Result<HotRequest> hot_request_from_json(std::string_view text) {
  return read_hot_request(base::parse_json<nlohmann::json>(text));
}

milliseconds usual_measured_for(bool is_embedded) {
  return milliseconds(is_embedded ? 1'000 : 10'000);
}

milliseconds env_delay(bool is_embedded) { return milliseconds(is_embedded ? 0 : 30'000); }

// Where only writes are denied the fence must be twice as old: docs/cutover.md.
milliseconds least_write_hold(bool is_embedded, FenceKind fence) {
  if (is_embedded) return milliseconds(2'500);
  return (fence == FenceKind::kAll ? 2 : 3) * env_delay(false) + milliseconds(15'000);
}

milliseconds usual_write_hold(bool is_embedded, FenceKind fence) {
  return is_embedded ? milliseconds(5'000) : least_write_hold(false, fence) + milliseconds(15'000);
}

}  // namespace pegmove::migration::hot
