#include "apps/run_view.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "journal/run_lock.h"

namespace pegmove::apps {
namespace {

using base::format_count;
using Json = nlohmann::ordered_json;
using journal::RunState;

// "2026-11-22 23:14:05" in UTC.
// Text that the journal holds as JSON; what is none becomes a string.
Json parsed(const std::string& text) {
  if (text.empty()) return nullptr;
  auto json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? Json(text) : json;
}

int64_t lanes_done(const std::vector<journal::LanePosition>& positions) {
  return std::ranges::count_if(positions, &journal::LanePosition::done);
}

}  // namespace

std::string RunView::verdict() const {
  auto result = Json::parse(run.result, nullptr, false);
  if (run.state != RunState::kDone || !result.is_object()) return "";
  auto found = result.find("verdict");
  return found != result.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string RunView::state() const {
  if (run.state == RunState::kRunning && !process) return "killed";
  return std::string(journal::to_string(run.state));
}

Result<RunView> view_of(const journal::Journal& journal, journal::Run run) {
  auto holder = TRY(journal::RunLock::holder(journal, run.id));
  return RunView{std::move(run), holder};
}

Json to_json(const RunView& view) {
  const auto& run = view.run;
  Json out{{"id", run.id},
           {"method", run.method},
           {"from", run.from},
           {"to", run.to},
           {"table", run.table},
           {"to_table", run.to_table},
           {"state", view.state()},
           {"process", nullptr},
           {"reason", run.reason},
           {"rows", run.rows},
           {"bytes", run.bytes},
           {"created", base::utc_date_time(run.created_unix_ms)},
           {"updated", base::utc_date_time(run.updated_unix_ms)},
           {"options", parsed(run.options)},
           {"result", parsed(run.result)}};
  if (view.process) out["process"] = *view.process;
  return out;
}

Json to_json(const RunView& view, const std::vector<journal::LanePosition>& positions) {
  auto out = to_json(view);
  out["partitions_done"] = lanes_done(positions);
  auto& partitions = out["partitions"] = Json::array();
  for (const auto& position : positions)
    partitions.push_back({{"partition", position.lane},
                          {"rows", position.rows},
                          {"bytes", position.bytes},
                          {"done", position.done}});
  return out;
}

std::string table_of(const std::vector<RunView>& views) {
  if (views.empty()) return "No runs.\n";
  std::vector<std::vector<std::string>> lines{
      {"ID", "STATE", "ROWS", "FROM", "TABLE", "TO", "TABLE", "UPDATED (UTC)"}};
  for (const auto& view : views) {
    const auto& run = view.run;
    auto verdict = view.verdict();
    lines.push_back({run.id, view.state() + (verdict.empty() ? "" : ": " + verdict),
                     format_count(uint64_t(run.rows)), run.from, run.table, run.to, run.to_table,
                     base::utc_date_time(run.updated_unix_ms)});
  }
  std::vector<size_t> widths(lines[0].size());
  for (const auto& line : lines)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string text;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text.append(widths[i] - line[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string to_line(const RunView& view, const std::vector<journal::LanePosition>& positions) {
  const auto& run = view.run;
  auto verdict = view.verdict();
  auto text = run.id + ": " + view.state() + (verdict.empty() ? "" : ": " + verdict) + ", " +
              format_count(uint64_t(run.rows)) + " rows (" +
              base::format_size(uint64_t(run.bytes)) + ") of table " + run.table + " from " +
              run.from + " to " + run.to + ", table " + run.to_table + "; " +
              std::to_string(lanes_done(positions)) + " partitions done";
  if (view.process && *view.process > 0) text += "; process " + std::to_string(*view.process);
  if (!run.reason.empty())
    text += (run.state == RunState::kRunning ? "; waits: " : "; ") + run.reason;
  if (view.state() == "killed" || run.state == RunState::kPaused ||
      run.state == RunState::kInterrupted || run.state == RunState::kFailed)
    text += "; `pegmove resume " + run.id + "` goes on";
  return text;
}

}  // namespace pegmove::apps
