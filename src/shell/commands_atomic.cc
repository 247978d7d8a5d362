// Changes that depend on what is there: incr, check_and_set, check_and_mutate.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ostream>

#include "shell/handlers.h"
#include "shell/mutations.h"
#include "shell/report.h"
#include "shell/session.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

using client::Check;
using client::CheckType;
using client::Mutation;

constexpr OptionSpec kCheckAndSetOptions[] = {
    {'c', "check_sort_key", true}, {'t', "check_type", true}, {'o', "check_operand", true},
    {'s', "set_sort_key", true},   {'v', "set_value", true},  {'l', "set_value_ttl_seconds", true},
    {'r', "return_check_value"}};
constexpr OptionSpec kCheckAndMutateOptions[] = {{'c', "check_sort_key", true},
                                                 {'t', "check_type", true},
                                                 {'o', "check_operand", true},
                                                 {'r', "return_check_value"}};

// In the order of client::CheckType, from kNotExist on.
constexpr std::array<std::string_view, 17> kCheckTypes = {"not_exist",
                                                          "not_exist_or_empty",
                                                          "exist",
                                                          "not_empty",
                                                          "match_anywhere",
                                                          "match_prefix",
                                                          "match_postfix",
                                                          "bytes_less",
                                                          "bytes_less_or_equal",
                                                          "bytes_equal",
                                                          "bytes_greater_or_equal",
                                                          "bytes_greater",
                                                          "int_less",
                                                          "int_less_or_equal",
                                                          "int_equal",
                                                          "int_greater_or_equal",
                                                          "int_greater"};

std::unexpected<Error> wrong_value(std::string text) {
  return fail(Code::kInvalidArgument, std::move(text));
}

bool needs_operand(CheckType type) { return type >= CheckType::kMatchAnywhere; }

Result<CheckType> parse_check_type(const std::string& typed) {
  auto is_typed = [&](std::string_view name) {
    return std::ranges::equal(
        typed, name, [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
  };
  auto found = std::ranges::find_if(kCheckTypes, is_typed);
  if (found == kCheckTypes.end()) return wrong_value("invalid check_type param");
  return CheckType(1 + (found - kCheckTypes.begin()));
}

Result<Check> parse_check(const Options& options) {
  Check check;
  if (options.has('t')) check.type = TRY(parse_check_type(options.text('t')));
  if (!options.has('c')) return wrong_value("check_sort_key not provided");
  if (!options.has('t')) return wrong_value("check_type not provided");
  if (!options.has('o') && needs_operand(check.type))
    return wrong_value("check_operand not provided");
  check.sort_key = options.text('c');
  check.operand = options.text('o');
  check.return_value = options.has('r');
  return check;
}

void echo_check(std::ostream& err, const std::string& hash_key, const Check& check) {
  err << "hash_key: \"" << c_escape(hash_key, false) << "\"\ncheck_sort_key: \""
      << c_escape(check.sort_key, false)
      << "\"\ncheck_type: " << kCheckTypes[size_t(check.type) - 1] << "\n";
  if (needs_operand(check.type))
    err << "check_operand: \"" << c_escape(check.operand, false) << "\"\n";
}

Outcome show_result(Session& session, std::string_view what,
                    const Result<client::CheckResult>& result) {
  if (!result) return data_failed(session, result.error());
  session.out() << what
                << (result->passed ? " succeed.\n" : " failed, because check not passed.\n");
  if (result->value_returned && result->checked_value)
    session.out() << "\nCheck value: " << quoted(session, *result->checked_value) << "\n";
  else if (result->value_returned)
    session.out() << "\nCheck value not exist.\n";
  return done_at(session, result->info);
}

// What is typed for check_and_mutate, and how it ended.
struct Loaded {
  std::vector<Mutation> mutations;
  int wrong_lines = 0;
  bool aborted = false;
};

Mutation take(Session& session, client::Table& table, TypedSet& set) {
  session.err() << "LOAD: set sortkey " << quoted(session, set.sort_key) << ", value "
                << quoted(session, set.value) << ", ttl " << set.ttl_seconds << "\n";
  return {.kind = Mutation::Kind::kSet,
          .sort_key = std::move(set.sort_key),
          .value = std::move(set.value),
          .expire_ts = set.ttl_seconds > 0 ? table.expire_after(set.ttl_seconds) : 0};
}

Mutation take(Session& session, client::Table&, TypedDel& del) {
  session.err() << "LOAD: del sortkey " << quoted(session, del.sort_key) << "\n";
  return {.kind = Mutation::Kind::kDel, .sort_key = std::move(del.sort_key)};
}

// Reads lines until "ok" or "abort". Errors: kInvalidArgument when they end before.
Result<Loaded> load_mutations(Session& session, client::Table& table) {
  Loaded loaded;
  while (auto line = session.read_line()) {
    auto parsed = parse_mutation(*line);
    if (!parsed) {
      session.err() << "ERROR: " << parsed.error().message() << "\n";
      ++loaded.wrong_lines;
    } else if (auto* set = std::get_if<TypedSet>(&*parsed)) {
      loaded.mutations.push_back(take(session, table, *set));
    } else if (auto* del = std::get_if<TypedDel>(&*parsed)) {
      loaded.mutations.push_back(take(session, table, *del));
    } else {
      loaded.aborted = std::get<LoadEnd>(*parsed) == LoadEnd::kAbort;
      session.err() << (loaded.aborted ? "INFO: abort loading\n"
                                       : "INFO: load mutations done.\n\n");
      return loaded;
    }
  }
  return wrong_value("the input ended before \"ok\"; nothing was changed");
}

void echo_mutations(std::ostream& err, const std::vector<Mutation>& mutations) {
  err << "mutations:\n";
  for (size_t i = 0; i < mutations.size(); ++i) {
    const auto& mutation = mutations[i];
    auto head = fmt::format("  mutation[{}].", i);
    bool is_set = mutation.kind == Mutation::Kind::kSet;
    err << head << "type: " << (is_set ? "SET" : "DEL") << "\n"
        << head << "sort_key: \"" << c_escape(mutation.sort_key, false) << "\"\n";
    if (is_set)
      err << head << "value: \"" << c_escape(mutation.value, false) << "\"\n"
          << head << "expire_seconds: " << mutation.expire_ts << "\n";
  }
  err << "\n";
}

}  // namespace

Outcome run_incr(Session& session, Words words) {
  if (words.size() != 2 && words.size() != 3) return Outcome::kWrongUsage;
  auto increment = words.size() == 3 ? parse_int64(words[2]) : 1;
  if (!increment)
    return wrong_usage(session, Error(Code::kInvalidArgument, "invalid increment param"));
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto result = session.run(
      (*table)->incr(words[0], words[1], *increment, client::kKeepExpiry, session.deadline()));
  if (!result) return data_failed(session, result.error());
  session.out() << result->new_value << "\n";
  return done_at(session, result->info);
}

Outcome run_check_and_set(Session& session, Words words) {
  auto options = Options::parse(words, kCheckAndSetOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) return Outcome::kWrongUsage;
  const auto& hash_key = options->rest()[0];
  auto ttl = options->has('l') ? parse_int32(options->text('l')) : 0;
  if (!ttl || *ttl < 0)
    return wrong_usage(session,
                       Error(Code::kInvalidArgument, "invalid set_value_ttl_seconds param"));
  auto check = parse_check(*options);
  if (!check) return wrong_usage(session, check.error());
  for (const auto& spec : {kCheckAndSetOptions[3], kCheckAndSetOptions[4]})
    if (!options->has(spec.letter))
      return wrong_usage(session,
                         Error(Code::kInvalidArgument, std::string(spec.name) + " not provided"));
  client::SortValue row{options->text('s'), options->text('v')};
  echo_check(session.err(), hash_key, *check);
  session.err() << "set_sort_key: \"" << c_escape(row.sort_key, false) << "\"\nset_value: \""
                << c_escape(row.value, false) << "\"\nset_value_ttl_seconds: " << *ttl
                << "\nreturn_check_value: " << (check->return_value ? "true" : "false") << "\n\n";
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  auto expire_ts = *ttl > 0 ? (*table)->expire_after(*ttl) : 0;
  return show_result(session, "Set",
                     session.run((*table)->check_and_set(hash_key, *check, std::move(row),
                                                         expire_ts, session.deadline())));
}

Outcome run_check_and_mutate(Session& session, Words words) {
  auto options = Options::parse(words, kCheckAndMutateOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) return Outcome::kWrongUsage;
  const auto& hash_key = options->rest()[0];
  auto check = parse_check(*options);
  if (!check) return wrong_usage(session, check.error());
  auto table = session.table();
  if (!table) return data_failed(session, table.error());
  session.err() << "Load mutations, like\n  set <sort_key> <value> [ttl]\n  del <sort_key>\n"
                   "Print \"ok\" to finish loading, \"abort\" to abort this command\n";
  auto loaded = load_mutations(session, **table);
  if (!loaded) return data_failed(session, loaded.error());
  if (loaded->aborted) {
    session.err() << "INFO: abort check_and_mutate command\n";
    return Outcome::kDone;
  }
  // A person has seen what was wrong_value; a script has not.
  if (loaded->wrong_lines > 0 && !session.is_attended())
    return data_failed(
        session, Error(Code::kInvalidArgument, "some mutations are invalid; nothing was changed"));
  if (loaded->mutations.empty())
    return wrong_usage(session, Error(Code::kInvalidArgument, "mutations not provided"));
  echo_check(session.err(), hash_key, *check);
  session.err() << "return_check_value: " << (check->return_value ? "true" : "false") << "\n";
  echo_mutations(session.err(), loaded->mutations);
  return show_result(session, "Mutate",
                     session.run((*table)->check_and_mutate(
                         hash_key, *check, std::move(loaded->mutations), session.deadline())));
}

}  // namespace pegmove::shell
