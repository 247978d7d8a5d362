#include "migration/copy/write_method.h"

#include <fmt/format.h>

#include <algorithm>

#include "inspect/server_checks.h"

namespace pegmove::migration {
namespace {

constexpr int64_t kSafetyUs = 600'000'000;
constexpr int kMostId = 127;

using Ids = std::map<std::string, int>;

WriteMethod no(std::string why) { return {.impossible = std::move(why)}; }

// The configuration that all of the target's servers have. Errors: the reason why there is none.
Result<inspect::ServerConfig> agreed_config(const inspect::SideFacts& side) {
  std::optional<inspect::ServerConfig> agreed;
  for (const auto& node : side.nodes) {
    if (!node.config)
      return fail(
          Code::kUnreachable,
          fmt::format("replica server {} does not report its [duplication-group]", node.node));
    if (agreed && (agreed->duplication_group != node.config->duplication_group ||
                   agreed->cluster_name != node.config->cluster_name ||
                   agreed->ignores_other_ids != node.config->ignores_other_ids))
      return fail(Code::kRefused,
                  "the replica servers of the target have different [duplication-group]s");
    agreed = node.config;
  }
  if (!agreed) return fail(Code::kUnreachable, "no replica server of the target is known");
  return *agreed;
}

std::string source_name(const inspect::SideFacts& source) {
  for (const auto& node : source.nodes)
    if (node.config && !node.config->cluster_name.empty()) return node.config->cluster_name;
  return source.cluster;
}

std::optional<int> source_own_id(const inspect::SideFacts& source) {
  for (const auto& node : source.nodes)
    if (node.config) return node.config->own_id();
  return std::nullopt;
}

// The source's id if the target accepts it, else nullopt.
std::optional<int> id_of_source(const inspect::SideFacts& source,
                                const inspect::ServerConfig& target, int own) {
  auto id = target.id_of(source_name(source));
  if (!id && target.ignores_other_ids) id = source_own_id(source);
  return id && *id != own ? id : std::nullopt;
}

std::optional<int> any_other_id(const inspect::ServerConfig& target, int own) {
  for (const auto& [name, id] : target.duplication_group)
    if (id != own) return id;
  if (!target.ignores_other_ids) return std::nullopt;
  return own == kMostId ? kMostId - 1 : kMostId;
}

// The reason why DUPLICATE is not sent although the ids would allow it.
std::optional<std::string> obstacle(const inspect::Inspection& inspection,
                                    const CopyOptions& options) {
  const auto& target = inspection.target;
  for (const auto& node : target.nodes) {
    if (!node.version)
      return fmt::format("the version of replica server {} is not known", node.node);
    if (!node.version->is_at_least(2, 4))
      return fmt::format("replica server {} is version {}, and DUPLICATE with many rows needs 2.4",
                         node.node, node.version->text);
    if (!node.clock)
      return fmt::format(
          "the clock of replica server {} is not known, and the server aborts on a time later than "
          "its own",
          node.node);
    if (inspect::is_far_off(*node.clock))
      return fmt::format("the clock of replica server {} differs too much from this machine's",
                         node.node);
  }
  if (options.rules.mode != rows::WriteMode::kPlain)
    return "--no-overwrite, --multi-set and --geo are not possible with DUPLICATE";
  bool may_choose = options.through == Through::kAuto && !options.live && !options.duplicate;
  if (may_choose && target.info && !target.duplications)
    return "it is not known whether the target is duplicated to another cluster, and duplicated "
           "writes are not passed on";
  if (may_choose && target.duplications && !target.duplications->empty())
    return "the target is duplicated to another cluster, and duplicated writes are not passed on";
  return std::nullopt;
}

WriteMethod duplicate_method(const inspect::Inspection& inspection, const CopyOptions& options) {
  auto config = agreed_config(inspection.target);
  if (!config) return no(config.error().message());
  if (config->duplication_group.empty()) return no("the target is in no [duplication-group]");
  auto own = config->own_id();
  if (!own)
    return no("the target's [duplication-group] does not contain its own cluster, " +
              config->cluster_name);
  if (auto why = obstacle(inspection, options)) return no(*why);
  if (auto id = id_of_source(inspection.source, *config, *own))
    return {duplicate_as(*id, options.live, inspection),
            fmt::format("the target's [duplication-group] has the source, {}, with id {}",
                        source_name(inspection.source), *id)};
  if (options.through == Through::kAuto && !options.live)
    return no(fmt::format(
        "the target's [duplication-group] has no id of the source, {}, other than its own",
        source_name(inspection.source)));
  auto id = any_other_id(*config, *own);
  if (!id) return no("the target's [duplication-group] has no id but its own");
  return {duplicate_as(*id, options.live, inspection),
          fmt::format("DUPLICATE was requested; the target's [duplication-group] has no id of the "
                      "source, {}, other than its own, and id {} is used instead",
                      source_name(inspection.source), *id)};
}

// A resumed run keeps its id and its time, if the target's servers still accept them.
WriteMethod given_method(const inspect::Inspection& inspection, const CopyOptions& options) {
  auto method = duplicate_method(inspection, options);
  if (method.impossible) return method;
  const auto config = agreed_config(inspection.target);
  const int id = options.duplicate->cluster_id;
  const bool is_known = config->ignores_other_ids ||
                        std::ranges::any_of(config->duplication_group,
                                            [&](const auto& entry) { return entry.second == id; });
  if (!is_known || id == config->own_id())
    return no("the target's [duplication-group] no longer has another cluster with id " +
              std::to_string(id));
  return {options.duplicate, "the run began with it"};
}

}  // namespace

client::DuplicateWrite duplicate_as(int cluster_id, bool live,
                                    const inspect::Inspection& inspection) {
  int64_t slowest = 0;
  for (const auto& node : inspection.target.nodes)
    if (node.clock) slowest = std::min(slowest, node.clock->low_us);
  return {.cluster_id = int8_t(cluster_id),
          .timestamp_us = inspection.now_us + slowest - kSafetyUs,
          .verify_timetag = live};
}

WriteMethod choose_write_method(const inspect::Inspection& inspection, const CopyOptions& options) {
  if (options.duplicate) return given_method(inspection, options);
  if (options.through == Through::kPlain) return {.reason = "it was requested"};
  auto method = duplicate_method(inspection, options);
  if (!method.impossible || options.through == Through::kDuplicate || options.live) return method;
  return {.reason = *method.impossible};
}

}  // namespace pegmove::migration
