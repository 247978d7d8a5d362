// What a hot migration did: for its journal, for people and for programs.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "migration/hot/serving.h"

namespace pegmove::compare {
struct LiveVerification;
}

namespace pegmove::migration::hot {

struct HotRequest;

// Of the last live verification before a cutover.
struct HotVerification {
  int64_t rows = 0;       // of the source
  int64_t ranges = 0;     // parts of both tables with the same keys, all of them compared
  int64_t repaired = 0;   // that differed
  int64_t differ = 0;     // still
  int64_t unsettled = 0;  // clients changed them too often to be compared
  int64_t ended_ms = 0;   // Unix time
  int64_t took_ms = 0;
  std::string certificate{};  // the file; "": none was written

  bool is_good() const { return differ == 0; }
};
HotVerification summary_of(const compare::LiveVerification& live, int64_t ended_ms,
                           int64_t took_ms);
std::string to_json(const HotVerification& verification);
Result<HotVerification> hot_verification_from_json(std::string_view text);
std::string to_text(const HotVerification& verification);
// "certificate FILE: 1,234 rows compared, ... in 4 ranges, 2026-11-30 14:00:00 UTC"
std::string certificate_text(const HotVerification& verification);

// A switch of the route: a cutover, or a rollback.
struct HotSwitch {
  bool goes_back = false;
  int32_t version = 0;   // of the node since then
  int64_t held_ms = 0;   // for so long requests waited
  int64_t ended_ms = 0;  // Unix time
  // Of the side that was left, before its fence; nullopt: its servers do not say it.
  std::optional<ServedRate> served_before{};
};
std::string to_json(const HotSwitch& done);
Result<HotSwitch> hot_switch_from_json(std::string_view text);

struct HotReport {
  std::optional<HotVerification> verification{};
  std::optional<HotSwitch> last_switch{};
  // While the target was watched. Failed requests are those of all tables of its servers.
  std::optional<ServedRate> served_before{};  // of the source, before the cutover
  std::optional<ServedRate> serves_now{};     // of the target
  int64_t failed_reads = 0, failed_writes = 0;
  int64_t refused_by_target = 0, refused_by_source = 0;  // atomic writes
  bool dropped_source = false;
  std::vector<std::string> notes{};
};
nlohmann::ordered_json to_json(const HotReport& report, const HotRequest& request);
std::string to_text(const HotReport& report, const HotRequest& request);

}  // namespace pegmove::migration::hot
