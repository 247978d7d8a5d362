// Remote commands about the target's side of full duplications.
#include "base/units.h"
#include "server/meta/meta_service.h"

namespace pegmove::server::meta {

// Own command: real servers do not have it.
void MetaService::register_follower_commands() {
  operations_.commands.on(
      {"follower.status"},
      "Show the partitions of all tables, or of one, that fetch their rows from the cluster that "
      "duplicates to them, as JSON",
      "[app_id]", [this](service::RemoteCommands::Arguments arguments) -> std::string {
        if (arguments.empty()) return followers_.status(0);
        const auto app_id = base::parse_integer(arguments[0], 1, INT32_MAX);
        if (arguments.size() > 1 || !app_id) return "ERR: invalid arguments, [app_id] is expected";
        return followers_.status(int32_t(*app_id));
      });
}

}  // namespace pegmove::server::meta
