// App envs: the settings of a table.
#include <ostream>

#include "shell/handlers.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

constexpr OptionSpec kGetOptions[] = {{'j', "json"}};
constexpr OptionSpec kClearEnvOptions[] = {{'a', "all"}, {'p', "prefix", true}};

// What the server tells of keys that are gone: "deleted keys:" and the keys.
Outcome done(Session& session, std::string_view what, const std::string& hint) {
  const std::string line(29, '=');
  session.out() << what << " succeed\n";
  if (!hint.empty()) session.out() << line << "\n" << hint << "\n" << line << "\n";
  return Outcome::kDone;
}

}  // namespace

Outcome run_get_app_envs(Session& session, Words words) {
  auto options = Options::parse(words, kGetOptions);
  if (!options) return wrong_usage(session, options.error());
  auto table =
      session.run(session.cluster()->table_info(session.settings().table, session.meta_deadline()));
  if (!table) {
    session.err() << "get app env failed with err = " << meta_error_text(table.error()) << "\n";
    return Outcome::kFailed;
  }
  auto envs = Table::with_values("app_envs");
  for (const auto& [key, value] : table->envs) envs.add_value(key, value);
  return print_table(session, envs, report_options(*options));
}

Outcome run_set_app_envs(Session& session, Words words) {
  if (words.size() == 1 || words.size() % 2 != 0) {
    session.err() << "need speficy the value for key = " << words.back() << "\n";
    return Outcome::kFailed;
  }
  if (words.empty()) return Outcome::kWrongUsage;
  std::map<std::string, std::string> envs;
  for (size_t i = 0; i < words.size(); i += 2) envs[words[i]] = words[i + 1];
  auto set = session.run(session.cluster()->set_envs(session.settings().table, std::move(envs),
                                                     session.meta_deadline()));
  if (!set) {
    session.err() << "set app envs failed with error " << meta_error_text(set.error()) << "!\n";
    return Outcome::kFailed;
  }
  session.out() << "set app envs succeed\n";
  return Outcome::kDone;
}

Outcome run_del_app_envs(Session& session, Words words) {
  if (words.empty()) return Outcome::kWrongUsage;
  auto hint = session.run(session.cluster()->delete_envs(
      session.settings().table, {words.begin(), words.end()}, session.meta_deadline()));
  if (hint) return done(session, "del app envs", *hint);
  session.err() << "del app env failed with err = " << meta_error_text(hint.error()) << "\n";
  return Outcome::kFailed;
}

Outcome run_clear_app_envs(Session& session, Words words) {
  auto options = Options::parse(words, kClearEnvOptions);
  if (!options) return wrong_usage(session, options.error());
  auto prefix = options->text('p');
  // An empty prefix would clear all, which only --all may.
  if (!options->has('a') && prefix.empty()) {
    session.err() << "must specify one of --all and --prefix options\n";
    return Outcome::kWrongUsage;
  }
  if (options->has('a')) prefix.clear();
  auto hint = session.run(
      session.cluster()->clear_envs(session.settings().table, prefix, session.meta_deadline()));
  if (hint) return done(session, "clear app envs", *hint);
  session.err() << "clear app envs failed with err = " << meta_error_text(hint.error()) << "\n";
  return Outcome::kFailed;
}

}  // namespace pegmove::shell
