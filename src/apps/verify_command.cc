#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/progress_line.h"
#include "base/bytes.h"
#include "base/units.h"
#include "migration/compare.h"

namespace pegmove::apps {
namespace {

using base::format_count;
using base::format_duration;

struct VerifyArguments {
  CommonOptions common;
  std::string from, to, table, to_table;
  size_t show = 20;
};

using Json = nlohmann::ordered_json;

// Bytes that are no text would break the JSON: they go as base64, like in exports.
void put_bytes(Json& to, const std::string& name, const std::string& bytes) {
  if (base::is_utf8(bytes))
    to[name] = bytes;
  else
    to[name + "_b64"] = base::to_base64(bytes);
}

Json to_json(const VerifyArguments& arguments, const migration::CompareReport& report) {
  Json differences = Json::array();
  for (const auto& difference : report.differences) {
    Json entry{{"kind", migration::to_string(difference.kind)}};
    put_bytes(entry, "hash_key", difference.hash_key);
    put_bytes(entry, "sort_key", difference.sort_key);
    differences.push_back(std::move(entry));
  }
  return {{"equal", report.equal()},
          {"from", arguments.from},
          {"to", arguments.to},
          {"table", arguments.table},
          {"to_table", arguments.to_table.empty() ? arguments.table : arguments.to_table},
          {"source_rows", report.source_rows},
          {"target_rows", report.target_rows},
          {"missing", report.missing},
          {"extra", report.extra},
          {"value", report.value_differs},
          {"expiry", report.expiry_differs},
          {"source_sum", report.source_sum.to_hex()},
          {"target_sum", report.target_sum.to_hex()},
          {"elapsed_ms", report.elapsed.count()},
          {"differences", std::move(differences)}};
}

void print_text(const VerifyArguments& arguments, const migration::CompareReport& report) {
  for (const auto& difference : report.differences)
    std::printf(
        "%-8s \"%s\" : \"%s\"\n", std::string(migration::to_string(difference.kind)).c_str(),
        base::printable(difference.hash_key).c_str(), base::printable(difference.sort_key).c_str());
  auto all = report.missing + report.extra + report.value_differs + report.expiry_differs;
  if (size_t(all) > report.differences.size())
    std::printf("... and %s more\n",
                format_count(uint64_t(all) - report.differences.size()).c_str());
  if (report.equal()) {
    std::printf(
        "Equal: all %s rows of table %s on %s and %s have the same keys, values and expiry (%s, "
        "sum %s).\n",
        format_count(uint64_t(report.source_rows)).c_str(), arguments.table.c_str(),
        arguments.from.c_str(), arguments.to.c_str(), format_duration(report.elapsed).c_str(),
        report.source_sum.to_hex().c_str());
    return;
  }
  std::printf(
      "Different: %s rows on %s, %s rows on %s; missing there %s, extra there %s, other value %s, "
      "other expiry %s.\n",
      format_count(uint64_t(report.source_rows)).c_str(), arguments.from.c_str(),
      format_count(uint64_t(report.target_rows)).c_str(), arguments.to.c_str(),
      format_count(uint64_t(report.missing)).c_str(), format_count(uint64_t(report.extra)).c_str(),
      format_count(uint64_t(report.value_differs)).c_str(),
      format_count(uint64_t(report.expiry_differs)).c_str());
}

Task<migration::CompareReport> compare(CommandRun& run, VerifyArguments arguments,
                                       ProgressLine& line) {
  run.prepare();
  auto source = CO_TRY(co_await run.connect(arguments.from));
  auto target = CO_TRY(co_await run.connect(arguments.to));
  run.begin_work();
  auto show = [&line](const migration::CompareReport& so_far, async::milliseconds elapsed) {
    auto rows = so_far.source_rows + so_far.target_rows;
    line.show("verifying: " + format_count(uint64_t(so_far.source_rows)) + " rows, " +
              format_count(uint64_t(double(rows) * 1000 / double(elapsed.count() + 1))) +
              " rows/s read on both sides, differences " +
              format_count(uint64_t(so_far.missing + so_far.extra + so_far.value_differs +
                                    so_far.expiry_differs)));
  };
  co_return co_await migration::compare_tables(source, target,
                                               {.table = arguments.table,
                                                .to_table = arguments.to_table,
                                                .most_listed = arguments.show,
                                                .timeout = run.timeout()},
                                               run.stop(), show);
}

int verify(const VerifyArguments& arguments) {
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto known = (*run)->check_clusters({arguments.from, arguments.to}); !known)
    return report(known.error(), kUsage);
  auto result = [&] {
    ProgressLine line(arguments.common.quiet);
    return (*run)->wait_for(compare(**run, arguments, line));
  }();
  if (!result) return report(result.error());
  if (arguments.common.json)
    std::printf("%s\n", to_json(arguments, *result).dump(2).c_str());
  else
    print_text(arguments, *result);
  return result->equal() ? kDone : kTablesDiffer;
}

}  // namespace

void add_verify_command(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<VerifyArguments>();
  auto* verb =
      add_verb(program, "verify",
               "Example: pegmove verify --from A --to B --table t\n\n"
               "Compares two tables row by row: keys, values and expiry, whatever their partition "
               "counts. Exact while nobody writes to either. Exit status 0: equal, 4: different; "
               "the differing keys are printed with their kind (missing, extra, value, expiry).");
  verb->add_option("--from", arguments->from,
                   "source cluster: a name of the config file, or host:port,...")
      ->required();
  verb->add_option("--to", arguments->to, "target cluster")->required();
  verb->add_option("--table", arguments->table, "table to compare")->required();
  verb->add_option("--to-table", arguments->to_table,
                   "name of the target table; default: the same");
  verb->add_option("--show", arguments->show, "how many differing keys to print")
      ->capture_default_str();
  add_common_options(*verb, arguments->common);
  verb->callback([arguments, &exit_code] { exit_code = verify(*arguments); });
}

}  // namespace pegmove::apps
