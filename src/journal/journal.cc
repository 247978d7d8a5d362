#include "journal/journal.h"

#include <fmt/format.h>

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

Result<StepStatements> prepare_steps(const Connection& connection) {
  return StepStatements{
      .save_step = TRY(connection.prepare(
          "INSERT INTO steps (run, number, name, state, before, product, outcome, "
          "changed_unix_ms) VALUES (?1, (SELECT ifnull(max(number), 0) + 1 FROM steps WHERE run = "
          "?1), ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (run, name) DO UPDATE SET "
          "state = excluded.state, before = excluded.before, product = excluded.product, "
          "outcome = excluded.outcome, changed_unix_ms = excluded.changed_unix_ms")),
      .get_steps = TRY(connection.prepare(
          "SELECT name, state, before, product, outcome FROM steps WHERE run = ?1 "
          "ORDER BY number")),
      .plan_unit = TRY(connection.prepare(
          "INSERT INTO units (run, step, unit, spec, last_key, rows, bytes, done, detail) "
          "VALUES (?1, ?2, ?3, ?4, x'', 0, 0, 0, '')")),
      .get_plan = TRY(connection.prepare(
          "SELECT unit, spec FROM units WHERE run = ?1 AND step = ?2 AND spec <> '' "
          "ORDER BY unit")),
      .drop_units = TRY(connection.prepare("DELETE FROM units WHERE run = ?1 AND step = ?2")),
      .save_unit = TRY(connection.prepare(
          "INSERT INTO units (run, step, unit, spec, last_key, rows, bytes, done, detail) "
          "VALUES (?1, ?2, ?3, '', ?4, ?5, ?6, ?7, ?8) ON CONFLICT (run, step, unit) DO UPDATE SET "
          "last_key = excluded.last_key, rows = excluded.rows, bytes = excluded.bytes, "
          "done = excluded.done, detail = excluded.detail")),
      .sum_units = TRY(connection.prepare(
          "UPDATE runs SET updated_unix_ms = ?3, (rows, bytes) = (SELECT ifnull(sum(rows), 0), "
          "ifnull(sum(bytes), 0) FROM units WHERE run = ?1 AND step = ?2) WHERE id = ?1")),
      .get_units = TRY(connection.prepare(
          "SELECT unit, last_key, rows, bytes, done, detail FROM units WHERE run = ?1 AND "
          "step = ?2 AND (spec = '' OR done = 1 OR last_key <> x'' OR detail <> '') "
          "ORDER BY unit")),
      .drop_planned =
          TRY(connection.prepare("DELETE FROM units WHERE run = ?1 AND step = ?2 AND spec = ''")),
      .clear_units = TRY(connection.prepare(
          "UPDATE units SET last_key = x'', rows = 0, bytes = 0, done = 0, detail = '' "
          "WHERE run = ?1 AND step = ?2")),
      .save_progress = TRY(connection.prepare(
          "INSERT OR REPLACE INTO progress (run, step, line, unit, done, total, per_second, "
          "eta_ms, updated_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")),
      .get_progress = TRY(connection.prepare(
          "SELECT step, line, unit, done, total, per_second, eta_ms, updated_unix_ms FROM progress "
          "WHERE run = ?1")),
      .save_lease = TRY(connection.prepare(
          "INSERT OR REPLACE INTO leases (run, step, until_unix_ms) VALUES (?1, ?2, ?3)")),
      .end_lease = TRY(connection.prepare("DELETE FROM leases WHERE run = ?1 AND step = ?2")),
      .get_leases = TRY(connection.prepare(
          "SELECT step, until_unix_ms FROM leases WHERE run = ?1 ORDER BY step")),
  };
}

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
      .get_over = TRY(connection.prepare(
          "SELECT id FROM runs WHERE state IN ('done', 'cancelled') AND updated_unix_ms < ?1 "
          "ORDER BY number")),
      .steps = TRY(prepare_steps(connection)),
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
    return fail(Code::kTooLarge, fmt::format("the {} of a run has {} bytes; at most {} are allowed",
                                             what, text.size(), Journal::kMostTextBytes));
  if (!base::is_utf8(text))
    return fail(Code::kInvalidArgument, fmt::format("the {} of a run is not UTF-8 text", what));
  return {};
}

Result<void> check_json(std::string_view what, const std::string& text) {
  TRY(check_text(what, text));
  if (!nlohmann::json::accept(text))
    return fail(Code::kInvalidArgument, fmt::format("the {} of a run must be JSON, but are '{}'",
                                                    what, base::printable(text)));
  return {};
}

Result<void> check_new_run(const NewRun& run) {
  if (!is_method(run.method))
    return fail(Code::kInvalidArgument, fmt::format("'{}' is not a name of a method: up to 16 "
                                                    "lower-case letters and digits, a letter first",
                                                    base::printable(run.method)));
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

// A reason is stored whatever it contains: a change of state must not fail because of its text.
std::string clean_reason(const std::string& reason) {
  if (reason.size() <= Journal::kMostReasonBytes && base::is_utf8(reason)) return reason;
  return base::printable(reason, Journal::kMostReasonBytes);
}

}  // namespace

Result<void> check_run_id(const std::string& run) {
  if (is_run_id(run)) return {};
  return fail(Code::kInvalidArgument,
              fmt::format("'{}' is not the id of a run; `pegmove list` shows the ids",
                          base::printable(run)));
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
    return fail(
        Code::kCorrupt,
        fmt::format(
            "tables or columns are missing: {}; restore a copy of the file, or move it away",
            statements.error().message()));
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
      return file_->corrupt(fmt::format("the run {}{} cannot be", prefix, last));
    const auto id = prefix + std::to_string(last + 1);
    TRY(statements.add_run
            .query(kDoing, id, run.method, run.from, run.to, run.table, run.to_table,
                   to_string(RunState::kPlanned), now_ms, run.options)
            .run());
    return find(id, kDoing);
  });
}

namespace {

// From the columns of kGetRun. Errors: kInvalidArgument, saying what is wrong.
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
    if (!base::is_utf8(*text)) return fail(Code::kInvalidArgument, "a text is not UTF-8");
  if (!is_run_id(run.id)) return fail(Code::kInvalidArgument, "its id is malformed");
  if (run.rows < 0 || run.bytes < 0) return fail(Code::kInvalidArgument, "its totals are negative");
  if (!nlohmann::json::accept(run.options) ||
      (!run.result.empty() && !nlohmann::json::accept(run.result)))
    return fail(Code::kInvalidArgument, "its options or its result are not JSON");
  return run;
}

}  // namespace

Result<Run> Journal::find(const std::string& run, std::string_view doing) const {
  TRY(check_run_id(run));
  auto query = file_->statements.get_run.query(doing, run);
  if (!TRY(query.next()))
    return fail(
        Code::kNotFound,
        fmt::format("journal {} has no run {}; `pegmove list` shows the runs", file_->path, run));
  auto found = read_run(query);
  if (!found) return file_->corrupt(fmt::format("run {}: {}", run, found.error().message()));
  return found;
}

Result<Run> Journal::get(const std::string& run) const { return find(run, "reading run " + run); }

Result<std::vector<Run>> Journal::list(int64_t most) const {
  std::vector<Run> runs;
  auto query =
      file_->statements.list_runs.query("listing runs", std::clamp<int64_t>(most, 0, kMostListed));
  while (TRY(query.next())) {
    auto run = read_run(query);
    if (!run)
      return file_->corrupt(
          fmt::format("run '{}': {}", base::printable(query.bytes(0)), run.error().message()));
    runs.push_back(*std::move(run));
  }
  return runs;
}

Result<Run> Journal::set_state(const std::string& run, RunState state, const std::string& reason,
                               const std::optional<std::string>& result) {
  TRY(check_run_id(run));
  if (result) TRY(check_json("result", *result));
  const auto doing = fmt::format("changing run {} to {}", run, to_string(state));
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<Run> {
    const auto before = TRY(find(run, doing));
    if (is_final(before.state) || (state == RunState::kPlanned && before.state != state))
      return fail(Code::kRefused, fmt::format("run {} is {} and cannot become {}", run,
                                              to_string(before.state), to_string(state)));
    TRY(file_->statements.set_state
            .query(doing, run, to_string(state), clean_reason(reason),
                   result.value_or(before.result), file_->unix_ms())
            .run());
    return find(run, doing);
  });
}

Result<void> Journal::forget(const std::string& run) {
  const auto doing = "removing run " + run;
  return file_->connection.transact(Durability::kPower, doing, [&]() -> Result<void> {
    const auto found = TRY(find(run, doing));
    if (!is_final(found.state))
      return fail(
          Code::kRefused,
          fmt::format("run {} is {} and has not ended; end it with `pegmove cancel {}` first", run,
                      to_string(found.state), run));
    return remove(run, doing);
  });
}

Result<std::vector<std::string>> Journal::forget_before(int64_t unix_ms) {
  constexpr std::string_view kDoing = "removing old runs";
  using Ids = std::vector<std::string>;
  return file_->connection.transact(Durability::kPower, kDoing, [&]() -> Result<Ids> {
    Ids over;
    {
      auto query = file_->statements.get_over.query(kDoing, unix_ms);
      while (TRY(query.next())) over.push_back(query.bytes(0));
    }
    for (const auto& run : over) TRY(remove(run, kDoing));
    return over;
  });
}

// First what belongs to the run, then the run.
Result<void> Journal::remove(const std::string& run, std::string_view doing) {
  for (const char* table : {"steps", "units", "progress", "leases", "changes"})
    TRY(file_->connection.execute(
        "DELETE FROM " + std::string(table) + " WHERE run = '" + run + "'", doing));
  return file_->connection.execute("DELETE FROM runs WHERE id = '" + run + "'", doing);
}

}  // namespace pegmove::journal
