// Remote commands about the target's side of full duplications.
#include <charconv>
#include <system_error>

#include "server/meta/meta_service.h"

namespace pegmove::server::meta {

// Own command: real servers do not have it.
void MetaService::register_follower_commands() {
  operations_.commands.on(
      {"follower.status"},
      "Show the partitions of all tables, or of one, that fetch their rows from the cluster that "
      "duplicates to them, as JSON",
      "[app_id]", [this](service::RemoteCommands::Arguments arguments) -> std::string {
        int32_t app_id = 0;
        if (arguments.size() == 1) {
          const auto& text = arguments[0];
          const auto* end = text.data() + text.size();
          const auto [stop, failed] = std::from_chars(text.data(), end, app_id);
          if (failed != std::errc() || stop != end) app_id = 0;
        }
        if (arguments.size() > 1 || (arguments.size() == 1 && app_id <= 0))
          return "ERR: invalid arguments, [app_id] is expected";
        return followers_.status(app_id);
      });
}

}  // namespace pegmove::server::meta
