// The cluster: what it says of itself, and what its meta servers may do.
#include <ostream>

#include "shell/handlers.h"
#include "shell/host_name.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kInfoOptions[] = {{'r', "resolve_ip"}, {'o', "output", true}, {'j', "json"}};
}  // namespace

Outcome run_cluster_info(Session& session, Words words) {
  auto options = Options::parse(words, kInfoOptions);
  if (!options) return wrong_usage(session, options.error());
  auto pairs = session.run(session.cluster()->info(session.meta_deadline()));
  if (!pairs) {
    session.err() << "get cluster info failed, error=" << meta_error_text(pairs.error()) << "\n";
    return Outcome::kFailed;
  }
  auto table = Table::with_values("cluster_info");
  for (auto& [key, value] : *pairs) {
    bool has_nodes = key == "meta_servers" || key == "primary_meta_server";
    table.add_value(key, has_nodes ? node_list_text(value, options->has('r')) : value);
  }
  return print_table(session, table, report_options(*options));
}

Outcome run_get_meta_level(Session& session, Words) {
  auto level = session.run(session.cluster()->meta_level(session.meta_deadline()));
  if (!level) {
    session.err() << "get meta level got error " << meta_error_text(level.error()) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "current meta level is " << client::meta_level_name(*level) << "\n";
  return Outcome::kDone;
}

Outcome run_set_meta_level(Session& session, Words words) {
  if (words.empty()) return Outcome::kWrongUsage;
  auto level = client::meta_level_from_word(words[0]);
  if (!level) {
    session.err() << "ERROR: parse " << words[0] << " as meta function level failed\n";
    return Outcome::kWrongUsage;
  }
  auto old = session.run(session.cluster()->set_meta_level(*level, session.meta_deadline()));
  if (!old) {
    session.err() << "control meta level got error " << meta_error_text(old.error()) << "\n";
    return Outcome::kFailed;
  }
  session.out() << "control meta level ok, the old level is " << client::meta_level_name(*old)
                << "\n";
  return Outcome::kDone;
}

}  // namespace pegmove::shell
