#include "raw_call.h"

#include "base/units.h"
#include "data_types.h"
#include "record/hash.h"

namespace pegmove::conformance {

using client::Repeat;
using client::RowKey;
using client::Target;
using wire::RpcCode;

RawCall::RawCall(const Session& session, Arguments& arguments)
    : session_(session), arguments_(arguments) {
  if (arguments.has("at")) at_ = arguments.hash_key("at");
  if (arguments.has("partition_hash"))
    partition_hash_ = uint64_t(arguments.number("partition_hash", 0));
  if (arguments.has("body")) body_ = arguments.bytes("body");
  auto gpid = arguments.byte_list("gpid");
  if (gpid.empty()) return;
  gpid_ = Gpid{.app_id = session.table->app_id(), .partition_index = 0};
  if (gpid[0] != "table")
    gpid_->app_id = int32_t(base::parse_integer(gpid[0], -1, 1 << 30).value_or(0));
  gpid_->partition_index = int32_t(base::parse_integer(gpid.back(), -1, 1 << 30).value_or(0));
}

Result<Target> RawCall::target_of(const RowKey& key) const {
  auto hash = at_ ? record::key_hash(*at_, "") : record::key_hash(key.hash_key, key.sort_key);
  auto target = session_.table->router().target_of(hash);
  if (partition_hash_) target.partition_hash = *partition_hash_;
  return target;
}

Result<net::IncomingReply> RawCall::send(RpcCode code, Target target, std::string body) {
  auto& router = session_.table->router();
  if (gpid_) {
    auto* channel = router.primary_channel(target.partition_index);
    if (!channel) return fail(Code::kUnreachable, "no primary is known");
    return session_.wait(channel->call({.code = code,
                                        .gpid = *gpid_,
                                        .partition_hash = target.partition_hash,
                                        .body = body,
                                        .deadline = session_.deadline()}));
  }
  bool atomic =
      code == RpcCode::kIncr || code == RpcCode::kCheckAndSet || code == RpcCode::kCheckAndMutate;
  auto reply = session_.wait(router.call(target, code, std::move(body), session_.deadline(),
                                         atomic ? Repeat::kForbidden : Repeat::kAllowed));
  if (reply || reply.error().code() == Code::kTimeout || reply.error().wire_code().value_or(0) <= 0)
    return reply;
  return net::IncomingReply{.error = wire::ErrorCode(*reply.error().wire_code()), .body = {}};
}

// The answers to a few requests to the same pool of threads stand for the missing one.
Result<Answer> RawCall::send_only(RpcCode code, std::string body, const RowKey& key) {
  constexpr int kRoundTrips = 5;
  constexpr int64_t kNobodysContext = 1;
  TRY(arguments_.check());
  auto target = TRY(target_of(key));
  auto& router = session_.table->router();
  auto* channel = router.primary_channel(target.partition_index);
  if (!channel) return fail(Code::kUnreachable, "no primary is known");
  channel->start({.code = code,
                  .gpid = router.gpid(target.partition_index),
                  .partition_hash = target.partition_hash,
                  .body = body,
                  .deadline = session_.deadline()},
                 [](const auto&) {});
  wire::scan_request nothing;
  nothing.context_id = kNobodysContext;
  for (int i = 0; i < kRoundTrips; ++i)
    TRY(send(RpcCode::kScan, target, wire::encode_body(nothing)));
  return Answer{.status = "0"};
}

}  // namespace pegmove::conformance
