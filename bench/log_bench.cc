// What the log for duplication costs clients that write: PUTs over many connections to a replica
// server of this process, to partitions that keep a log and to others that keep none, in turns.
//
// A thread reads the log and trims it, as a shipper does whose target confirms everything at once.
// So this is the cost of the log alone; "script/bench dup" measures a duplication with a target.
#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <cstdio>
#include <thread>

#include "async/context_thread.h"
#include "async/event.h"
#include "async/run.h"
#include "base/units.h"
#include "bench_folder.h"
#include "net/rpc_client.h"
#include "net/tcp.h"
#include "record/key.h"
#include "server/replica/replica_node.h"
#include "wire/row_messages.h"

namespace pegmove::bench {
namespace {

using server::replica::Replica;
using server::replica::ReplicaNode;
using SteadyClock = std::chrono::steady_clock;

constexpr double kBar = 0.80;
constexpr int32_t kPlainTable = 1;
constexpr int32_t kLoggedTable = 2;
constexpr size_t kPieceBytes = 512 << 10;
constexpr std::chrono::milliseconds kTrimEach{1000};
constexpr uint32_t kLoopback = 0x7f000001;

struct Setup {
  std::string folder;
  int connections = 64;
  double seconds = 2;
  int rounds = 5;
  int partitions = 4;
  bool is_short = false;
};

struct Case {
  const char* name;
  int in_flight;  // per connection
  int value_size;
};
constexpr std::array kCases{Case{"one at a time", 1, 100}, Case{"pipelined", 16, 100},
                            Case{"large values", 1, 2000}};

Routine<Result<void>> start(ReplicaNode& node) { co_return node.start(); }

Routine<> stop(ReplicaNode& node) {
  node.stop();
  co_await node.join();  // no result
}

// A replica server with one table that keeps logs and one that does not.
class Server {
 public:
  explicit Server(const Setup& setup)
      : setup_(setup),
        node_(thread_.executor(), {.data_dir = setup.folder, .listen = {kLoopback, 0}}, clock_,
              Logger("bench")) {}
  ~Server() {
    if (!is_started_) return;
    reader_ = {};
    logged_.clear();
    thread_.wait_for(stop(node_));
    node_.drain();
  }

  Result<void> start_all() {
    TRY(thread_.wait_for(start(node_)));
    is_started_ = true;
    for (const int32_t table : {kPlainTable, kLoggedTable})
      for (int32_t index = 0; index < setup_.partitions; ++index)
        TRY(node_.host(
            {.app_id = table, .name = "bench", .partition_count = setup_.partitions, .envs = {}},
            index));
    for (int32_t index = 0; index < setup_.partitions; ++index) {
      auto& replica = *logged_.emplace_back(node_.find({kLoggedTable, index}));
      TRY(replica.keep_log());
      replica.on_logged([this] { wakes_.notify_one(); });
    }
    reader_ = std::jthread([this](const std::stop_token& stopped) { read_logs(stopped); });
    return {};
  }
  net::Address address() const { return node_.address(); }
  int64_t shipped_mutations() const { return shipped_; }
  std::string error() const { return error_; }  // after the last round

 private:
  void read_logs(const std::stop_token& stopped) {
    std::vector<int64_t> after(logged_.size(), 0);
    std::mutex mutex;
    auto trims_at = SteadyClock::now() + kTrimEach;
    while (!stopped.stop_requested()) {
      bool is_end = true;
      for (size_t i = 0; i < logged_.size(); ++i) {
        const auto piece = logged_[i]->read_log(after[i], kPieceBytes);
        if (!piece) {
          error_ = piece.error().to_string();
          return;
        }
        after[i] = piece->last_decree;
        shipped_ += int64_t(piece->mutations.size());
        is_end &= piece->is_end;
      }
      if (SteadyClock::now() >= trims_at) {
        trims_at += kTrimEach;
        for (size_t i = 0; i < logged_.size(); ++i)
          if (auto trimmed = logged_[i]->trim_log(after[i]); !trimmed)
            error_ = trimmed.error().to_string();
      }
      std::unique_lock lock(mutex);
      if (is_end)
        wakes_.wait_for(lock, stopped, std::chrono::milliseconds(5), [] { return false; });
    }
  }

  const Setup& setup_;
  async::SystemClock clock_;
  async::ContextThread thread_;
  ReplicaNode node_;
  bool is_started_ = false;
  std::vector<std::shared_ptr<Replica>> logged_;  // shared with the node
  std::condition_variable_any wakes_;
  std::atomic<int64_t> shipped_ = 0;
  std::string error_;
  std::jthread reader_;
};

// One connection, with as many PUTs in flight as the case says.
class Writer {
 public:
  Writer(asio::any_io_executor executor, net::Address server, Clock& clock, int number)
      : connector_(clock),
        clock_(clock),
        client_(executor, connector_, clock),
        channel_(client_.channel(server)),
        number_(number) {}

  void run(const Case& wanted, int32_t table, int partitions, SteadyClock::time_point end) {
    value_.assign(size_t(wanted.value_size), 'v');
    table_ = table;
    partitions_ = partitions;
    end_ = end;
    left_ = wanted.in_flight;
    for (int i = 0; i < wanted.in_flight; ++i) send();
  }
  Routine<> finish() {
    while (left_ > 0) co_await ended_.wait();  // no result
  }
  Routine<> close() {
    client_.stop();
    co_await client_.join();  // no result
  }
  int64_t take_written() { return std::exchange(written_, 0); }
  int64_t failed() const { return failed_; }

 private:
  void send() {
    const auto row = sent_++;
    body_.clear();
    wire::append_put(body_,
                     {.key = record::encode_key(std::to_string(number_ * 1'000'003 + row), "s"),
                      .value = value_},
                     0);
    channel_.start({.code = wire::RpcCode::kPut,
                    .gpid = {table_, int32_t(row % partitions_)},
                    .body = body_,
                    .deadline = Deadline::in(clock_, async::milliseconds(30'000))},
                   [this](const Result<net::IncomingReply>& reply) {
                     const bool good = reply && reply->error == wire::ErrorCode::kOk;
                     good ? ++written_ : ++failed_;
                     if (good && SteadyClock::now() < end_) return send();
                     if (--left_ == 0) ended_.notify();
                   });
  }

  net::TcpConnector connector_;
  Clock& clock_;
  net::RpcClient client_;
  net::RpcChannel& channel_;
  const int64_t number_;
  int64_t sent_ = 0, written_ = 0, failed_ = 0;
  int left_ = 0;
  int32_t table_ = 0;
  int partitions_ = 1;
  SteadyClock::time_point end_;
  std::string value_, body_;
  async::Event ended_;
};

using Writers = std::vector<std::unique_ptr<Writer>>;

// Writes per second.
double write(const Setup& setup, asio::io_context& context, Writers& writers, const Case& wanted,
             int32_t table) {
  const auto begin = SteadyClock::now();
  const auto end = begin + std::chrono::duration_cast<SteadyClock::duration>(
                               std::chrono::duration<double>(setup.is_short ? 0.3 : setup.seconds));
  for (auto& writer : writers) writer->run(wanted, table, setup.partitions, end);
  int64_t written = 0;
  for (auto& writer : writers) {
    async::run_to_end(context, writer->finish());
    written += writer->take_written();
  }
  return double(written) / std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// The middle of the rounds' ratios: these machines are noisy.
Result<bool> measure(const Setup& setup) {
  async::SystemClock clock;
  Server server(setup);
  TRY(server.start_all());
  asio::io_context context;
  Writers writers;
  for (int i = 0; i < setup.connections; ++i)
    writers.push_back(std::make_unique<Writer>(context.get_executor(), server.address(), clock, i));
  bool good = true;
  std::printf("log: PUTs over %d connections, %d partitions, %u cores\n", setup.connections,
              setup.partitions, std::thread::hardware_concurrency());
  for (const auto& wanted : kCases) {
    std::vector<double> ratios;
    double plain = 0, logged = 0;
    for (int round = 0; round < setup.rounds; ++round) {
      plain = write(setup, context, writers, wanted, kPlainTable);
      logged = write(setup, context, writers, wanted, kLoggedTable);
      ratios.push_back(logged / plain);
    }
    std::ranges::nth_element(ratios, ratios.begin() + int64_t(ratios.size() / 2));
    const double ratio = ratios[ratios.size() / 2];
    std::printf("  %-14s %4d bytes  %8s writes/s without, %8s with a log: %3.0f%% (bar %.0f%%)%s\n",
                wanted.name, wanted.value_size, base::format_count(uint64_t(plain)).c_str(),
                base::format_count(uint64_t(logged)).c_str(), 100 * ratio, 100 * kBar,
                ratio < kBar && !setup.is_short ? "  MISSED" : "");
    good &= ratio >= kBar || setup.is_short;
  }
  int64_t failed = 0;
  for (auto& writer : writers) {
    failed += writer->failed();
    async::run_to_end(context, writer->close());
  }
  writers.clear();
  if (failed > 0) return fail(Code::kInternal, std::to_string(failed) + " writes failed");
  if (!server.error().empty()) return fail(Code::kInternal, server.error());
  if (server.shipped_mutations() == 0) return fail(Code::kInternal, "nothing was logged");
  return good;
}

}  // namespace

int run_main(int argc, char** argv) {
  CLI::App program(
      "Example: script/bench log --seconds 5\n\nWrites to partitions with and without a log for "
      "duplication.");
  Setup setup;
  program.add_option("--connections", setup.connections)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  program.add_option("--seconds", setup.seconds, "of each of the rounds")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  program.add_option("--rounds", setup.rounds)->capture_default_str()->check(CLI::Range(1, 100));
  program.add_option("--partitions", setup.partitions)
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  program.add_flag("--short", setup.is_short, "small and quick, without bars");
  CLI11_PARSE(program, argc, argv);
  if (setup.is_short) setup.rounds = 2;
  return measure_in_folder(setup, measure);
}

}  // namespace pegmove::bench

int main(int argc, char** argv) { return pegmove::bench::run_main(argc, argv); }
