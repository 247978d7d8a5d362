#include "journal/journal.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "journal/journal_file.h"
#include "journal/location.h"
#include "journal/schema.h"

namespace pegmove::journal {
namespace {

constexpr size_t kMostMethodBytes = 16;

constexpr std::string_view kGetRun =
    "SELECT id, method, source, target, source_table, target_table, state, created_unix_ms, "
    "updated_unix_ms, options, reason, rows, bytes, result FROM runs ";

Result<Statements> prepare(const Connection& connection) {
  const std::string get_run(kGetRun);
  return Statements{
      .last_number = TRY(
          connection.prepare("SELECT max(CAST(substr(id, length(?1) + 1) AS INTEGER)) FROM runs "
                             "WHERE substr(id, 1, length(?1)) = ?1")),
      .add_run = TRY(connection.prepare(
          "INSERT INTO runs (id, method, source, target, source_table, target_table, state, "
          "created_unix_ms, updated_unix_ms, options, reason, rows, bytes, result) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, '', 0, 0, '')")),
      .get_run = TRY(connection.prepare(get_run + "WHERE id = ?1")),
      .list_runs = TRY(connection.prepare(get_run + "ORDER BY number DESC LIMIT ?1")),
      .set_state = TRY(connection.prepare(
          "UPDATE runs SET state = ?2, reason = ?3, result = ?4, updated_unix_ms = ?5 "
          "WHERE id = ?1")),
      .save_lane = TRY(connection.prepare(
          "INSERT INTO lanes (run, lane, last_key, rows, bytes, done, detail) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (run, lane) DO UPDATE SET "
          "last_key = excluded.last_key, rows = excluded.rows, bytes = excluded.bytes, "
          "done = excluded.done, detail = excluded.detail")),
      .sum_lanes = TRY(connection.prepare(
          "UPDATE runs SET updated_unix_ms = ?2, (rows, bytes) = "
          "(SELECT ifnull(sum(rows), 0), ifnull(sum(bytes), 0) FROM lanes WHERE run = ?1) "
          "WHERE id = ?1")),
      .get_lanes = TRY(connection.prepare(
          "SELECT lane, last_key, rows, bytes, done, detail FROM lanes WHERE run = ?1 "
          "ORDER BY lane")),
      .forget_lanes = TRY(connection.prepare("DELETE FROM lanes WHERE run = ?1")),
      .count_settings = TRY(connection.prepare(
          "SELECT count(*) FROM changes WHERE run = ?1 AND kind = ?2 AND name <> ?3")),
      .store_change = TRY(connection.prepare(
          "INSERT OR REPLACE INTO changes (run, kind, name, value, changed_unix_ms) "
          "VALUES (?1, ?2, ?3, ?4, ?5)")),
      .get_changes = TRY(connection.prepare(
          "SELECT version, kind, name, value FROM changes WHERE run = ?1 AND version > ?2 "
          "ORDER BY version")),
      .answer_requests = TRY(connection.prepare(
          "DELETE FROM changes WHERE run = ?1 AND kind = 'request' AND version <= ?2")),
  };
}

bool is_method(std::string_view text) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return !text.empty() && text.size() <= kMostMethodBytes && lower(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return lower(c) || (c >= '0' && c <= '9'); });
}

Result<void> check_text(std::string_view what, std::string_view text) {
  if (text.size() > Journal::kMostTextBytes)
    return fail(Code::kTooLarge, "the " + std::string(what) + " of a run has " +
                                     std::to_string(text.size()) + " bytes; at most " +
                                     std::to_string(Journal::kMostTextBytes) + " are kept");
  if (!base::is_utf8(text))
    return fail(Code::kInvalidArgument, "the " + std::string(what) + " of a run is no UTF-8 text");
  return {};
}

Result<void> check_json(std::string_view what, const std::string& text) {
  TRY(check_text(what, text));
  if (!nlohmann::json::accept(text))
    return fail(Code::kInvalidArgument, "the " + std::string(what) +
                                            " of a run must be JSON, and are '" +
                                            base::printable(text) + "'");
  return {};
}

// Of the position of a lane; `lane` names it.
Result<void> check_detail(const std::string& lane, const std::string& detail) {
  if (detail.size() > Journal::kMostDetailBytes)
    return fail(Code::kTooLarge, "the detail of " + lane + " has " + std::to_string(detail.size()) +
                                     " bytes; at most " +
                                     std::to_string(Journal::kMostDetailBytes) + " are kept");
  if (detail.empty() || nlohmann::json::accept(detail)) return {};
  return fail(Code::kInvalidArgument, "the detail of " + lane + " is no JSON");
}

Result<void> check_new_run(const NewRun& run) {
  if (!is_method(run.method))
    return fail(Code::kInvalidArgument, "'" + base::printable(run.method) +
                                            "' is no method: up to 16 lower-case letters and "
                                            "digits, a letter first");
  TRY(check_text("source cluster", run.from));
  TRY(check_text("target cluster", run.to));
  TRY(check_text("source table", run.table));
  TRY(check_text("target table", run.to_table));
  return check_json("options", run.options);
}

std::string day_of(int64_t unix_ms) {
  const auto time =
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(unix_ms));
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
  char text[16];
  std::snprintf(text, sizeof text, "%04d%02u%02u", int(day.year()), unsigned(day.month()),
                unsigned(day.day()));
  return text;
}

// A reason is stored whatever it holds: a state must not be lost for the words about it.
std::string clean_reason(const std::string& reason) {
  if (reason.size() <= Journal::kMostReasonBytes && base::is_utf8(reason)) return reason;
  return base::printable(reason, Journal::kMostReasonBytes);
}

}  // namespace

Result<void> check_run_id(const std::string& run) {
  if (is_run_id(run)) return {};
  return fail(Code::kInvalidArgument,
              "'" + base::printable(run) + "' is no id of a migration; `pegmove list` shows them");
}

Journal::Journal(std::unique_ptr<File> file) : file_(std::move(file)) {}
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;
const std::string& Journal::path() const { return file_->path; }

Result<Journal> Journal::open(const std::string& path, const Clock& clock, JournalOptions options) {
  const auto place = TRY(prepare_place(path));
  auto connection = TRY(open_journal(place, options.busy_timeout_ms, schema_steps()));
  auto statements = prepare(connection);
  if (!statements && statements.error().code() == Code::kInternal)
    return fail(Code::kCorrupt,
                "the file lacks tables or columns: " + statements.error().message() +
                    "; put back a copy of it, or move it away");
  return Journal(
      std::make_unique<File>(place, clock, std::move(connection), TRY(std::move(statements))));
}

Result<Run> Journal::begin(const NewRun& run) {
  constexpr std::string_view kDoing = "beginning a run";
  TRY(check_new_run(run));
  const auto now_ms = file_->unix_ms();
  const auto prefix = run.method + "-" + day_of(now_ms) + "-";
  const auto& statements = file_->statements;
  return file_->connection.transact(Durability::kPower, kDoing, [&]() -> Result<Run> {
    int64_t last = 0;
    {
      auto query = statements.last_number.query(kDoing, prefix);
      if (TRY(query.next())) last = query.integer(0);
    }
    if (last < 0 || last == std::numeric_limits<int64_t>::max())
      return file_->corrupt("the run " + prefix + std::to_string(last) + " cannot be");
    const auto id = prefix + std::to_string(last + 1);
    TRY(statements.add_run
            .query(kDoing, id, run.method, run.from, run.to, run.table, run.to_table,
                   to_string(RunState::kPlanned), now_ms, run.options)
            .run());
    return find(id, kDoing);
  });
}

namespace {

// Of the columns of kGetRun. Errors: kInvalidArgument, saying what is wrong.
Result<Run> read_run(const Query& row) {
  Run run{.id = row.bytes(0),
          .method = row.bytes(1),
          .from = row.bytes(2),
          .to = row.bytes(3),
          .table = row.bytes(4),
          .to_table = row.bytes(5),
          .state = TRY(parse_run_state(row.bytes(6))),
          .created_unix_ms = row.integer(7),
          .updated_unix_ms = row.integer(8),
          .options = row.bytes(9),
          .reason = row.bytes(10),
          .rows = row.integer(11),
          .bytes = row.integer(12),
          .result = row.bytes(13)};
  for (const auto* text : {&run.method, &run.from, &run.to, &run.table, &run.to_table, &run.reason})
    if (!base::is_utf8(*text)) return fail(Code::kInvalidArgument, "a text is no UTF-8");
  if (!is_run_id(run.id)) return fail(Code::kInvalidArgument, "its id is none");
  if (run.rows < 0 || run.bytes < 0) return fail(Code::kInvalidArgument, "its totals are negative");
  if (!nlohmann::json::accept(run.options) ||
      (!run.result.empty() && !nlohmann::json::accept(run.result)))
    return fail(Code::kInvalidArgument, "its options or its result are no JSON");
  return run;
}

}  // namespace

Result<Run> Journal::find(const std::string& run, std::string_view doing) const {
  TRY(check_run_id(run));
  auto query = file_->statements.get_run.query(doing, run);
  if (!TRY(query.next()))
    return fail(Code::kNotFound, "journal " + file_->path + " has no migration " + run +
                                     "; `pegmove list` shows them");
  auto found = read_run(query);
  if (!found) return file_->corrupt("run " + run + ": " + found.error().message());
  return found;
}

Result<Run> Journal::get(const std::string& run) const { return find(run, "reading run " + run); }

Result<std::vector<Run>> Journal::list() const {
  std::vector<Run> runs;
  auto query = file_->statements.list_runs.query("listing runs", kMostListed);
  while (TRY(query.next())) {
    auto run = read_run(query);
    if (!run)
      return file_->corrupt("run '" + base::printable(query.bytes(0)) +
                            "': " + run.error().message());
    runs.push_back(*std::move(run));
  }
  return runs;
}

Result<Run> Journal::set_state(const std::string& run, RunState state, const std::string& reason,
                               const std::optional<std::string>& result) {
  TRY(check_run_id(run));
  if (result) TRY(check_json("result", *result));
  const auto doing = "changing run " + run + " to " + std::string(to_string(state));
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<Run> {
    const auto before = TRY(find(run, doing));
    if (is_final(before.state) || (state == RunState::kPlanned && before.state != state))
      return fail(Code::kRefused, "migration " + run + " is " +
                                      std::string(to_string(before.state)) + " and cannot become " +
                                      std::string(to_string(state)));
    TRY(file_->statements.set_state
            .query(doing, run, to_string(state), clean_reason(reason),
                   result.value_or(before.result), file_->unix_ms())
            .run());
    return find(run, doing);
  });
}

Result<void> Journal::save(const std::string& run, std::span<const LanePosition> positions) {
  TRY(check_run_id(run));
  if (positions.empty()) return {};
  for (const auto& position : positions) {
    const auto lane = "lane " + std::to_string(position.lane) + " of run " + run;
    if (position.lane < 0 || position.rows < 0 || position.bytes < 0)
      return fail(Code::kInvalidArgument, "a position of " + lane + " has a negative number");
    if (position.last_key.size() > kMostKeyBytes)
      return fail(Code::kTooLarge,
                  "the last key of " + lane + " has " + std::to_string(position.last_key.size()) +
                      " bytes; at most " + std::to_string(kMostKeyBytes) + " are kept");
    TRY(check_detail(lane, position.detail));
  }
  const auto doing = "saving positions of run " + run;
  const auto& statements = file_->statements;
  return file_->connection.transact(Durability::kProcess, doing, [&]() -> Result<void> {
    TRY(find(run, doing));
    for (const auto& position : positions)
      TRY(statements.save_lane
              .query(doing, run, int64_t(position.lane), Blob{position.last_key}, position.rows,
                     position.bytes, int64_t(position.done), position.detail)
              .run());
    TRY(statements.sum_lanes.query(doing, run, file_->unix_ms()).run());
    return {};
  });
}

Result<std::vector<LanePosition>> Journal::positions(const std::string& run) const {
  const auto doing = "reading positions of run " + run;
  TRY(find(run, doing));
  std::vector<LanePosition> positions;
  auto query = file_->statements.get_lanes.query(doing, run);
  while (TRY(query.next())) {
    const auto lane = query.integer(0);
    const auto done = query.integer(4);
    auto detail = query.bytes(5);
    if (lane < 0 || lane > std::numeric_limits<int32_t>::max() || query.integer(2) < 0 ||
        query.integer(3) < 0 || (done != 0 && done != 1) || !check_detail("", detail))
      return file_->corrupt("lane " + std::to_string(lane) + " of run " + run + " cannot be");
    positions.push_back({.lane = int32_t(lane),
                         .last_key = query.bytes(1),
                         .rows = query.integer(2),
                         .bytes = query.integer(3),
                         .done = done == 1,
                         .detail = std::move(detail)});
  }
  return positions;
}

Result<void> Journal::forget_positions(const std::string& run) {
  const auto doing = "forgetting positions of run " + run;
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<void> {
    TRY(find(run, doing));
    TRY(file_->statements.forget_lanes.query(doing, run).run());
    TRY(file_->statements.sum_lanes.query(doing, run, file_->unix_ms()).run());
    return {};
  });
}

}  // namespace pegmove::journal
