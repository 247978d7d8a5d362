#include "inspect/server_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/units.h"

namespace pegmove::inspect {
namespace {

std::string place_of(const SideFacts& side, const NodeFacts& node) {
  return fmt::format("replica server {} of cluster {}", node.node, side.cluster);
}

using Versions = std::map<std::string, const ServerVersion*>;  // by their text

Versions versions_of(const SideFacts& side) {
  Versions versions;
  for (const auto& node : side.nodes)
    if (node.version) versions[node.version->text] = &*node.version;
  return versions;
}

std::string versions_text(const Versions& versions) {
  std::string text;
  for (const auto& [version, _] : versions) text += (text.empty() ? "" : " and ") + version;
  return versions.size() > 1 ? fmt::format("{} ({} different versions)", text, versions.size())
                             : text;
}

// What servers of older versions lack.
void check_versions(const SideFacts& side, Findings& findings) {
  for (const auto& [text, version] : versions_of(side)) {
    if (version->is_at_least(2, 6)) continue;
    auto where = "cluster " + side.cluster;
    auto what = "its servers are Pegasus " + text;
    if (version->is_at_least(2, 4)) {
      findings.warning("server-version",
                       what +
                           ", without /metrics (2.6): clocks and atomic writes cannot be read, so "
                           "rows are not written through DUPLICATE",
                       where);
    } else {
      findings.warning("server-version",
                       what +
                           ", without DUPLICATE of many rows (2.4) and /metrics (2.6); pegmove was "
                           "not tested with this version",
                       where, "copy a small table first, and verify it");
    }
  }
}

std::string seconds(int64_t us) {
  return base::format_duration(std::chrono::milliseconds(std::abs(us) / 1000));
}

void check_clocks(const SideFacts& side, bool needs_clocks, Findings& findings) {
  for (const auto& node : side.nodes) {
    if (!node.clock || !is_far_off(*node.clock)) continue;
    bool ahead = node.clock->low_us > 0;
    auto [least, most] = ahead ? std::pair(node.clock->low_us, node.clock->high_us)
                               : std::pair(node.clock->high_us, node.clock->low_us);
    auto what = fmt::format("its clock is {} to {}{} this machine's", seconds(least), seconds(most),
                            ahead ? " ahead of" : " behind");
    auto next = "synchronize the clocks (NTP)";
    if (needs_clocks)
      findings.error(
          Code::kRefused, "clock-skew",
          what + "; a server aborts on a duplicated write whose time is later than its clock",
          place_of(side, node), next);
    else
      findings.warning("clock-skew", what + "; rows expire by the clock of their server",
                       place_of(side, node), next);
  }
}

void check_data_versions(const SideFacts& side, Findings& findings) {
  if (!side.info) return;
  std::set<int> versions;
  for (const auto& node : side.nodes)
    for (const auto& [index, version] : node.data_versions) versions.insert(version);
  if (versions.empty())
    return findings.warning("data-version", "its data version is not known", side.place());
  if (*versions.rbegin() > 1)
    return findings.error(Code::kUnsupported, "data-version",
                          fmt::format("its data version is {}, but pegmove supports only 0 and 1",
                                      *versions.rbegin()),
                          side.place(), "use a newer pegmove");
  if (versions.size() > 1)
    findings.warning("data-version", "its partitions have data versions 0 and 1", side.place());
  else if (*versions.begin() == 0)
    findings.note("data-version", "its data version is 0: rows have no time of writing",
                  side.place());
}

void check_access(const SideFacts& side, Findings& findings) {
  if (!side.info) return;
  bool acl = false, ranger = false;
  for (const auto& node : side.nodes) {
    if (!node.config) continue;
    acl |= node.config->enable_acl;
    ranger |= node.config->enable_ranger_acl;
  }
  if (ranger)
    findings.warning("access-control",
                     "Ranger's policies decide separately who may read and who may write: reads "
                     "were allowed, but writes may be refused",
                     side.place());
  for (const auto& [name, value] : side.info->envs)
    if (name.starts_with("replica_access_controller.") && !value.empty() && !acl && !ranger)
      findings.note("access-control",
                    name + " is set, but it is not known whether access control is on",
                    side.place());
}

}  // namespace

bool is_far_off(const ClockOffset& offset) {
  return offset.low_us > kMostClockOffsetUs || offset.high_us < -kMostClockOffsetUs;
}

Findings check_reachability(const SideFacts& side) {
  Findings findings;
  if (side.unreachable) {
    bool locked = side.unreachable->code() == Code::kUnauthenticated;
    findings.error(side.unreachable->code(),
                   locked ? "authentication-demanded" : "cluster-unreachable",
                   side.unreachable->message(), "cluster " + side.cluster, "");
  }
  for (const auto& call : side.silent)
    findings.warning("no-answer", call, "cluster " + side.cluster);
  for (const auto& node : side.nodes)
    for (const auto& call : node.silent)
      findings.warning("no-answer", "no usable answer: " + call,
                       fmt::format("replica server {} of cluster {}", node.node, side.cluster),
                       "checks that need this answer are skipped");
  return findings;
}

Findings note_versions(const SideFacts& source, const SideFacts& target) {
  std::map<std::string, std::string> clusters;  // to the text of their versions
  for (const auto* side : {&source, &target})
    if (auto text = versions_text(versions_of(*side)); !text.empty())
      clusters[side->cluster] = text;
  Findings findings;
  if (clusters.empty()) return findings;
  const auto& [first, text] = *clusters.begin();
  const auto& [last, last_text] = *clusters.rbegin();
  const auto rest =
      first == last ? "" : fmt::format(", those of cluster {} are Pegasus {}", last, last_text);
  findings.note(
      "server-version",
      first != last && text == last_text
          ? fmt::format("the servers of clusters {} and {} are Pegasus {}", first, last, text)
          : fmt::format("the servers of cluster {} are Pegasus {}{}", first, text, rest),
      "");
  return findings;
}

Result<ClusterId> cluster_id_of(const SideFacts& source) {
  std::optional<ClusterId> found;
  for (const auto& node : source.nodes) {
    if (!node.config || !node.config->own_id())
      return fail(Code::kRefused,
                  fmt::format("replica server {} of the source reports no id of its own cluster in "
                              "[duplication-group]",
                              node.node));
    if (found && found->id != *node.config->own_id())
      return fail(Code::kRefused,
                  "the replica servers of the source have different [duplication-group]s");
    found = ClusterId{node.config->cluster_name, *node.config->own_id()};
  }
  if (!found) return fail(Code::kRefused, "no replica server of the source is known");
  return *found;
}

std::optional<std::string> why_not_duplicate(const ClusterId& source, const NodeFacts& target) {
  const auto server = fmt::format("replica server {} of the target", target.node);
  if (!target.config) return server + " does not report its [duplication-group]";
  const auto own = target.config->own_id();
  if (!own)
    return fmt::format(
        "{} has no id of its own cluster in [duplication-group]: add '{} = ID' to it, as on the "
        "other servers, and restart the server",
        server, target.config->cluster_name);
  if (own == source.id)
    return fmt::format("{} has the source's id {} as its own", server, source.id);
  const bool has_it =
      std::ranges::any_of(target.config->duplication_group,
                          [&](const auto& member) { return member.second == source.id; });
  if (has_it || target.config->ignores_other_ids) return std::nullopt;
  return fmt::format(
      "the [duplication-group] of {} has not the source's id {}: add '{} = {}' to it, and restart "
      "the server",
      server, source.id, source.name, source.id);
}

std::optional<std::string> why_not_duplicate(const SideFacts& source, const SideFacts& target) {
  const auto id = cluster_id_of(source);
  if (!id) return id.error().message();
  if (target.nodes.empty()) return "no replica server of the target is known";
  for (const auto& node : target.nodes)
    if (auto why = why_not_duplicate(*id, node)) return why;
  return std::nullopt;
}

std::optional<std::string> why_times_are_not_kept(const SideFacts& target) {
  std::set<int32_t> known;
  for (const auto& node : target.nodes)
    for (const auto& [index, version] : node.data_versions) {
      known.insert(index);
      if (version < 1)
        return fmt::format(
            "partition {} of {} has data version {}, whose rows have no time of "
            "writing",
            index, target.place(), version);
    }
  if (known.empty() || (target.info && int32_t(known.size()) < target.info->partition_count))
    return fmt::format("the data version of each partition of {} is not known", target.place());
  return std::nullopt;
}

Findings check_servers(const SideFacts& side, bool needs_clocks) {
  Findings findings;
  if (side.unreachable) return findings;
  check_versions(side, findings);
  check_clocks(side, needs_clocks, findings);
  check_data_versions(side, findings);
  check_access(side, findings);
  return findings;
}

}  // namespace pegmove::inspect
