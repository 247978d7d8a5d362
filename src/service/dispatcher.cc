#include "service/dispatcher.h"

namespace pegmove::service {

void Dispatcher::on(wire::RpcCode code, Handler handler) { handlers_[code] = std::move(handler); }

void Dispatcher::handle(net::IncomingCall call) {
  auto code = wire::rpc_code_from_name(call.head().name);
  auto found = handlers_.find(code);
  bool has_partition = call.head().gpid.app_id > 0;
  if (found == handlers_.end() || has_partition != wire::is_data_code(code)) {
    call.reply(wire::ErrorCode::kHandlerNotFound);
    return;
  }
  found->second(std::move(call));
}

}  // namespace pegmove::service
