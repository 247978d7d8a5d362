#include "shipping/server_clocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "client/node.h"

namespace pegmove::shipping {
namespace {

using async::milliseconds;
using std::chrono::microseconds;

constexpr milliseconds kWatchPeriod{5'000};
// Without use a clock is not watched any more.
constexpr milliseconds kInUse{60'000};
// Before use an older reading is renewed, and if that fails, used up to the second age.
constexpr milliseconds kFresh{15'000};
constexpr milliseconds kUsable{300'000};
constexpr milliseconds kClockTimeout{3'000};
// An answer that took longer is asked for again: the longer it took, the older it may be.
constexpr milliseconds kPrecise{2};
constexpr int kMostQuestions = 3;
// How much faster than the server's clock this host's may run: NTP changes speeds by 0.05% each.
constexpr int64_t kDriftDivisor = 1000;
constexpr microseconds kAssumedBehind{1'000'000};

microseconds micros(async::Instant::duration length) {
  return std::chrono::duration_cast<microseconds>(length);
}

Result<int64_t> number_in(std::string_view body, const char* name) {
  const auto json = base::parse_json<nlohmann::json>(body);
  if (!json.is_object() || !json.contains(name) || !json[name].is_number_integer())
    return fail(Code::kProtocol, fmt::format("the answer has no {}", name));
  return json[name].get<int64_t>();
}

// Whether the server has answered something.
bool is_answered(const Error& error) {
  return error.wire_code().has_value() || error.code() == Code::kProtocol ||
         error.code() == Code::kTooLarge;
}

}  // namespace

std::shared_ptr<ServerClocks::Server> ServerClocks::server_of(const net::HostPort& name) {
  auto& server = servers_[name];
  if (!server) {
    server = std::make_shared<Server>();
    server->name = name;
  }
  server->used_at = client_.clock().now();
  return server;
}

int64_t ServerClocks::least_now(const Reading& reading) const {
  const auto passed = micros(client_.clock().now() - reading.at).count();
  return reading.least_us + passed - passed / kDriftDivisor;
}

bool ServerClocks::is_due(const Server& server) const {
  return !server.reading || server.is_doubted ||
         client_.clock().now() - server.reading->at > kFresh;
}

Task<microseconds> ServerClocks::left(net::HostPort name, int64_t unix_us) {
  auto server = server_of(name);
  if (is_due(*server)) {
    auto done = co_await read(server);
    const bool is_usable = server->reading && !server->is_doubted &&
                           client_.clock().now() - server->reading->at <= kUsable;
    if (!done && !is_usable)
      co_return in_context(Result<microseconds>(fail(std::move(done).error())),
                           "reading the clock of " + name.to_string());
  }
  co_return microseconds(std::max<int64_t>(0, unix_us - least_now(*server->reading)));
}

void ServerClocks::doubt(const net::HostPort& name) { server_of(name)->is_doubted = true; }

// One reading of a server at a time; others wait for it.
Task<> ServerClocks::read(std::shared_ptr<Server> server) {
  if (server->is_being_read) {
    while (server->is_being_read) co_await server->read.wait();  // no result
    if (is_due(*server)) co_return fail(Code::kUnreachable, "it could not be read just now");
    co_return Result<void>();
  }
  server->is_being_read = true;
  auto reading = co_await ask(*server);
  if (reading) {
    server->reading = *reading;
    server->is_doubted = false;
  }
  server->is_being_read = false;
  server->read.notify_all();
  if (!reading) co_return fail(std::move(reading).error());
  co_return Result<void>();
}

Task<ServerClocks::Reading> ServerClocks::ask(Server& server) {
  auto reading = co_await ask_metrics(server.name);
  if (reading || reading.error().code() == Code::kTimeout ||
      reading.error().code() == Code::kInterrupted)
    co_return reading;
  // Not HTTP, or no such metrics; or the server is not there.
  auto counters = co_await ask_counters(server.name);
  if (counters) co_return counters;
  // A timeout: it took the request, after HTTP was refused.
  if (!is_answered(counters.error()) && counters.error().code() != Code::kTimeout)
    co_return counters;
  auto& clock = client_.clock();
  if (!std::exchange(server.is_assumed, true))
    log_.warning(fmt::format(
        "{} does not say its time ({}): writes are sent to it {} s after they were made",
        server.name.to_string(), reading.error().to_string(), kAssumedBehind.count() / 1'000'000));
  co_return Reading{clock.unix_us() - kAssumedBehind.count(), clock.now()};
}

Task<ServerClocks::Reading> ServerClocks::ask_metrics(net::HostPort name) {
  auto& clock = client_.clock();
  std::optional<Reading> best;
  auto best_took = async::Instant::duration::max();
  for (int question = 0; question < kMostQuestions && best_took > kPrecise; ++question) {
    const auto before = clock.now();
    auto answer = co_await client_.http_get(
        name, "/metrics?types=server&with_metric_fields=name&metrics=none",
        Deadline::in(clock, kClockTimeout));
    const auto after = clock.now();
    if (!answer && best) break;
    if (!answer) co_return fail(std::move(answer).error());
    if (answer->status != 200)
      co_return fail(Code::kProtocol, fmt::format("GET /metrics: status {}", answer->status));
    const auto nanoseconds = CO_TRY(number_in(answer->body, "timestamp_ns"));
    if (after - before >= best_took) continue;
    best_took = after - before;
    best = Reading{nanoseconds / 1000, after};
  }
  co_return *best;
}

Task<ServerClocks::Reading> ServerClocks::ask_counters(net::HostPort name) {
  auto& clock = client_.clock();
  const auto answer = CO_TRY(co_await client::remote_command(
      client_, name, "perf-counters-by-substr", {"none"}, Deadline::in(clock, kClockTimeout)));
  const auto after = clock.now();
  const auto seconds = CO_TRY(number_in(answer, "timestamp"));
  co_return Reading{seconds * 1'000'000, after};
}

Routine<> ServerClocks::watch(async::TaskGroup& group) {
  while (!group.stopped()) {
    co_await client_.clock().sleep_for(kWatchPeriod);  // no result
    if (group.stopped()) co_return;
    const auto now = client_.clock().now();
    std::erase_if(servers_, [now](const auto& entry) {
      return now - entry.second->used_at > kInUse && !entry.second->is_being_read;
    });
    const auto watched = servers_;
    for (const auto& [name, server] : watched) {
      if (server->is_being_read || group.stopped()) continue;
      // After a failure the last reading counts until it is too old.
      if (auto done = co_await read(server); !done) continue;
    }
  }
}

}  // namespace pegmove::shipping
