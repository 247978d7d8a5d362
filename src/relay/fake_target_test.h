// A target that the test controls, for tests of this folder.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "async/event.h"
#include "relay/shipped_requests_test.h"
#include "relay/target.h"

namespace pegmove::relay {

// All on one executor.
class FakeTarget : public Target {
 public:
  int32_t count = 8;
  // What becomes of an attempt; the default carries all out.
  std::function<Sent(const Group&)> outcome = [](const Group& group) {
    return Sent{.done = group.entries.size()};
  };
  bool holds = false;                // attempts wait until release()
  std::vector<int32_t> sends;        // the partition of each attempt whose bytes left
  std::vector<std::string> written;  // "3: put a=1", as carried out

  void release() {
    holds = false;
    released_.notify_all();
  }

  Task<int32_t> partition_count() override { co_return count; }
  Routine<Sent> send(Group group, MaySend may_send) override {
    if (auto may = may_send(); !may) co_return Sent{.error = may.error()};
    if (group.partition_count != count)
      co_return Sent{.error = Error(Code::kRefused, "another partition count")};
    sends.push_back(group.index);
    while (holds) co_await released_.wait();  // no result
    auto sent = outcome(group);
    for (const auto& text : texts_of(group.entries.first(sent.done)))
      written.push_back(std::to_string(group.index) + ": " + text);
    co_return sent;
  }

 private:
  async::Event released_;
};

inline Sent refused(const std::string& why = "ERR_INVALID_STATE") {
  return {.error = Error(Code::kBusy, why)};
}
inline Sent unknown_outcome() {
  return {.error = Error(Code::kTimeout, "no answer"), .is_in_doubt = true};
}

}  // namespace pegmove::relay
