// The preflight checks of a hot migration that are about its clients: who asks the source, and what
// they write.
#include <fmt/format.h>

#include "base/units.h"
#include "migration/hot/preflight_checks.h"

namespace pegmove::migration::hot {
namespace {

using inspect::Findings;

std::string counted(int64_t number) {
  return base::format_count(uint64_t(std::max<int64_t>(number, 0)));
}

// "; open connections to them, also of servers, proxies and tools: 10.0.0.1:34601 12, ..."
std::string connections_text(const std::vector<MetaServerFacts>& metas) {
  std::string text;
  for (const auto& meta : metas)
    if (meta.connections)
      text += fmt::format("{} {} {}", text.empty() ? "" : ",", meta.node, *meta.connections);
  return text.empty() ? text
                      : "; open connections to them, also of servers, proxies and tools:" + text;
}

std::string window_text(const WriteLoad& load) {
  auto text = "in the last " + base::format_duration(load.window);
  if (load.silent > 0)
    text += fmt::format(" (not known of {} of {} partitions)", load.silent, load.partitions);
  return text;
}

void check_atomic_writes(const HotFacts& facts, Findings& findings) {
  const auto& source = facts.inspection.source;
  const auto& load = *facts.load;
  const auto what = fmt::format(
      "clients made {} atomic writes (incr, check_and_set, check_and_mutate) {}, and {} since its "
      "servers were started",
      counted(load.atomic), window_text(load), counted(load.atomic_since_start));
  if (source.info && source.info->atomic_idempotent)
    findings.note("atomic-writes", what + "; it is atomic_idempotent, so they stay possible",
                  source.place());
  else if (load.atomic_since_start == 0 && load.silent == 0)
    findings.note("atomic-writes", what, source.place());
  else
    findings.warning("atomic-writes",
                     what +
                         "; they are refused from the beginning of the duplication until "
                         "`pegmove complete`",
                     source.place(),
                     "`enable_atomic_idempotent` in the shell makes them possible; --measure "
                     "watches for longer");
}

void check_write_rate(const HotFacts& facts, const HotRequest& request, Findings& findings) {
  const auto& load = *facts.load;
  const auto place = facts.inspection.source.place();
  const auto written =
      fmt::format("clients made {} writes/s {}", counted(load.per_second()), window_text(load));
  if (facts.source_is_embedded) return findings.note("write-rate", written, place);
  const auto what = fmt::format("{}; one by one, real servers ship {}/s", written,
                                counted(request.ships_per_second));
  if (is_too_fast_to_ship(facts, request) && request.order == Order::kRoutesFirst)
    return findings.warning(
        "write-rate",
        what +
            ": so duplicate_log_batch_bytes stays at its default, at which writes are reordered, "
            "and with --order routes-first nothing compares the tables afterwards: the target "
            "cannot be made exact",
        place, "leave out --order routes-first");
  if (is_too_fast_to_ship(facts, request))
    return findings.warning(
        "write-rate",
        what +
            ": so duplicate_log_batch_bytes stays at its default, at which writes are reordered, "
            "and the cutover compares and repairs the tables while it denies writes (--fence "
            "writes), for as long as a verification takes",
        place, "give the rate that your servers can ship with --ship-rate if it is higher");
  findings.note("write-rate", what, place);
}

}  // namespace

bool is_too_fast_to_ship(const HotFacts& facts, const HotRequest& request) {
  return !facts.source_is_embedded && facts.load &&
         facts.load->per_second() > request.ships_per_second;
}

Findings check_direct_clients(const HotFacts& facts, const HotRequest& request) {
  Findings findings;
  const auto what = fmt::format(
      "it is not known whether clients ask the meta servers of cluster {} directly, since these do "
      "not tell who asks them: such clients are refused from the cutover on{}",
      request.source.cluster, connections_text(facts.source_metas));
  if (request.no_direct_clients)
    findings.note("direct-clients", what + "; --no-direct-clients says that there are none", "");
  else
    findings.error(
        Code::kRefused, "direct-clients", what, "",
        "make sure that all clients ask a MetaProxy, for instance by `ss -tn` on the hosts of the "
        "meta servers, and confirm it with --no-direct-clients");
  return findings;
}

Findings check_load(const HotFacts& facts, const HotRequest& request) {
  Findings findings;
  if (!facts.inspection.source.info) return findings;
  if (!facts.load) {
    findings.warning(
        "writes-unknown",
        fmt::format("it is not known what clients write: {}",
                    facts.load_error ? facts.load_error->to_string() : "nobody was asked"),
        facts.inspection.source.place(),
        "incr, check_and_set and check_and_mutate are refused from the beginning of the "
        "duplication until `pegmove complete`");
    return findings;
  }
  check_atomic_writes(facts, findings);
  check_write_rate(facts, request, findings);
  return findings;
}

}  // namespace pegmove::migration::hot
