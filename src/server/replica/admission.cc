#include "server/replica/admission.h"

#include "wire/rpc_code.h"

namespace pegmove::server::replica {
namespace {

using base::DenyRule;
using service::Verdict;
using wire::ErrorCode;

Admission refuse(ErrorCode error, async::milliseconds pause = {}) {
  return {.kind = Admission::Kind::kRefuse, .error = error, .pause = pause};
}

Admission by(service::ThrottleWindow::Decision decision) {
  if (decision.verdict == Verdict::kReject) return refuse(ErrorCode::kBusy, decision.pause);
  if (decision.verdict == Verdict::kDelay) return {.pause = decision.pause};
  return {};
}

bool acts(const base::Throttle& throttle) { return throttle.delay || throttle.reject; }

bool is_undisturbed(const Admission& admission) {
  return admission.kind == Admission::Kind::kPass && admission.pause.count() == 0;
}

}  // namespace

void AdmissionControl::configure(const TableEnvs& envs, int32_t partition_count) {
  std::lock_guard lock(mutex_);
  limits_ = {
      .deny = envs.deny,
      .validate_partition_hash = envs.validate_partition_hash,
      .partition_count = std::max(partition_count, 1),
      .writes = {envs.write_throttle, partition_count},
      .write_bytes = {envs.write_size_throttle, partition_count},
      .reads = {envs.read_throttle, partition_count},
      .backup_reads = {envs.backup_throttle, partition_count},
      .read_bytes = base::TokenBucket(
          std::chrono::seconds(1),
          envs.read_bytes_per_second == 0
              ? 0.0
              : double(std::max<uint64_t>(
                    envs.read_bytes_per_second / uint64_t(std::max(partition_count, 1)), 1)))};
  acts_ = envs.deny || envs.validate_partition_hash || acts(envs.write_throttle) ||
          acts(envs.write_size_throttle) || acts(envs.read_throttle) ||
          acts(envs.backup_throttle) || envs.read_bytes_per_second > 0;
}

// Precondition: mutex_ is held.
std::optional<Admission> AdmissionControl::refuse_first(const wire::RequestHead& head,
                                                        bool is_write) const {
  const auto& deny = limits_.deny;
  if (deny && (is_write ? deny->writes : deny->reads)) {
    if (deny->answer == DenyRule::Answer::kNone) return Admission{.kind = Admission::Kind::kDrop};
    return refuse(ErrorCode::kInvalidState);
  }
  if (limits_.validate_partition_hash &&
      head.partition_hash % uint64_t(limits_.partition_count) != uint64_t(gpid_.partition_index))
    return refuse(ErrorCode::kParentPartitionMisused);
  return std::nullopt;
}

Admission AdmissionControl::read(const wire::RequestHead& head, Role role) {
  const bool is_misplaced = role == Role::kSecondary && !head.is_backup_request;
  if (!acts_) return is_misplaced ? refuse(ErrorCode::kInvalidState) : Admission();
  std::lock_guard lock(mutex_);
  if (auto refused = refuse_first(head, false)) return *refused;
  if (is_misplaced) return refuse(ErrorCode::kInvalidState);
  const async::milliseconds timeout(head.timeout_ms);
  if (head.is_backup_request) {
    auto admission = by(limits_.backup_reads.take(1, clock_.unix_seconds(), timeout));
    if (admission.kind == Admission::Kind::kRefuse) admission.kind = Admission::Kind::kDrop;
    return admission;
  }
  auto admission = by(limits_.reads.take(1, clock_.unix_seconds(), timeout));
  if (admission.kind != Admission::Kind::kPass) return admission;
  return limits_.read_bytes.is_open(clock_.now()) ? admission : refuse(ErrorCode::kBusy);
}

size_t most_request_size(std::string_view rpc_name, size_t max_request_size) {
  return rpc_name == wire::rpc_name(wire::RpcCode::kDuplicate) ? 4 * max_request_size
                                                               : max_request_size;
}

Admission AdmissionControl::write(const wire::RequestHead& head, Role role) {
  if (!acts_ && role == Role::kPrimary) return {};
  std::lock_guard lock(mutex_);
  if (auto refused = refuse_first(head, true)) return *refused;
  if (max_request_size_ > 0 && head.message_size > most_request_size(head.name, max_request_size_))
    return refuse(ErrorCode::kInvalidData);
  if (role == Role::kSecondary) return refuse(ErrorCode::kInvalidState);
  const async::milliseconds timeout(head.timeout_ms);
  const auto now = clock_.unix_seconds();
  auto by_count = by(limits_.writes.take(1, now, timeout));
  if (!is_undisturbed(by_count)) return by_count;
  return by(limits_.write_bytes.take(head.message_size, now, timeout));
}

void AdmissionControl::count_read(size_t reply_bytes) {
  if (!acts_) return;
  std::lock_guard lock(mutex_);
  limits_.read_bytes.take(double(reply_bytes));
}

}  // namespace pegmove::server::replica
