#include "spark/spark_units.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/child_process.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/local_file.h"
#include "base/small_file.h"
#include "base/text.h"
#include "base/units.h"
#include "migration/split/split_json.h"
#include "spark/driver_program.h"
#include "spark/program_bundle.h"

namespace pegmove::spark {
namespace {

namespace fs = std::filesystem;

using migration::EngineEvents;
using migration::SplitRequest;
using splitter::SplitPlan;
using Json = nlohmann::json;

constexpr std::string_view kResultMark = "pegmove-unit ";  // begins a line of the driver
constexpr size_t kMostResult = 64 << 20;
constexpr size_t kMostFailure = 64 << 10;
constexpr size_t kLogLines = 6;  // of an error

std::string stores_text(const blockstore::Providers& providers) {
  std::string text;
  for (const auto& [name, provider] : providers)
    text += "[block_service." + name + "]\ntype = " + provider.type + "\nargs = " + provider.args +
            "\n";
  return text;
}

Result<void> write_archive(const std::string& folder) {
  auto tar = TRY(
      base::ChildProcess::start({"tar", "--create", "--use-compress-program=gzip -1", "--file",
                                 folder + "/bundle.tar.gz", "--directory", folder + "/bundle", "."},
                                {.log = folder + "/tar.log"}));
  if (const int code = TRY(tar.wait()); code != 0)
    return fail(Code::kIo, fmt::format("tar ended with {}; see {}/tar.log", code, folder));
  return {};
}

// Writes everything that spark-submit needs to a folder of its own.
Result<void> prepare(const std::string& folder, const UnitSpec& spec,
                     const std::vector<size_t>& units, const blockstore::Providers& providers) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  TRY(base::make_folders(folder + "/results"));
  TRY(write_bundle(folder + "/bundle"));
  TRY(base::replace_file(folder + "/bundle/" + kSpecFile, to_json(spec)));
  TRY(base::replace_file(folder + "/bundle/" + kStoresFile, stores_text(providers)));
  TRY(write_archive(folder));
  TRY(base::replace_file(folder + "/units.json", base::json_text(Json(units))));
  return base::replace_file(folder + "/pegmove_split.py", driver_program());
}

std::vector<std::string> submit_words(const SplitRequest& request, const std::string& folder) {
  std::vector<std::string> words{request.spark.submit,
                                 "--deploy-mode",
                                 "client",
                                 "--master",
                                 request.spark.master,
                                 "--name",
                                 "pegmove split " + request.to.table};
  if (!request.spark.properties.empty())
    words.insert(words.end(), {"--properties-file", request.spark.properties});
  for (const auto& each : request.spark.conf) words.insert(words.end(), {"--conf", each});
  // Two attempts of a unit at the same time would write the same files, with different MD5s.
  words.insert(words.end(), {"--conf", "spark.speculation=false"});
  words.insert(words.end(), {folder + "/pegmove_split.py", folder});
  return words;
}

// The last lines of Spark's log, without INFO lines and stack traces.
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

// Spark's process and its output.
class Driver {
 public:
  Driver(std::string folder, std::string log, std::vector<size_t> units, const EngineEvents& events)
      : folder_(std::move(folder)),
        log_(std::move(log)),
        missing_(units.begin(), units.end()),
        events_(events) {}

  // All calls run on a pool. Starts the process.
  Result<void> start(const SplitRequest& request) {
    process_.emplace(TRY(base::ChildProcess::start(submit_words(request, folder_), {.log = log_})));
    return {};
  }
  Result<std::optional<std::string>> next_line() {
    return process_->next_line({.should_stop = events_.should_stop});
  }
  Result<int> wait() { return process_->wait({.should_stop = events_.should_stop}); }
  // Ends the process, if it still runs.
  void end() {
    if (process_) process_->end();
  }

  // A line reports a result, or is for the log: Python's output arrives here too.
  Result<void> take(const std::string& line) {
    if (line.starts_with(kResultMark))
      if (const auto unit = base::parse_integer(line.substr(kResultMark.size()), 0, INT32_MAX))
        return take_result(size_t(*unit));
    std::ofstream(log_, std::ios::app) << line << "\n";
    return {};
  }
  // Results that no line reported.
  Result<void> take_rest() {
    for (const auto unit : std::vector(missing_.begin(), missing_.end())) TRY(take_result(unit));
    return {};
  }
  Result<void> judge(int code) {
    if (const auto said = TRY(base::read_file(folder_ + "/results/failed", kMostFailure)))
      return fail(Code::kRefused, "on Spark: " + *said);
    if (code == 0) return {};
    return fail(Code::kRefused,
                fmt::format("spark-submit ended with {}; the last lines of its log {}:{}", code,
                            log_, last_of(log_)));
  }

 private:
  Result<void> take_result(size_t unit) {
    const auto path = fmt::format("{}/results/{}.json", folder_, unit);
    if (!missing_.contains(unit)) return {};
    const auto text = TRY(base::read_file(path, kMostResult));
    if (!text) return {};
    TRY(events_.on_done(unit, TRY(in_context(migration::unit_result_from_json(*text), path))));
    missing_.erase(unit);
    return {};
  }

  std::string folder_, log_;
  std::set<size_t> missing_;
  const EngineEvents& events_;
  std::optional<base::ChildProcess> process_;
};

}  // namespace

std::string to_json(const UnitSpec& spec) {
  auto request = spec.request;
  request.spark = {};  // executors do not need it, and it may be confidential
  return base::json_text(
      Json{{"request", migration::to_json(request)}, {"plan", migration::to_json(spec.plan)}});
}

Result<UnitSpec> unit_spec_from_json(std::string_view text) {
  const auto in = base::parse_json<Json>(text);
  const auto fields = TRY(base::JsonFields::of(in, "the specification of a unit"));
  UnitSpec spec;
  spec.request = TRY(migration::split_request_from_json(TRY(fields.text("request"))));
  spec.plan = TRY(migration::plan_from_json(TRY(fields.text("plan")), spec.request));
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
    if (access(place.c_str(), X_OK) == 0) return base::absolute_path(place);
  return fail(Code::kNotFound,
              fmt::format("the program {} does not exist; give it with --spark-submit, or set "
                          "SPARK_HOME to Spark's folder",
                          places.size() == 1 ? places[0] : "spark-submit in PATH"));
}

Task<> SparkUnits::carry_out(const SplitRequest& request, const SplitPlan& plan,
                             std::vector<size_t> units, EngineEvents events) {
  const auto folder = request.limits.work_folder + "/spark";
  const auto log = request.limits.work_folder + "/spark.log";
  Driver driver(folder, log, units, events);
  auto worked = co_await [&]() -> Task<> {  // outlives: this frame
    CO_TRY(co_await pool_.run([&]() -> Result<void> {
      TRY(prepare(folder, {.request = request, .plan = plan}, units, providers_));
      return driver.start(request);
    }));
    while (auto line = CO_TRY(co_await pool_.run([&] { return driver.next_line(); })))
      CO_TRY(driver.take(*line));
    const auto code = CO_TRY(co_await pool_.run([&] { return driver.wait(); }));
    CO_TRY(driver.take_rest());
    co_return driver.judge(code);
  }();
  CO_TRY(co_await pool_.run([&]() -> Result<void> {
    driver.end();
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    if (worked) fs::remove(log, ignored);
    return {};
  }));
  co_return worked;
}

}  // namespace pegmove::spark
