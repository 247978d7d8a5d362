// Whether a Pegasus does what Pegasus's data operations are described to do (cases/*.cases). Any
// Pegasus: an embedded cluster, or a real one.
//
//   conformance_test --cluster HOST:PORT[,...] --cases FOLDER [--table NAME] [--case NAME]...
//
// Exits with 0 when every case holds, 1 when one does not or the cluster cannot be asked, 2 for a
// call that makes no sense.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "runner.h"

namespace pegmove::conformance {
namespace {

using apps::kDone;
using apps::kFailed;
using apps::kUsage;

constexpr const char* kOwnTable = "pegmove_conformance";
constexpr int kPartitions = 4;

struct Options {
  apps::CommonOptions common;
  std::string cluster, folder, table = kOwnTable;
  std::vector<std::string> names;
  bool embedded = false, other_limits = false, list = false, drop = false;
};

Result<std::vector<Case>> read_cases(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".cases") files.push_back(entry.path());
  std::ranges::sort(files);
  if (files.empty()) return fail(Code::kNotFound, "no *.cases in the folder " + folder);
  std::vector<Case> cases;
  for (const auto& file : files) {
    std::ifstream in(file);
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (!in && !in.eof()) return fail(Code::kIo, "cannot read " + file.string());
    auto stem = file.stem().string();
    for (auto& one : TRY(parse_cases(file.filename().string(), text))) {
      one.name = stem + "." + one.name;
      if (std::ranges::find(cases, one.name, &Case::name) != cases.end())
        return fail(Code::kInvalidArgument, file.string() + ": two cases " + one.name);
      cases.push_back(std::move(one));
    }
  }
  return cases;
}

// FILE, or FILE.CASE
Result<std::vector<Case>> choose(std::vector<Case> cases, const Options& options) {
  for (const auto& name : options.names)
    if (std::ranges::none_of(cases, [&](const auto& one) {
          return one.name == name || one.name.starts_with(name + ".");
        }))
      return fail(Code::kInvalidArgument, "no case is called " + name + "; --list shows the names");
  std::erase_if(cases, [&](const auto& one) {
    return !options.names.empty() && std::ranges::none_of(options.names, [&](const auto& name) {
      return one.name == name || one.name.starts_with(name + ".");
    });
  });
  return cases;
}

bool is_left_out(const Case& one, const Options& options) {
  return (one.embedded_only && !options.embedded) || (one.default_limits && options.other_limits);
}

// Envs that change what operations do.
Result<void> check_envs(const client::TableInfo& info) {
  for (const auto& [name, value] : info.envs)
    if (name == "default_ttl" || name == "replica.split.validate_partition_hash" ||
        name == "user_specified_compaction" || name.contains("throttling") ||
        name.contains("deny_client_request") || name.contains("iteration_threshold"))
      return fail(Code::kInvalidArgument, "table " + info.name + " has the env " + name + " = " +
                                              value + ", which changes the answers; take another");
  return {};
}

Task<std::shared_ptr<client::Table>> open_table(apps::CommandRun& run, const Options& options) {
  auto cluster = CO_TRY(co_await run.connect(options.cluster));
  auto deadline = Deadline::in(run.clock(), run.timeout());
  auto info = co_await cluster->table_info(options.table, deadline);
  if (!info && info.error().code() == Code::kNotFound) {
    auto nodes = CO_TRY(co_await cluster->nodes(deadline));
    auto alive = std::ranges::count_if(nodes, &client::NodeInfo::is_alive);
    client::CreateOptions create{.partition_count = kPartitions,
                                 .replica_count = std::clamp(int32_t(alive), 1, 3)};
    CO_TRY(co_await cluster->create_table(options.table, create, deadline));
    if (!options.common.quiet)
      std::fprintf(stderr, "conformance: created table %s with %d partitions; --drop removes it\n",
                   options.table.c_str(), kPartitions);
  } else {
    CO_TRY(check_envs(CO_TRY(std::move(info))));
  }
  CO_TRY(co_await cluster->wait_until_ready(options.table, {}, deadline));
  co_return co_await client::Table::open(cluster, options.table, deadline);
}

void print(const Options& options, const std::vector<CaseResult>& results, size_t left_out) {
  auto failed = size_t(std::ranges::count_if(results, [](auto& one) { return !one.holds(); }));
  if (options.common.json) {
    auto failures = nlohmann::ordered_json::array();
    for (const auto& result : results)
      if (!result.holds())
        failures.push_back({{"case", result.name}, {"failures", result.failures}});
    nlohmann::ordered_json all{{"cases", results.size()},
                               {"failed", failed},
                               {"left_out", left_out},
                               {"failures", std::move(failures)}};
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  auto rest = left_out > 0 ? ", " + std::to_string(left_out) + " left out" : std::string();
  auto verdict = failed == 0 ? std::string("all hold") : std::to_string(failed) + " do not hold";
  std::printf("conformance: %zu cases, %s%s\n", results.size(), verdict.c_str(), rest.c_str());
}

Result<bool> run_cases(Runner& runner, const std::vector<Case>& cases, const Options& options) {
  std::vector<CaseResult> results;
  size_t left_out = 0;
  for (const auto& one : cases) {
    if (is_left_out(one, options)) {
      ++left_out;
      continue;
    }
    results.push_back(TRY(runner.run(one)));
    if (options.common.json) continue;
    for (const auto& failure : results.back().failures)
      std::printf("%s: %s\n", one.name.c_str(), failure.c_str());
  }
  print(options, results, left_out);
  return std::ranges::all_of(results, &CaseResult::holds);
}

void list(const std::vector<Case>& cases) {
  for (const auto& one : cases)
    std::printf("%s%s%s\n", one.name.c_str(), one.embedded_only ? " (embedded only)" : "",
                one.default_limits ? " (default limits)" : "");
}

int failed(const Error& error, int exit_code) {
  std::fprintf(stderr, "conformance: %s\n", error.to_string().c_str());
  return exit_code;
}

int run(const Options& options) {
  if (options.cluster.empty() && !options.list)
    return failed(Error(Code::kInvalidArgument, "--cluster or --list is required"), kUsage);
  auto read = read_cases(options.folder);
  if (!read) return failed(read.error(), kUsage);
  auto cases = choose(*std::move(read), options);
  if (!cases) return failed(cases.error(), kUsage);
  if (options.list) {
    list(*cases);
    return kDone;
  }
  if (options.drop && options.table != kOwnTable)
    return failed(Error(Code::kInvalidArgument,
                        std::string("--drop is for the table ") + kOwnTable + " only"),
                  kUsage);
  auto started = apps::CommandRun::start(options.common);
  if (!started) return failed(started.error(), kUsage);
  auto& command = **started;
  if (auto known = command.check_clusters({options.cluster}); !known)
    return failed(known.error(), kUsage);
  command.prepare();
  auto table = command.wait_for(open_table(command, options));
  if (!table)
    return failed(table.error(), table.error().code() == Code::kInvalidArgument ? kUsage : kFailed);
  Session session{.run = command, .table = *table};
  // Digits only: no pattern of a case matches them.
  Runner runner(session, std::to_string(std::random_device()()));
  auto good = run_cases(runner, *cases, options);
  if (options.drop)
    if (auto dropped =
            session.wait(session.table->cluster().drop_table(options.table, 0, session.deadline()));
        !dropped)
      return failed(dropped.error(), kFailed);
  if (!good) return failed(good.error(), kFailed);
  return *good ? kDone : kFailed;
}

}  // namespace
}  // namespace pegmove::conformance

int main(int argc, char** argv) {
  pegmove::conformance::Options options;
  pegmove::apps::Program program(
      "conformance",
      "Compares a Pegasus with a description of its data operations.\n"
      "Example: script/conformance --cluster 10.0.0.1:34601,10.0.0.2:34601 --drop");
  auto& root = program.root();
  pegmove::apps::add_common_options(root, options.common);
  root.add_option("--cluster", options.cluster, "meta servers, or a name of the configuration");
  root.add_option("--cases", options.folder, "folder with *.cases")->required();
  root.add_option("--table", options.table, "made when it is not there")->capture_default_str();
  root.add_option("--case", options.names, "only this case (FILE.CASE) or file (FILE)");
  root.add_flag("--embedded", options.embedded,
                "an embedded cluster: also cases on which real servers abort");
  root.add_flag("--other-limits", options.other_limits,
                "leave out what needs the limits of Pegasus's default configuration");
  root.add_flag("--list", options.list, "print the cases and ask nobody");
  root.add_flag("--drop", options.drop, "drop the table in the end");
  if (auto ended = program.run(argc, argv)) return *ended;
  return pegmove::conformance::run(options);
}
