// Settings of a table that are not app envs: how many replicas, how atomic operations are written.
#include <fmt/format.h>

#include <ostream>

#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kJsonOption[] = {{'j', "json"}};

Outcome set_atomic_idempotent(Session& session, Words words, bool value) {
  auto options = Options::parse(words, {});
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) return Outcome::kWrongUsage;
  auto change = session.run(
      session.cluster()->set_atomic_idempotent(options->rest()[0], value, session.meta_deadline()));
  if (!change) {
    session.err() << "ERROR: set_atomic_idempotent failed, error="
                  << meta_error_text(change.error(), ": ") << "\n";
    return Outcome::kFailed;
  }
  session.out() << "set_atomic_idempotent from " << text_of(change->old_value) << " to "
                << text_of(value) << ": " << (change->hint.empty() ? "succeed" : change->hint)
                << "\n\n";
  return Outcome::kDone;
}

}  // namespace

Outcome run_get_replica_count(Session& session, Words words) {
  auto options = Options::parse(words, kJsonOption);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().empty()) return Outcome::kWrongUsage;
  const auto& name = options->rest().front();
  auto count = session.run(session.cluster()->replica_count(name, session.meta_deadline()));
  if (!count) {
    session.err() << "get replica count of app(" << c_escape(name, false)
                  << ") failed: " << meta_error_text(count.error()) << "\n";
    return Outcome::kFailed;
  }
  auto table = Table::with_values("max_replica_count");
  table.add_value("max_replica_count", std::to_string(*count));
  return print_table(session, table, report_options(*options));
}

Outcome run_set_replica_count(Session& session, Words words) {
  if (words.size() < 2) return Outcome::kWrongUsage;
  auto count = parse_int32(words[1]);
  if (!count || *count < 1) {
    session.err() << (count ? "replica count should be >= 1"
                            : fmt::format("parse '{}' as replica count failed", words[1]))
                  << "\n";
    return Outcome::kWrongUsage;
  }
  auto app = "app(" + c_escape(words[0], false) + ")";
  if (!confirm(session, fmt::format("set the replica count of {} to {}", app, *count)))
    return Outcome::kFailed;
  auto change =
      session.run(session.cluster()->set_replica_count(words[0], *count, session.meta_deadline()));
  if (!change) {
    session.err() << "set replica count of " << app
                  << " failed: " << meta_error_text(change.error(), ", ") << "\n";
    return Outcome::kFailed;
  }
  session.out() << "set replica count of " << app << " from " << change->old_value << " to "
                << *count << ": " << (change->hint.empty() ? "success" : change->hint) << "\n";
  return Outcome::kDone;
}

Outcome run_get_atomic_idempotent(Session& session, Words words) {
  auto options = Options::parse(words, kJsonOption);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) return Outcome::kWrongUsage;
  auto value = session.run(
      session.cluster()->atomic_idempotent(options->rest()[0], session.meta_deadline()));
  if (!value) {
    session.err() << "ERROR: get_atomic_idempotent failed, error="
                  << meta_error_text(value.error(), ": ") << "\n";
    return Outcome::kFailed;
  }
  auto table = Table::with_values("atomic_idempotent");
  table.add_value("atomic_idempotent", text_of(*value));
  return print_table(session, table, report_options(*options));
}

Outcome run_enable_atomic_idempotent(Session& session, Words words) {
  return set_atomic_idempotent(session, words, true);
}

Outcome run_disable_atomic_idempotent(Session& session, Words words) {
  return set_atomic_idempotent(session, words, false);
}

}  // namespace pegmove::shell
