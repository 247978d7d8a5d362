#include "spark/spark_units.h"

#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/local_file.h"
#include "base/small_file.h"
#include "base/text.h"
#include "migration/journal_fields.h"
#include "migration/split_json.h"
#include "spark/child_process.h"
#include "spark/driver_program.h"
#include "spark/program_bundle.h"

namespace pegmove::spark {
namespace {

namespace fs = std::filesystem;

using migration::EngineEvents;
using migration::SplitRequest;
using splitter::SplitPlan;
using Json = nlohmann::json;

constexpr std::string_view kResultMark = "pegmove-unit ";     // begins a line of the driver
constexpr std::string_view kFailureMark = "pegmove-failed ";  // the same
constexpr size_t kLogLines = 6;                               // of an error

std::string stores_text(const blockstore::Providers& providers) {
  std::string text;
  for (const auto& [name, provider] : providers)
    text += "[block_service." + name + "]\ntype = " + provider.type + "\nargs = " + provider.args +
            "\n";
  return text;
}

Result<void> write_archive(const std::string& folder) {
  auto tar =
      TRY(ChildProcess::start({"tar", "--create", "--gzip", "--file", folder + "/bundle.tar.gz",
                               "--directory", folder + "/bundle", "."},
                              folder + "/tar.log"));
  if (const int code = tar.wait(); code != 0)
    return fail(Code::kIo,
                "tar ended with " + std::to_string(code) + "; see " + folder + "/tar.log");
  return {};
}

// All that spark-submit needs, in a folder of its own.
Result<void> prepare(const std::string& folder, const UnitSpec& spec,
                     const std::vector<size_t>& units, const blockstore::Providers& providers) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  TRY(base::make_folders(folder));
  TRY(write_bundle(folder + "/bundle"));
  TRY(base::replace_file(folder + "/bundle/" + kSpecFile, to_json(spec)));
  TRY(base::replace_file(folder + "/bundle/" + kStoresFile, stores_text(providers)));
  TRY(write_archive(folder));
  TRY(base::replace_file(folder + "/units.json", Json(units).dump()));
  return base::replace_file(folder + "/pegmove_split.py", driver_program());
}

std::vector<std::string> submit_words(const SplitRequest& request, const std::string& folder) {
  std::vector<std::string> words{request.spark.submit, "--master", request.spark.master, "--name",
                                 "pegmove split " + request.to.table};
  for (const auto& each : request.spark.conf) words.insert(words.end(), {"--conf", each});
  words.insert(words.end(), {folder + "/pegmove_split.py", folder});
  return words;
}

// The end of what Spark has logged, for people: without its chatter and the traces of its calls.
std::string last_of(const std::string& log) {
  std::deque<std::string> lines;
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);) {
    if (base::trim(line).empty() || line.starts_with("\tat ") || line.contains(" INFO ")) continue;
    lines.push_back(base::printable(line, 500));
    if (lines.size() > kLogLines) lines.pop_front();
  }
  std::string text;
  for (const auto& line : lines) text += "\n  " + line;
  return text;
}

// One unit's line: what it has made, or why it failed for good. Others are not for us.
Result<void> take_line(const std::string& line, const SplitPlan& plan, const EngineEvents& events) {
  if (line.starts_with(kFailureMark)) {
    const auto said = Json::parse(line.substr(kFailureMark.size()), nullptr, false);
    return fail(Code::kRefused,
                "on Spark: " + (said.is_string() ? said.get<std::string>() : std::string(line)));
  }
  if (!line.starts_with(kResultMark)) return {};
  const auto in = Json::parse(line.substr(kResultMark.size()), nullptr, false);
  if (!in.is_object() || !in.contains("result"))
    return fail(Code::kProtocol, "the driver's line has no result");
  const auto unit = TRY(migration::read_integer(in, "unit", 0, int64_t(plan.units.size()) - 1));
  events.on_done(size_t(unit), TRY(migration::unit_result_from_json(in["result"].dump())));
  return {};
}

}  // namespace

std::string to_json(const UnitSpec& spec) {
  return Json{{"request", migration::to_json(spec.request)},
              {"plan", migration::to_json(spec.plan)}}
      .dump();
}

Result<UnitSpec> unit_spec_from_json(std::string_view text) {
  const auto in = Json::parse(text, nullptr, false);
  if (!in.is_object()) return fail(Code::kCorrupt, "it is no JSON object");
  UnitSpec spec;
  spec.request = TRY(migration::split_request_from_json(TRY(migration::read_text(in, "request"))));
  spec.plan = TRY(migration::plan_from_json(TRY(migration::read_text(in, "plan")), spec.request));
  return spec;
}

Result<std::string> submit_program(const std::string& given) {
  const auto of = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  std::vector<std::string> places;
  if (!given.empty())
    places.push_back(given);
  else if (const auto home = of("SPARK_HOME"); !home.empty())
    places.push_back(home + "/bin/spark-submit");
  else
    for (const auto& folder : base::split(of("PATH"), ':'))
      places.push_back(folder + "/spark-submit");
  for (const auto& place : places)
    if (access(place.c_str(), X_OK) == 0) return fs::absolute(place).string();
  return fail(Code::kNotFound,
              "there is no program " + (places.size() == 1 ? places[0] : "spark-submit in PATH") +
                  "; name Spark's with --spark-submit, or its folder in SPARK_HOME");
}

Task<> SparkUnits::carry_out(const SplitRequest& request, const SplitPlan& plan,
                             std::vector<size_t> units, EngineEvents events) {
  const auto folder = request.limits.work_folder + "/spark";
  const auto log = request.limits.work_folder + "/spark.log";
  CO_TRY(co_await pool_.run([&]() -> Result<void> {
    return prepare(folder, {.request = request, .plan = plan}, units, providers_);
  }));
  auto worked = co_await [&]() -> Task<> {  // outlives: this frame
    auto driver = CO_TRY(co_await pool_.run(
        [&] { return ChildProcess::start(submit_words(request, folder), log); }));
    while (auto line =
               CO_TRY(co_await pool_.run([&] { return driver.next_line(events.should_stop); })))
      CO_TRY(take_line(*line, plan, events));
    const auto code = CO_TRY(co_await pool_.run([&]() -> Result<int> { return driver.wait(); }));
    if (code != 0)
      co_return fail(Code::kRefused, "spark-submit ended with " + std::to_string(code) +
                                         "; its log is " + log + ", and ends so:" + last_of(log));
    co_return Result<void>();
  }();
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  if (worked) fs::remove(log, ignored);
  co_return worked;
}

}  // namespace pegmove::spark
