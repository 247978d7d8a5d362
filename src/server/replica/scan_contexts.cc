#include "server/replica/scan_contexts.h"

#include <algorithm>
#include <random>

namespace pegmove::server::replica {
namespace {

constexpr async::milliseconds kIdleLimit{5 * 60 * 1000};
// Each context pins files of the database; when clients open more, the oldest are dropped.
constexpr size_t kMostContexts = 1000;

}  // namespace

ScanContexts::ScanContexts(Clock& clock) : clock_(clock) {
  std::random_device random;
  next_id_ = (int64_t(random() & 0x7fffffff) << 32) + 1;
}

int64_t ScanContexts::put(std::unique_ptr<Scan> scan) {
  std::lock_guard lock(mutex_);
  if (held_.size() >= kMostContexts)
    held_.erase(
        std::ranges::min_element(held_, {}, [](auto& entry) { return entry.second.last_used; }));
  held_.emplace(next_id_, Held{std::move(scan), clock_.now()});
  return next_id_++;
}

std::unique_ptr<Scan> ScanContexts::take(int64_t id) {
  std::lock_guard lock(mutex_);
  auto found = held_.find(id);
  if (found == held_.end()) return nullptr;
  auto held = std::move(found->second);
  held_.erase(found);
  return clock_.now() - held.last_used > kIdleLimit ? nullptr : std::move(held.scan);
}

void ScanContexts::drop_idle() {
  std::lock_guard lock(mutex_);
  std::erase_if(held_,
                [&](auto& entry) { return clock_.now() - entry.second.last_used > kIdleLimit; });
}

void ScanContexts::clear() {
  std::lock_guard lock(mutex_);
  held_.clear();
}

size_t ScanContexts::size() {
  std::lock_guard lock(mutex_);
  return held_.size();
}

}  // namespace pegmove::server::replica
