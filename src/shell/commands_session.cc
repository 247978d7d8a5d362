// The shell itself: which cluster, which table, which settings.
#include <fmt/format.h>

#include <ostream>

#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

#ifdef NDEBUG
constexpr const char* kBuildType = "Release";
#else
constexpr const char* kBuildType = "Debug";
#endif

void show_cluster(Session& session) {
  const auto& name = session.cluster()->name();
  session.out() << "The cluster name is: " << (name.empty() ? session.cluster_word() : name) << "\n"
                << "The cluster meta list is: " << session.cluster()->meta_list() << "\n";
}

}  // namespace

Outcome run_help(Session& session, Words) {
  session.out() << help_text();
  return Outcome::kDone;
}

// The version of the shell whose behaviour this is, then ours.
Outcome run_version(Session& session, Words) {
  session.out() << "Pegasus Shell 2.6.0 (pegmove " PEGMOVE_VERSION ") " << kBuildType << "\n";
  return Outcome::kDone;
}

Outcome run_cc(Session& session, Words words) {
  if (words.size() > 1) return Outcome::kWrongUsage;
  if (words.size() == 1) {
    auto connected = session.connect(words[0]);
    if (!connected) {
      session.err() << "ERROR: " << connected.error().to_string() << "\n";
      return Outcome::kFailed;
    }
  }
  if (!session.cluster()) return Outcome::kWrongUsage;
  show_cluster(session);
  return Outcome::kDone;
}

// The name is stored whatever it is, as in Pegasus's shell: the table may be created next.
Outcome run_use(Session& session, Words words) {
  auto& table = session.settings().table;
  if (words.size() > 1) return Outcome::kWrongUsage;
  if (words.empty() && table.empty()) {
    session.err() << "Current app not specified.\n";
    return Outcome::kWrongUsage;
  }
  if (words.empty()) {
    session.out() << "Current app: " << table << "\n";
    return Outcome::kDone;
  }
  table = words[0];
  session.forget_table();
  session.err() << "OK\n";
  if (!session.cluster()) return Outcome::kDone;
  auto found = session.run(session.cluster()->table_config(table, {0}, session.deadline()));
  if (!found && found.error().code() == Code::kNotFound)
    session.err() << "WARNING: " << found.error().to_string() << "\n";
  return Outcome::kDone;
}

Outcome run_timeout(Session& session, Words words) {
  auto& timeout = session.settings().timeout;
  if (words.size() > 1) return Outcome::kWrongUsage;
  if (words.empty()) {
    session.out() << "Current timeout: " << timeout.count() << " ms.\n";
    return Outcome::kDone;
  }
  auto number = parse_int32(words[0]);
  if (!number || *number <= 0) {
    session.err() << (number ? "ERROR: invalid timeout " + words[0]
                             : fmt::format("ERROR: parse {} as timeout failed", words[0]))
                  << "\n";
    return Outcome::kFailed;
  }
  timeout = async::milliseconds(*number);
  session.err() << "OK\n";
  return Outcome::kDone;
}

Outcome run_escape_all(Session& session, Words words) {
  auto& escape_all = session.settings().escape_all;
  if (words.size() > 1) return Outcome::kWrongUsage;
  if (words.empty()) {
    session.out() << "Current escape_all: " << (escape_all ? "true" : "false") << ".\n";
    return Outcome::kDone;
  }
  if (words[0] != "true" && words[0] != "false") {
    session.err() << "ERROR: invalid parameter.\n";
    return Outcome::kWrongUsage;
  }
  escape_all = words[0] == "true";
  session.err() << "OK\n";
  return Outcome::kDone;
}

Outcome run_exit(Session& session, Words) {
  session.exit();
  return Outcome::kDone;
}

}  // namespace pegmove::shell
