// What a shipper under test reads from: a clock and a log that the test controls.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/clock.h"
#include "server/replica/duplication/shipped_log.h"

namespace pegmove::server::replica {

// The time is real, and a test can advance it; sleeps are short.
class AdvancedClock : public async::SystemClock {
 public:
  async::Instant now() const override { return SystemClock::now() + advanced; }
  int64_t unix_us() const override {
    return SystemClock::unix_us() +
           std::chrono::duration_cast<std::chrono::microseconds>(advanced).count();
  }
  Routine<> sleep_until(async::Instant at) override {
    const auto real = SystemClock::now();
    pauses += at - now() > async::milliseconds(5) && at - now() <= async::milliseconds(10);
    return SystemClock::sleep_until(std::min(
        real + std::max(at - now(), async::Instant::duration(0)), real + async::milliseconds(1)));
  }
  async::milliseconds advanced{0};
  int pauses = 0;  // as long as the first one after a failure
};

// The log's contents; the test adds to it.
struct LogContents {
  struct Mutation {
    int64_t decree;
    int64_t timestamp_us;
    std::vector<std::pair<store::LoggedCode, std::string>> writes;
  };
  std::vector<Mutation> mutations;
  int64_t last_decree = 0;
  std::optional<Error> error;
  metrics::Entity entity{"replica", "replica@1.0", {}};
  DuplicationMetrics metrics{entity};
};

class FakeLog : public ShippedLog {
 public:
  explicit FakeLog(std::shared_ptr<LogContents> contents) : contents_(std::move(contents)) {}
  Task<store::LogPiece> read(int64_t after, size_t most_bytes) override {
    if (contents_->error) co_return fail(*contents_->error);
    auto held = std::make_shared<std::vector<LogContents::Mutation>>();
    store::LogPiece piece{.mutations = {}, .owner = held, .last_decree = contents_->last_decree};
    piece.is_end = true;
    piece.log_id = 77;
    size_t bytes = 0;
    for (const auto& mutation : contents_->mutations) {
      if (mutation.decree <= after) continue;
      if (bytes >= most_bytes) {
        piece.is_end = false;
        piece.last_decree = held->back().decree;
        break;
      }
      held->push_back(mutation);
      for (const auto& [code, body] : mutation.writes) bytes += body.size();
    }
    for (const auto& mutation : *held) {
      auto& shown = piece.mutations.emplace_back();
      shown.decree = mutation.decree;
      shown.timestamp_us = mutation.timestamp_us;
      for (const auto& [code, body] : mutation.writes) shown.writes.push_back({code, body});
    }
    co_return piece;
  }
  store::LogBacklog backlog(int64_t after) const override {
    store::LogBacklog backlog;
    for (const auto& mutation : contents_->mutations) backlog.mutations += mutation.decree > after;
    return backlog;
  }
  int64_t last_decree() const override { return contents_->last_decree; }
  std::shared_ptr<DuplicationMetrics> metrics() const override {
    return {contents_, &contents_->metrics};
  }

 private:
  std::shared_ptr<LogContents> contents_;
};

}  // namespace pegmove::server::replica
