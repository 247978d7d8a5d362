// The preflight checks of a hot migration to another partition count.
#include <fmt/format.h>

#include "migration/hot/preflight_checks.h"
#include "migration/hot/relay_port.h"

namespace pegmove::migration::hot {
namespace {

using inspect::Findings;

constexpr int32_t kLeastLoadedReplicas = 2;

RelayEnds ends_of(const HotRequest& request, bool goes_back) {
  return {.from = goes_back ? request.target : request.source,
          .to = goes_back ? request.source : request.target,
          .root = request.other.relay_root};
}

// Without a relay: what there would have to be.
void check_without_relay(int32_t source_count, const HotRequest& request, Findings& findings) {
  const auto& other = request.other;
  if (other.partitions == 0 || other.partitions == source_count) {
    if (!other.relay_back.empty() || other.no_way_back || !other.store.empty())
      findings.error(Code::kInvalidArgument, "needs-relay",
                     "--relay-back, --no-way-back and --store are for another partition count", "",
                     "give --partitions and --relay, too, or leave them out");
    return;
  }
  findings.error(
      Code::kRefused, "no-relay",
      fmt::format("it would have {} partitions, and the source has {}: a duplication to another "
                  "partition count misplaces rows, without an error",
                  other.partitions, source_count),
      fmt::format("table '{}' on cluster {}", request.target.table, request.target.cluster),
      fmt::format(
          "name a relay for each direction with --relay and --relay-back, for instance relayB and "
          "relayA: the checks then say what they need in the configuration of the servers. Start "
          "them when the run asks for them:\n    {}\n    {}",
          relay_command(ends_of(request, false), request.zookeeper),
          relay_command(ends_of(request, true), request.zookeeper)));
}

void check_loadable(const HotFacts& facts, const HotRequest& request, Findings& findings) {
  const auto& source = *facts.inspection.source.info;
  const auto replicas = request.replica_count > 0 ? request.replica_count : source.replica_count;
  if (!facts.target_is_embedded && replicas < kLeastLoadedReplicas)
    findings.error(Code::kRefused, "one-replica",
                   "the table would have one replica per partition, and real servers cannot bulk "
                   "load such a table when its files arrive quickly",
                   "cluster " + request.target.cluster, "give at least --replicas 2");
  if (request.other.store.empty())
    findings.error(
        Code::kInvalidArgument, "no-store",
        "the older rows are moved as files, and no block store is given", "",
        "give --store NAME: a [block_service.NAME] in the configuration of both clusters "
        "and of pegmove");
  else if (facts.store_error)
    findings.error(facts.store_error->code(), "store", facts.store_error->message(),
                   "--store " + request.other.store, "");
}

}  // namespace

Findings check_other_count(const HotFacts& facts, const HotRequest& request) {
  Findings findings;
  const auto& info = facts.inspection.source.info;
  if (!info) return findings;
  const auto& other = request.other;
  if (!request.has_relay()) {
    check_without_relay(info->partition_count, request, findings);
    return findings;
  }
  if (other.partitions == 0 || other.partitions == info->partition_count)
    findings.error(Code::kInvalidArgument, "same-count",
                   fmt::format("the source has {} partitions, and a relay is for another count",
                               info->partition_count),
                   "--relay " + other.relay,
                   "give another count with --partitions, or leave out --relay");
  if (other.relay_back.empty() && !other.no_way_back)
    findings.error(Code::kInvalidArgument, "no-way-back",
                   "without a relay for the way back there is no rollback after the cutover", "",
                   "give --relay-back NAME, or --no-way-back, by which you confirm that");
  if (other.relay_back == other.relay)
    findings.error(Code::kInvalidArgument, "one-relay", "both relays have the same name",
                   "--relay-back " + other.relay_back, "give each a name of its own");
  if (!other.relay_back.empty() && other.no_way_back)
    findings.error(Code::kInvalidArgument, "two-ways",
                   "--relay-back and --no-way-back contradict each other", "",
                   "leave one of them out");
  if (other.relay_back.empty() && other.no_way_back)
    findings.warning("no-way-back", "there is no rollback after the cutover", "");
  check_loadable(facts, request, findings);
  return findings;
}

}  // namespace pegmove::migration::hot
