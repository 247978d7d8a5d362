#include "migration/hot/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/bytes.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
using base::format_count;

constexpr size_t kMostReadings = 20;
constexpr size_t kMostDuplications = 128;  // of one partition: there are 127 cluster ids
constexpr std::string_view kLineStart = "\n    ";

std::unexpected<Error> odd_progress(const std::string& what, std::string_view text) {
  return fail(Code::kProtocol, fmt::format("the answer to replica.query-progress has {}: {}", what,
                                           base::printable(text, 80)));
}

// "15.0@localhost:34801@P : {...}"; nullopt for "15.0@localhost:34801 : not found".
struct ReplicaLine {
  Gpid gpid{};
  bool is_primary = false;
  std::string_view json;
};

Result<std::optional<ReplicaLine>> split_replica_line(std::string_view line) {
  const auto at = line.find('@');
  const auto dot = line.substr(0, at).find('.');
  const auto colon = line.find(" : ");
  if (at == std::string_view::npos || dot == std::string_view::npos ||
      colon == std::string_view::npos || colon < at)
    return odd_progress("a line that names no replica", line);
  const auto app = base::parse_integer(line.substr(0, dot), 1, INT32_MAX);
  const auto index = base::parse_integer(line.substr(dot + 1, at - dot - 1), 0, INT32_MAX);
  if (!app || !index) return odd_progress("a replica without an id", line);
  const auto place = line.substr(0, colon);
  const auto json = line.substr(colon + 3);
  if (json.starts_with("not found")) return std::nullopt;
  const bool is_primary = place.ends_with("@P");
  if (!is_primary && !place.ends_with("@S"))
    return odd_progress("a replica that is neither primary nor secondary", line);
  return ReplicaLine{{int32_t(*app), int32_t(*index)}, is_primary, json};
}

Result<ShippedDecrees> read_shipped(const base::JsonFields& in) {
  return ShippedDecrees{
      .id = TRY(in.int32("dupid", 0, INT32_MAX)),
      .remote = TRY(in.text("remote_cluster_name")),
      .remote_table = TRY(in.text("remote_app_name", "")),
      .confirmed = TRY(in.integer("replica_confirmed_decree", -1, INT64_MAX)),
      .persisted = TRY(in.integer("meta_persisted_decree", -1, INT64_MAX)),
  };
}

Result<ReplicaProgress> read_replica(const ReplicaLine& line) {
  const auto json = base::parse_json<nlohmann::json>(line.json);
  const auto in = TRY(base::JsonFields::of(
      json, "the answer to replica.query-progress for " + line.gpid.to_string(), Code::kProtocol));
  ReplicaProgress replica{.gpid = line.gpid, .is_primary = line.is_primary};
  replica.max_prepared = TRY(in.integer("max_prepared_decree", 0, INT64_MAX));
  replica.last_committed = TRY(in.integer("last_committed_decree", 0, INT64_MAX));
  replica.last_applied = TRY(in.integer("last_applied_decree", 0, INT64_MAX));
  if (!in.has("duplications")) return replica;
  std::set<int32_t> ids;
  for (const auto& each : TRY(in.objects("duplications"))) {
    replica.duplications.push_back(TRY(read_shipped(each)));
    if (!ids.insert(replica.duplications.back().id).second)
      return in.wrong("a duplication is listed twice");
    if (ids.size() > kMostDuplications) return in.wrong("it lists too many duplications");
  }
  return replica;
}

// The end of the text that belongs to the replica whose line begins at `begin`: JSON in several
// lines, of which none begins with a digit.
size_t end_of_replica(std::string_view text, size_t begin) {
  for (auto next = text.find(kLineStart, begin); next != std::string_view::npos;
       next = text.find(kLineStart, next + 1)) {
    const auto first = next + kLineStart.size();
    if (first < text.size() && text[first] >= '0' && text[first] <= '9') return next;
  }
  return text.size();
}

}  // namespace

Result<std::vector<ReplicaProgress>> parse_query_progress(std::string_view text, int32_t app_id) {
  const auto first_line = text.substr(0, text.find('\n'));
  if (!first_line.contains(" processed, ")) {
    if (first_line.contains("unknown command") || first_line.contains("Unknown command"))
      return fail(Code::kUnsupported,
                  "it does not know the command replica.query-progress (Pegasus 2.6), without "
                  "which nobody can tell what is not shipped yet");
    return odd_progress("no count of replicas", text);
  }
  std::vector<ReplicaProgress> replicas;
  std::set<Gpid> seen;
  for (auto at = first_line.size(); at < text.size();) {
    const auto begin = at + kLineStart.size();
    if (!text.substr(at).starts_with(kLineStart)) {
      if (text.find_first_not_of(" \r\n", at) == std::string_view::npos) break;
      return odd_progress("text between its replicas", text.substr(at));
    }
    at = end_of_replica(text, begin);
    const auto line = TRY(split_replica_line(text.substr(begin, at - begin)));
    if (!line) continue;
    if (line->gpid.app_id != app_id) return odd_progress("another table", line->gpid.to_string());
    if (!seen.insert(line->gpid).second)
      return odd_progress("a replica twice", line->gpid.to_string());
    replicas.push_back(TRY(read_replica(*line)));
  }
  return replicas;
}

Result<std::map<int32_t, int64_t>> parse_unshipped(std::string_view body, int32_t id) {
  const auto json = base::parse_json<nlohmann::json>(body);
  const std::string document = "the answer of /replica/duplication";
  const auto all = TRY(base::JsonFields::of(json, document, Code::kProtocol));
  std::map<int32_t, int64_t> unshipped;
  const auto name = std::to_string(id);
  if (!all.has(name.c_str())) return unshipped;
  const auto partitions = TRY(all.object(name.c_str()));
  for (const auto& [gpid, value] : (*TRY(all.any(name.c_str()))).items()) {
    const auto dot = gpid.find('.');
    const auto index = base::parse_integer(
        dot == std::string::npos ? std::string_view() : std::string_view(gpid).substr(dot + 1), 0,
        INT32_MAX);
    if (!index) return all.wrong("a partition has the name " + base::printable(gpid));
    const auto in = TRY(partitions.object(gpid.c_str()));
    unshipped[int32_t(*index)] = TRY(in.integer("not_duplicated_mutations_num", 0, INT64_MAX));
  }
  return unshipped;
}

void LagMeter::add(async::Instant at, const Lag& lag) {
  // A look that did not see everything cannot be compared with one that did.
  if (lag.is_whole()) {
    if (!last_.is_whole() || lag.last_committed < last_.last_committed) readings_.clear();
    readings_.push_back({at, lag.mutations, lag.last_committed});
    if (readings_.size() > kMostReadings) readings_.erase(readings_.begin());
  }
  last_ = lag;
}

int64_t LagMeter::per_second(int64_t mutations) const {
  if (readings_.size() < 2) return -1;
  const auto passed =
      std::chrono::duration_cast<milliseconds>(readings_.back().at - readings_.front().at);
  if (passed.count() <= 0) return -1;
  const auto rate = double(mutations) * 1000.0 / double(passed.count());
  return int64_t(std::clamp(rate, 0.0, 1e15));
}

int64_t LagMeter::written_per_second() const {
  if (readings_.empty()) return -1;
  return per_second(readings_.back().written - readings_.front().written);
}

int64_t LagMeter::shipped_per_second() const {
  if (readings_.empty()) return -1;
  const auto &first = readings_.front(), &last = readings_.back();
  return per_second((last.written - last.behind) - (first.written - first.behind));
}

std::optional<milliseconds> LagMeter::eta() const {
  if (!last_.is_whole()) return std::nullopt;
  if (last_.mutations == 0) return milliseconds(0);
  const auto shrinks = shipped_per_second() - written_per_second();
  if (written_per_second() < 0 || shrinks <= 0) return std::nullopt;
  return milliseconds(int64_t(double(last_.mutations) * 1000.0 / double(shrinks)));
}

std::string LagMeter::to_line() const {
  if (last_.partitions == 0) return "the lag is not known yet";
  if (!last_.is_whole())
    return fmt::format("the lag is not known: of {} partitions {} answer, and {} ship",
                       last_.partitions, last_.answered, last_.begun);
  auto line = format_count(uint64_t(std::max<int64_t>(last_.mutations, 0))) + " mutations behind";
  if (written_per_second() >= 0)
    line +=
        fmt::format(", {}/s arrive, {}/s are written", format_count(uint64_t(shipped_per_second())),
                    format_count(uint64_t(written_per_second())));
  if (last_.mutations == 0) return line;
  const auto left = eta();
  if (left) return line + ", done in " + base::format_duration(*left);
  return written_per_second() >= 0 ? line + ", and the lag does not shrink" : line;
}

}  // namespace pegmove::migration::hot
