#include "migration/verify/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "compare/certificate.h"
#include "compare/difference_file.h"
#include "inspect/access.h"
#include "inspect/gather.h"
#include "migration/verify/compare_journal.h"
#include "rows/foreign_rows_text.h"

namespace pegmove::migration {
namespace {

using base::format_count;
using base::format_duration;
using compare::CompareReport;
using runs::StepContext;
using Json = nlohmann::ordered_json;

std::string count(int64_t rows) { return format_count(uint64_t(rows)); }

std::string differences_text(const CompareReport& report) {
  return fmt::format("missing there {}, extra there {}, other value {}, other expiry {}",
                     count(report.missing), count(report.extra), count(report.value_differs),
                     count(report.expiry_differs));
}

std::string notes_text(const CompareReport& report) {
  const auto& options = report.options;
  std::string text;
  if (options.sample)
    text += fmt::format("Sample of {:g} of the rows, seed {}: {}.\n", options.sample->share,
                        options.sample->seed, compare::what_a_sample_proves(report));
  if (options.expiry_tolerance_s > 0)
    text += fmt::format(
        "Expiries that differ by at most {} s count as equal: rows were compared, not sums.\n",
        options.expiry_tolerance_s);
  if (report.suspects > 0)
    text += "Read again: " + count(report.suspects) + " rows that differed at first.\n";
  if (report.not_settled > 0)
    text += "Not proven: " + count(report.not_settled) +
            " rows kept changing; verify again, or give a longer --settle-for.\n";
  return text;
}

std::string foreign_text(const journal::Run& run, const CompareReport& report) {
  return rows::foreign_text(report.source_foreign,
                            fmt::format("of table {} on {}", run.table, run.from)) +
         rows::foreign_text(report.target_foreign,
                            fmt::format("of table {} on {}", run.to_table, run.to));
}

std::string text_of(const journal::Run& run, const CompareReport& report, size_t show) {
  std::string text;
  const auto shown = std::min(show, report.differences.size());
  for (size_t i = 0; i < shown; ++i) text += compare::difference_text(report.differences[i]) + "\n";
  if (size_t(report.differing()) > shown)
    text += fmt::format("... and {} more; `pegmove diff` lists all\n",
                        count(report.differing() - int64_t(shown)));
  text += notes_text(report) + foreign_text(run, report);
  const auto rows = count(report.source_rows);
  if (!report.equal())
    return text + fmt::format("{}: {} rows on {}, {} rows on {}; {}.\n",
                              report.differing() > 0 ? "Different" : "Not proven equal", rows,
                              run.from, count(report.target_rows), run.to,
                              differences_text(report));
  const auto sum =
      report.source_sum == report.target_sum
          ? "sum " + report.source_sum.to_hex()
          : "sums " + report.source_sum.to_hex() + " and " + report.target_sum.to_hex();
  return text + fmt::format(
                    "Equal: {} {} rows of table {} on {} and {} have the same keys, values and "
                    "expiry ({}, {}).\n",
                    report.options.sample ? "these" : "all", rows, run.table, run.from, run.to,
                    format_duration(report.elapsed), sum);
}

}  // namespace

Task<compare::TablePair> open_pair(const Ports& ports, std::string from, std::string to,
                                   std::string table, std::string to_table, bool writes) {
  auto source = CO_TRY(co_await ports.connect(std::move(from)));
  auto target = CO_TRY(co_await ports.connect(std::move(to)));
  auto tables =
      CO_TRY(co_await compare::open_tables(source, target, std::move(table), std::move(to_table),
                                           Deadline::in(ports.clock, ports.timeout)));
  for (const auto* table : {&tables.source, &tables.target})
    CO_TRY((*table)->router().check_not_split((*table)->partition_count()));
  if (inspect::is_same_table(*tables.source, *tables.target))
    co_return fail(
        Code::kInvalidArgument,
        fmt::format(
            "--from and --to are the same table, '{}' on cluster {}; give another table or cluster",
            tables.source->name(), tables.source->cluster().name()));
  const auto deadline = Deadline::in(ports.clock, ports.timeout);
  CO_TRY(co_await inspect::check_access(*tables.source, {.reads = true}, deadline));
  CO_TRY(
      co_await inspect::check_access(*tables.target, {.reads = true, .writes = writes}, deadline));
  co_return tables;
}

std::string to_json(const VerifyRequest& request) {
  auto json = base::parse_json<Json>(to_json_text(request.options));
  json["certificate"] = request.certificate;
  json["show"] = request.show;
  json["from_metas"] = request.from_metas;
  json["to_metas"] = request.to_metas;
  return base::json_text(json);
}

Result<VerifyRequest> verify_request_from_json(const journal::Run& run) {
  VerifyRequest request{.options = TRY(parse_compare_options(run.options))};
  const auto json = base::parse_json<Json>(run.options);
  request.from_metas = base::text_in(json, "from_metas");
  request.to_metas = base::text_in(json, "to_metas");
  request.options.table = run.table;
  request.options.to_table = run.to_table;
  request.certificate = base::text_in(json, "certificate");
  if (const auto show = base::number_in(json, "show"); show >= 0) request.show = size_t(show);
  if (request.from_metas.empty() || request.to_metas.empty())
    return fail(Code::kCorrupt, "the journal does not contain the clusters of run " + run.id);
  return request;
}

Verify::Verify(VerifyRequest request, const Ports& ports)
    : request_(std::move(request)), ports_(ports) {}

std::vector<runs::Step> Verify::steps() {
  return {{.name = "compare",
           .does = "compare every row of table " + request_.options.table + " on " +
                   request_.from_metas + " with table " + request_.options.to_table + " on " +
                   request_.to_metas,
           .run = [this](StepContext context) { return compare(context); }}};
}

Task<runs::Assessment> Verify::open(runs::Purpose purpose) {
  if (purpose == runs::Purpose::kUndo) co_return runs::Assessment{};  // nothing was changed
  tables_ = CO_TRY(co_await open_pair(ports_, request_.from_metas, request_.to_metas,
                                      request_.options.table, request_.options.to_table));
  request_.from_metas = tables_->source->cluster().meta_list();
  request_.to_metas = tables_->target->cluster().meta_list();
  request_.options.to_table = tables_->target->name();
  co_return runs::Assessment{};
}

std::string Verify::options() const { return to_json(request_); }

Task<std::string> Verify::compare(StepContext context) {
  if (!tables_) CO_TRY(co_await open(runs::Purpose::kResume));
  auto options = request_.options;
  options.timeout = ports_.timeout;
  if (options.live) options.live->timeout = ports_.timeout;
  compared_ = CO_TRY(
      co_await compare_journaled(context, *tables_, std::move(options), nullptr, "verifying"));
  certificate_ = CO_TRY(co_await certify(context.session.run()));
  co_return std::string();
}

Task<std::string> Verify::certify(const journal::Run& run) {
  const auto deadline = Deadline::in(ports_.clock, ports_.timeout);
  auto source = CO_TRY(co_await compare::describe(*tables_->source, deadline));
  auto target = CO_TRY(co_await compare::describe(*tables_->target, deadline));
  auto text = compare::certificate({.version = ports_.version,
                                    .run_id = run.id,
                                    .from = run.from,
                                    .to = run.to,
                                    .began_unix_ms = run.created_unix_ms,
                                    .ended_unix_ms = ports_.clock.unix_us() / 1000},
                                   source, target, compared_);
  if (request_.certificate.empty()) co_return text;
  auto file = CO_TRY(compare::TextOutput::open(request_.certificate));
  CO_TRY(file.line(text));
  CO_TRY(file.commit());
  co_return text;
}

runs::Report Verify::report(const journal::Run& run) {
  return {.stored = compare::summary(compared_),
          .json = certificate_,
          .text = text_of(run, compared_, request_.show),
          .tables_differ = !compared_.equal()};
}

}  // namespace pegmove::migration
