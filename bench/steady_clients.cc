#include "steady_clients.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>

#include "async/run.h"
#include "async/task_group.h"
#include "bench_rows.h"

namespace pegmove::bench {
namespace {

using async::milliseconds;

constexpr milliseconds kOperation{10'000};
constexpr size_t kNumberDigits = 12;  // at the beginning of each value
constexpr size_t kValueSize = 100;

std::string value_of(int64_t number) {
  char digits[kNumberDigits + 1];
  std::snprintf(digits, sizeof digits, "%012lld", (long long)number);
  auto value = std::string(digits);
  value.resize(kValueSize, 'v');
  return value;
}

// As make_rows() makes it.
std::string hash_key_of(int64_t row) {
  char key[32];
  std::snprintf(key, sizeof key, "k%010lld", (long long)row);
  return key;
}

// -1: it is not one of these clients' values.
int64_t number_in(const std::optional<std::string>& value) {
  if (!value || value->size() != kValueSize) return -1;
  int64_t number = 0;
  for (const char digit : value->substr(0, kNumberDigits)) {
    if (digit < '0' || digit > '9') return -1;
    number = 10 * number + (digit - '0');
  }
  return number;
}

}  // namespace

void SteadySeen::add(const SteadySeen& other) {
  ms.insert(ms.end(), other.ms.begin(), other.ms.end());
  std::ranges::sort(ms);
  failed += other.failed;
  went_back += other.went_back;
  if (first_error.empty()) first_error = other.first_error;
}

double SteadySeen::at(double fraction) const {
  if (ms.empty()) return 0;
  return ms[std::min(ms.size() - 1, size_t(fraction * double(ms.size())))];
}

// One client: nobody else writes its rows.
struct SteadyClients::One {
  One(asio::io_context& context, Clock& clock, int number)
      : client(context.get_executor(), clock), number(number), random(unsigned(number)) {}

  client::Client client;
  std::shared_ptr<client::Table> table{};
  const int number;
  std::minstd_rand random;
  int64_t written = 0;
  std::map<int64_t, int64_t> acknowledged{};  // row to the number in its value
  std::vector<int64_t> rows{};                // of `acknowledged`
};

SteadyClients::SteadyClients(SteadyLoad load) : load_(std::move(load)) {}

Result<std::unique_ptr<SteadyClients>> SteadyClients::start(SteadyLoad load) {
  std::unique_ptr<SteadyClients> clients(new SteadyClients(std::move(load)));
  TRY(async::run_to_end(clients->context_, clients->open_all()));
  clients->thread_ =
      std::thread([all = clients.get()] { async::run_to_end(all->context_, all->drive_all()); });
  return clients;
}

SteadyClients::~SteadyClients() {
  is_ending_ = true;
  if (thread_.joinable()) thread_.join();
  for (auto& one : all_) {
    one->table.reset();
    async::run_to_end(context_, one->client.close());
  }
}

Task<> SteadyClients::open_all() {
  for (int number = 0; number < load_.clients; ++number) {
    auto& one = *all_.emplace_back(std::make_unique<One>(context_, clock_, number));
    const auto deadline = Deadline::in(clock_, milliseconds(30'000));
    auto cluster = CO_TRY(co_await client::Cluster::connect(
        one.client, *net::parse_host_port_list(load_.metas), deadline));
    one.table = CO_TRY(co_await client::Table::open(std::move(cluster), kBenchTable, deadline));
  }
  co_return Result<void>();
}

Routine<> SteadyClients::drive_all() {
  async::TaskGroup group(co_await asio::this_coro::executor);
  for (auto& one : all_) group.spawn(drive(*one));
  co_await group.join();  // no result
}

// One operation each interval; when it is late, the next ones follow at once.
Routine<> SteadyClients::drive(One& one) {
  const auto interval =
      std::chrono::nanoseconds(1'000'000'000ll * load_.clients / load_.per_second);
  auto due = clock_.now() + interval * one.number / load_.clients;
  for (bool writes = true; !is_ending_; writes = !writes) {
    co_await clock_.sleep_until(due);  // no result
    const auto is_right =
        writes || one.rows.empty() ? co_await write_one(one) : co_await read_one(one);
    note(due, is_right);
    due += interval;
  }
}

Task<bool> SteadyClients::write_one(One& one) {
  std::uniform_int_distribution<int64_t> choose(
      0, std::max<int64_t>(load_.rows / load_.clients, 1) - 1);
  const auto row = choose(one.random) * load_.clients + one.number;
  const auto number = ++one.written;
  CO_TRY(co_await one.table->set(hash_key_of(row), "s0", value_of(number), 0,
                                 Deadline::in(clock_, kOperation)));
  if (one.acknowledged.insert_or_assign(row, number).second) one.rows.push_back(row);
  co_return true;
}

Task<bool> SteadyClients::read_one(One& one) {
  std::uniform_int_distribution<size_t> choose(0, one.rows.size() - 1);
  const auto row = one.rows[choose(one.random)];
  const auto found =
      CO_TRY(co_await one.table->get(hash_key_of(row), "s0", Deadline::in(clock_, kOperation)));
  co_return number_in(found.value) >= one.acknowledged.at(row);
}

void SteadyClients::note(async::Instant due, const Result<bool>& is_right) {
  const std::chrono::duration<double, std::milli> took = clock_.now() - due;
  std::lock_guard lock(mutex_);
  seen_.ms.push_back(took.count());
  if (is_right) {
    seen_.went_back += !*is_right;
    return;
  }
  ++seen_.failed;
  if (seen_.first_error.empty()) seen_.first_error = is_right.error().to_string();
}

SteadySeen SteadyClients::take() {
  std::lock_guard lock(mutex_);
  std::ranges::sort(seen_.ms);
  return std::exchange(seen_, {});
}

}  // namespace pegmove::bench
