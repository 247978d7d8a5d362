// A hot migration between two embedded clusters on this machine, while clients write and read at a
// steady rate through a MetaProxy: how long it takes until it is ready, how far the target is
// behind, for how long requests are held, and what the clients see of it. Beside it, what they see
// without a migration in the same run.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "async/run.h"
#include "base/units.h"
#include "bench_folder.h"
#include "bench_rows.h"
#include "hot_world.h"
#include "process_usage.h"
#include "steady_clients.h"

namespace pegmove::bench {
namespace {

using async::milliseconds;
using Words = std::vector<std::string>;

constexpr int kPartitions = 8;
constexpr int kOtherPartitions = 16;
constexpr double kHoldBarMs = 300;
constexpr double kSlowestBarMs = 1'000;
constexpr auto kReadyLimit = std::chrono::minutes(30);
constexpr const char* kReady = "ready for `pegmove cutover`";

struct Setup {
  std::string pegmove = "build/release/pegmove";
  std::string folder;
  int64_t rows = 1'000'000;
  int clients = 16;
  int per_second = 2'000;
  int quiet_seconds = 20;  // of clients without a migration, and after it
  int lag_probes = 1'000;
  bool has_relay = true;
  bool is_short = false;
};

struct Measured {
  SteadySeen quiet, during;
  double ready_seconds = 0, all_seconds = 0;
  std::vector<double> lag_ms;  // sorted
  double held_ms = 0;
};

double seconds_since(async::Instant begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// `pegmove hot`; what it says goes to a file.
class HotProcess {
 public:
  static Result<HotProcess> start(Words words, std::string log) {
    return HotProcess(TRY(base::ChildProcess::start(std::move(words), {.log = log})), log);
  }

  std::string text() const { return text_of(log_); }
  Result<void> wait_until_ready() {
    const auto end = std::chrono::steady_clock::now() + kReadyLimit;
    while (!text().contains(kReady)) {
      if (process_.ended()) return fail(Code::kInternal, "pegmove hot has ended: " + text());
      if (std::chrono::steady_clock::now() > end)
        return fail(Code::kTimeout, "pegmove hot is not ready: " + text());
      pause_for(milliseconds(20));
    }
    return {};
  }
  // As it says it first: "run ID; ...".
  std::string run() const {
    const auto text = text_of(log_);
    const auto begin = text.find("run hot-");
    const auto end = text.find(';', begin);
    return begin == std::string::npos || end == std::string::npos
               ? ""
               : text.substr(begin + 4, end - begin - 4);
  }
  Result<int> wait() {
    TRY(process_.read_all());
    return process_.wait();
  }

 private:
  HotProcess(base::ChildProcess process, std::string log)
      : process_(std::move(process)), log_(std::move(log)) {}

  base::ChildProcess process_;
  std::string log_;
};

Task<std::shared_ptr<client::Table>> open_table(client::Client& client, std::string metas) {
  const auto deadline = Deadline::in(client.clock(), milliseconds(30'000));
  auto cluster = CO_TRY(
      co_await client::Cluster::connect(client, *net::parse_host_port_list(metas), deadline));
  co_return co_await client::Table::open(std::move(cluster), kBenchTable, deadline);
}

// From before a write through the proxy until it is read on the target.
Task<std::vector<double>> measure_lag(client::Client& client, std::string proxy, std::string target,
                                      int probes) {
  auto from = CO_TRY(co_await open_table(client, std::move(proxy)));
  auto to = CO_TRY(co_await open_table(client, std::move(target)));
  std::vector<double> times;
  for (int i = 0; i < probes; ++i) {
    const auto key = fmt::format("lag{}", i);
    const auto begin = client.clock().now();
    const auto deadline = Deadline::in(client.clock(), milliseconds(60'000));
    CO_TRY(co_await from->set(key, "s", "v", 0, deadline));
    while (!CO_TRY(co_await to->get(key, "s", deadline)).value)
      if (deadline.passed(client.clock()))
        co_return fail(Code::kTimeout, "a write did not arrive on the target");
    times.push_back(
        std::chrono::duration<double, std::milli>(client.clock().now() - begin).count());
  }
  std::ranges::sort(times);
  co_return times;
}

Task<> fill(client::Client& client, std::string metas, std::vector<BenchRow> rows) {
  CO_TRY(co_await create_table(client, metas, kPartitions));
  co_return co_await load_table(client, metas, rows);
}

// With a client of its own.
template <typename Call>
auto call_client(Call call) {
  asio::io_context context;
  async::SystemClock clock;
  client::Client client(context.get_executor(), clock);
  auto result = async::run_to_end(context, call(client));
  async::run_to_end(context, client.close());
  return result;
}

Result<double> cut_over(const HotWorld& world, const std::string& run) {
  auto words = world.words_of("cutover", run);
  words.push_back("--json");
  const auto done = TRY(run_process(std::move(words)));
  const auto json = nlohmann::json::parse(done.output, nullptr, false);
  if (!json.is_object() || !json.contains("switch") || !json["switch"].contains("held_ms"))
    return fail(Code::kInternal, "the cutover does not say how long it took: " + done.output);
  return json["switch"]["held_ms"].get<double>();
}

// The migration itself, with the clients at work.
Result<void> migrate(HotWorld& world, const Setup& setup, int other_partitions,
                     SteadyClients& clients, Measured& measured) {
  const auto begin = std::chrono::steady_clock::now();
  auto hot = TRY(HotProcess::start(world.hot_words(other_partitions), setup.folder + "/hot.log"));
  if (other_partitions > 0)
    if (auto started = world.start_relays(); !started)
      return fail(Code::kInternal, started.error().to_string() + "; pegmove hot: " + hot.text());
  TRY(hot.wait_until_ready());
  measured.ready_seconds = seconds_since(begin);
  measured.lag_ms = TRY(call_client([&](client::Client& client) {
    return measure_lag(client, world.proxy(), world.target(), setup.lag_probes);
  }));
  measured.held_ms = TRY(cut_over(world, hot.run()));
  pause_for(std::chrono::seconds(setup.quiet_seconds));
  auto words = world.words_of("complete", hot.run());
  words.push_back("--yes");
  TRY(run_process(std::move(words)));
  const int code = TRY(hot.wait());
  measured.all_seconds = seconds_since(begin);
  measured.during = clients.take();
  if (code != 0) return fail(Code::kInternal, fmt::format("pegmove hot: exit code {}", code));
  return {};
}

Result<Measured> measure_case(Setup setup, int other_partitions) {
  setup.folder += other_partitions > 0 ? "/with-relay" : "/without-relay";
  std::filesystem::create_directories(setup.folder);
  auto world = TRY(HotWorld::start(setup.pegmove, setup.folder));
  TRY(call_client([&](client::Client& client) {
    return fill(client, world->source(), make_rows({.rows = setup.rows}));
  }));
  TRY(world->route_to_source());
  Measured measured;
  auto clients = TRY(SteadyClients::start({.metas = world->proxy(),
                                           .rows = setup.rows,
                                           .clients = setup.clients,
                                           .per_second = setup.per_second}));
  pause_for(std::chrono::seconds(setup.quiet_seconds));
  measured.quiet = clients->take();
  TRY(migrate(*world, setup, other_partitions, *clients, measured));
  return measured;
}

const char* word_of(bool is_good) { return is_good ? "OK" : "MISSED"; }

double place(const std::vector<double>& sorted, double fraction) {
  return sorted.empty()
             ? 0
             : sorted[std::min(sorted.size() - 1, size_t(fraction * double(sorted.size())))];
}

// Returns whether all bars are met.
bool print_case(const char* name, const Measured& measured, const Setup& setup) {
  const auto& during = measured.during;
  const bool is_held_shortly = measured.held_ms < kHoldBarMs;
  const bool is_quick = during.slowest() < kSlowestBarMs;
  const bool is_right = during.failed == 0 && during.went_back == 0 && !during.ms.empty();
  std::printf(
      "hot: %s: %s rows of 100-byte values, %d partitions; %d clients, %d operations/s through a "
      "MetaProxy\n"
      "  ready after      %.1f s (%s rows/s); the whole run %.1f s\n"
      "  lag              p50 %.1f ms, p99 %.1f ms, of %d writes until they are on the target\n"
      "  hold             %.0f ms (bar: %.0f ms): %s\n",
      name, base::format_count(uint64_t(setup.rows)).c_str(), kPartitions, setup.clients,
      setup.per_second, measured.ready_seconds,
      base::format_count(uint64_t(double(setup.rows) / measured.ready_seconds)).c_str(),
      measured.all_seconds, place(measured.lag_ms, 0.5), place(measured.lag_ms, 0.99),
      setup.lag_probes, measured.held_ms, kHoldBarMs, word_of(is_held_shortly));
  std::printf(
      "  clients          %s operations: p50 %.2f ms, p99 %.1f ms, slowest %.0f ms (bar: %.0f ms): "
      "%s\n"
      "  without it       %s operations: p50 %.2f ms, p99 %.1f ms, slowest %.0f ms; the slowest "
      "is %.1f times as slow during a migration\n"
      "  errors           %lld failed, %lld reads that went back (bar: none): %s %s\n",
      base::format_count(during.ms.size()).c_str(), during.at(0.5), during.at(0.99),
      during.slowest(), kSlowestBarMs, word_of(is_quick),
      base::format_count(measured.quiet.ms.size()).c_str(), measured.quiet.at(0.5),
      measured.quiet.at(0.99), measured.quiet.slowest(),
      during.slowest() / std::max(measured.quiet.slowest(), 0.001), (long long)during.failed,
      (long long)during.went_back, word_of(is_right), during.first_error.c_str());
  std::fflush(stdout);
  return is_held_shortly && is_quick && is_right;
}

Result<bool> measure(const Setup& setup) {
  const auto without = TRY(measure_case(setup, 0));
  bool is_good = print_case("without a relay", without, setup);
  if (!setup.has_relay) return is_good || setup.is_short;
  const auto with = TRY(measure_case(setup, kOtherPartitions));
  is_good &= print_case("to 16 partitions, with a relay", with, setup);
  return is_good || setup.is_short;
}

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench hot\n\nMoves a table to another cluster while clients use it. Exits "
      "with 1 when a bar is missed.");
  Setup setup;
  program.add_option("--pegmove", setup.pegmove, "program to measure")->capture_default_str();
  program.add_option("--rows", setup.rows)
      ->capture_default_str()
      ->check(CLI::Range(int64_t(1000), int64_t(100'000'000)));
  program.add_option("--clients", setup.clients)->capture_default_str()->check(CLI::Range(1, 1024));
  program.add_option("--per-second", setup.per_second, "operations of all clients")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  program.add_flag("!--no-relay", setup.has_relay, "not to another partition count as well");
  program.add_flag("--short", setup.is_short, "few rows; a missed bar is no failure");
  CLI11_PARSE(program, argc, argv);
  if (setup.is_short) {
    setup.rows = 20'000;
    setup.per_second = 500;
    setup.quiet_seconds = 2;
    setup.lag_probes = 50;
  }
  return measure_in_folder(setup, measure);
}

}  // namespace
}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
