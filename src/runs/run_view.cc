#include "runs/run_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/json_text.h"
#include "base/text.h"
#include "base/units.h"
#include "journal/run_lock.h"

namespace pegmove::runs {
namespace {

using base::format_count;
using Json = nlohmann::ordered_json;
using journal::RunState;

constexpr size_t kMostName = 24;
constexpr size_t kLeastName = 8;
using Lines = std::vector<std::vector<std::string>>;

// A text of the journal as JSON; a text that is not JSON becomes a string.
Json parsed(const std::string& text) {
  if (text.empty()) return nullptr;
  auto json = base::parse_json<Json>(text);
  return json.is_discarded() ? Json(text) : json;
}

// "1,093,116 rows (64.6 MiB)", "3 of 8 partitions", or "-" for a step that moves no rows.
std::string amount_of(const RunView& view) {
  const auto& progress = view.progress;
  if (view.run.rows > 0 || progress.unit.empty() || progress.unit == "rows") {
    if (view.run.rows == 0 && view.run.bytes == 0 && progress.unit.empty()) return "-";
    return format_count(uint64_t(view.run.rows)) + " rows (" +
           base::format_size(uint64_t(view.run.bytes)) + ")";
  }
  const bool is_bytes = progress.unit == "bytes";
  const auto number = [&](int64_t value) {
    return is_bytes ? base::format_size(uint64_t(std::max<int64_t>(value, 0)))
                    : format_count(uint64_t(std::max<int64_t>(value, 0)));
  };
  auto text = number(progress.done);
  if (progress.total >= 0) text += " of " + number(progress.total);
  return is_bytes ? text : text + " " + progress.unit;
}

// Keeps the beginning and the end.
std::string cut(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  const size_t begin = (most - 1) / 2, end = most - 2 - begin;
  return text.substr(0, begin) + ".." + text.substr(text.size() - end);
}

Lines lines_of(const std::vector<RunView>& views, size_t most_name) {
  Lines lines{{"ID", "STATE", "DONE", "FROM", "TABLE", "TO", "TABLE", "UPDATED (UTC)"}};
  for (const auto& view : views) {
    const auto& run = view.run;
    const auto verdict = view.verdict();
    lines.push_back({run.id, view.state() + (verdict.empty() ? "" : ": " + verdict),
                     amount_of(view), cut(run.from, most_name), cut(run.table, most_name),
                     cut(run.to, most_name), cut(run.to_table, most_name),
                     base::utc_date_time(run.updated_unix_ms)});
  }
  return lines;
}

std::vector<size_t> widths_of(const Lines& lines) {
  std::vector<size_t> widths(lines[0].size());
  for (const auto& line : lines)
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  return widths;
}

int64_t units_done(const RunView& view) {
  return std::ranges::count_if(view.positions, &journal::UnitPosition::done);
}

Json progress_json(const journal::Progress& progress) {
  if (progress.step.empty()) return nullptr;
  Json out{{"line", progress.line}, {"unit", progress.unit}};
  for (const auto& [name, value] : {std::pair("done", progress.done),
                                    {"total", progress.total},
                                    {"per_second", progress.per_second},
                                    {"eta_ms", progress.eta_ms}})
    out[name] = value < 0 ? Json(nullptr) : Json(value);
  return out;
}

}  // namespace

std::string RunView::verdict() const {
  const auto result = base::parse_json<Json>(run.result);
  if (run.state != RunState::kDone || !result.is_object()) return "";
  const auto found = result.find("verdict");
  return found != result.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string RunView::state() const {
  if (run.state == RunState::kRunning && !process) return "killed";
  return std::string(journal::to_string(run.state));
}

Result<RunView> view_of(const journal::Journal& journal, journal::Run run) {
  const auto holder = TRY(journal::RunLock::holder(journal, run.id));
  auto steps = TRY(journal.steps(run.id));
  auto progress = TRY(journal.progress(run.id));
  std::vector<journal::UnitPosition> positions;
  for (auto step = steps.rbegin(); step != steps.rend() && positions.empty(); ++step)
    positions = TRY(journal.positions(run.id, step->name));
  return RunView{.run = std::move(run),
                 .process = holder,
                 .progress = std::move(progress),
                 .steps = std::move(steps),
                 .positions = std::move(positions)};
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
           {"result", parsed(run.result)},
           {"step", nullptr},
           {"progress", progress_json(view.progress)}};
  if (view.process) out["process"] = *view.process;
  if (!view.steps.empty()) out["step"] = view.steps.back().name;
  return out;
}

Json to_detailed_json(const RunView& view) {
  auto out = to_json(view);
  auto& steps = out["steps"] = Json::array();
  for (const auto& step : view.steps)
    steps.push_back({{"step", step.name},
                     {"state", journal::to_string(step.state)},
                     {"outcome", step.outcome},
                     {"product", parsed(step.product)}});
  out["partitions_done"] = units_done(view);
  auto& partitions = out["partitions"] = Json::array();
  for (const auto& position : view.positions)
    partitions.push_back({{"partition", position.unit},
                          {"rows", position.rows},
                          {"bytes", position.bytes},
                          {"done", position.done}});
  return out;
}

std::string table_of(const std::vector<RunView>& views, size_t width) {
  if (views.empty()) return "No runs.\n";
  constexpr size_t kGap = 2;
  Lines lines;
  std::vector<size_t> widths;
  for (size_t most_name = kMostName; most_name >= kLeastName; --most_name) {
    lines = lines_of(views, most_name);
    widths = widths_of(lines);
    const auto all = std::accumulate(widths.begin(), widths.end(), (widths.size() - 1) * kGap);
    if (width == 0 || all <= width) break;
  }
  std::string text;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text.append(widths[i] - line[i].size() + kGap, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string to_line(const RunView& view) {
  const auto& run = view.run;
  const auto verdict = view.verdict();
  auto text = run.id + ": " + view.state() + (verdict.empty() ? "" : ": " + verdict) + ", " +
              amount_of(view) + " of table " + run.table + " from " + run.from + " to " + run.to +
              ", table " + run.to_table;
  if (!view.steps.empty() && !journal::is_final(run.state))
    text += "; step " + view.steps.back().name;
  if (!view.positions.empty()) text += fmt::format("; {} units done", units_done(view));
  if (view.process && *view.process > 0) text += "; process " + std::to_string(*view.process);
  if (!run.reason.empty())
    text += (run.state == RunState::kRunning ? "; waits: " : "; ") + run.reason;
  if (run.state == RunState::kCancelling && !view.process)
    text += "; continue with `pegmove cancel " + run.id + "`";
  else if (view.state() == "killed" || run.state == RunState::kPaused ||
           run.state == RunState::kInterrupted || run.state == RunState::kFailed)
    text += "; continue with `pegmove resume " + run.id + "`";
  return text;
}

}  // namespace pegmove::runs
