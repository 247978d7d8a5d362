#include "rows/joins_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"

namespace pegmove::rows {
namespace {

std::string count(int64_t number) { return base::format_count(uint64_t(number)); }

std::string comparison(const client::JoinTrial& trial) {
  const bool put_is_faster = trial.joined_to_alone > 1;
  return fmt::format(
      " Measured with {} to {} rows of a hash key: {} takes {:.1f} times as long as {}.",
      trial.least_rows, trial.most_rows, put_is_faster ? "MULTI_PUT" : "PUT",
      put_is_faster ? trial.joined_to_alone : 1 / trial.joined_to_alone,
      put_is_faster ? "PUT" : "MULTI_PUT");
}

}  // namespace

std::string joins_now(const client::JoinsUsed& used) {
  constexpr double kHardlyAny = 0.01;
  if (used.joined_share < kHardlyAny || !used.joined_from) return "by PUT";
  if (used.joined_share > 1 - kHardlyAny) return "by MULTI_PUT";
  return fmt::format("by PUT, from {} rows of a hash key on by MULTI_PUT", *used.joined_from);
}

std::string to_text(const client::JoinsUsed& used) {
  if (used.rows_alone + used.rows_joined == 0) return "";
  std::string text = "Sent ";
  if (used.rows_alone > 0) text += count(used.rows_alone) + " rows by PUT";
  if (used.rows_joined > 0)
    text += fmt::format("{}{} rows by MULTI_PUT, {:.1f} rows a request",
                        used.rows_alone > 0 ? " and " : "", count(used.rows_joined),
                        double(used.rows_joined) / double(used.joined_requests));
  text += ".";
  if (used.last_trial) text += comparison(*used.last_trial);
  return text + "\n";
}

nlohmann::ordered_json to_json(const client::JoinsUsed& used) {
  nlohmann::ordered_json out{{"put_rows", used.rows_alone},
                             {"multi_put_rows", used.rows_joined},
                             {"multi_puts", used.joined_requests},
                             {"multi_put_from_rows", nullptr}};
  if (used.joined_from) out["multi_put_from_rows"] = *used.joined_from;
  if (used.last_trial)
    out["compared"] = {{"from_rows", used.last_trial->least_rows},
                       {"to_rows", used.last_trial->most_rows},
                       {"multi_put_time_to_put", used.last_trial->joined_to_alone}};
  return out;
}

}  // namespace pegmove::rows
