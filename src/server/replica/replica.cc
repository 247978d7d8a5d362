#include "server/replica/replica.h"

#include <cstdlib>

#include "record/expiry.h"
#include "server/replica/read_operations.h"
#include "server/replica/scan_operations.h"

namespace pegmove::server::replica {

using wire::ErrorCode;
using wire::RpcCode;

Result<std::shared_ptr<Replica>> Replica::open(ReplicaOptions options, async::Pool& pool,
                                               Clock& clock, Logger log) {
  auto db = TRY(store::PartitionDb::open(options.db));
  return std::shared_ptr<Replica>(
      new Replica(std::move(options), std::move(db), pool, clock, std::move(log)));
}

Replica::Replica(ReplicaOptions options, std::unique_ptr<store::PartitionDb> db, async::Pool& pool,
                 Clock& clock, Logger log)
    : options_(std::move(options)),
      db_(std::move(db)),
      pool_(pool),
      clock_(clock),
      log_(std::move(log)),
      scans_(clock),
      writes_(*db_, pool, clock, log_,
              {.gpid = options_.gpid,
               .server = options_.server,
               .max_request_size = options_.max_request_size}) {}

Replica::~Replica() { scans_.clear(); }

void Replica::close() { writes_.close(); }

void Replica::read(RpcCode code, net::IncomingCall call) {
  pool_.post([self = shared_from_this(), code, call = std::move(call)]() mutable {
    self->answer_read(code, call);
  });
}

void Replica::answer_read(RpcCode code, net::IncomingCall& call) {
  ReadContext context{*db_, options_.gpid, options_.server,
                      record::pegasus_seconds(clock_.unix_seconds())};
  if (code == RpcCode::kClearScanner) {
    if (auto id = wire::decode_i64_body(call.body())) scans_.take(*id);
    return;  // never answered: some clients break on a reply
  }
  auto reply = code == RpcCode::kGetScanner ? open_scan(context, clock_, scans_, call.body())
               : code == RpcCode::kScan     ? continue_scan(context, clock_, scans_, call.body())
                                            : answer(context, clock_, code, call.body());
  if (reply) return call.reply(ErrorCode::kOk, *reply);
  if (reply.error().code() == Code::kProtocol) return call.reply(ErrorCode::kInvalidParameters);
  log_.error("reading: " + reply.error().to_string());
  call.reply(ErrorCode::kLocalAppFailure);
}

void Replica::apply_envs(const std::map<std::string, std::string>& envs) {
  // Checked when it was set; real servers read 0x10 and 010 as C does.
  auto found = envs.find("default_ttl");
  auto seconds = found == envs.end() ? 0 : std::strtoll(found->second.c_str(), nullptr, 0);
  writes_.set_default_ttl(int32_t(seconds));
}

}  // namespace pegmove::server::replica
