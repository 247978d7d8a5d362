#include "apps/verb.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "apps/command.h"
#include "apps/near_word.h"

namespace pegmove::apps {
namespace {

// --help of a verb: its description, which begins with an example, and its options. Of the verbs
// below it, it shows one line each: the `description` that the library has of them.
class VerbHelp : public CLI::Formatter {
 public:
  VerbHelp(std::string command, std::string description)
      : command_(std::move(command)), description_(std::move(description)) {
    label("SUBCOMMAND", "VERB");
  }
  std::string make_description(const CLI::App*) const override { return description_ + "\n"; }
  std::string make_subcommand(const CLI::App* verb) const override {
    return fmt::format("  {:<10} {}\n", verb->get_name(), verb->get_description());
  }
  std::string make_footer(const CLI::App* verb) const override {
    if (verb->get_subcommands([](const CLI::App*) { return true; }).empty()) return "";
    return fmt::format("`{} VERB --help` begins with an example and shows all options.\n",
                       command_);
  }

 private:
  std::string command_, description_;
};

// Those that --help shows.
std::vector<std::string> option_names(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const auto* option :
       verb.get_options([](const CLI::Option* option) { return !option->get_group().empty(); })) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    for (const auto& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::vector<std::string> verb_names(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const auto* below :
       verb.get_subcommands([](const CLI::App* below) { return !below->get_group().empty(); }))
    names.push_back(below->get_name());
  return names;
}

}  // namespace

Option* Option::required() {
  parsed_.required();
  return this;
}

Option* Option::group(const std::string& heading) {
  parsed_.group(heading);
  return this;
}

Option* Option::capture_default_str() {
  parsed_.capture_default_str();
  return this;
}

Option* Option::needs(const Option* other) {
  parsed_.needs(&other->parsed_);
  return this;
}

Option* Option::excludes(const Option* other) {
  parsed_.excludes(&other->parsed_);
  return this;
}

Option* Option::repeatable() {
  parsed_.multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  return this;
}

Option* Option::in_whole_range(int64_t least, int64_t most) {
  parsed_.check(CLI::Range(least, most));
  return this;
}

Option* Option::in_range(double least, double most) {
  parsed_.check(CLI::Range(least, most));
  return this;
}

Option* Option::one_of(const std::vector<std::string>& words) {
  parsed_.check(CLI::IsMember(words));
  return this;
}

size_t Option::count() const { return parsed_.count(); }

template <typename Value>
Option* Verb::add_option(const std::string& names, Value& value, const std::string& description) {
  return &options_.emplace_back(*parsed_.add_option(names, value, description));
}

template Option* Verb::add_option(const std::string&, std::string&, const std::string&);
template Option* Verb::add_option(const std::string&, int32_t&, const std::string&);
template Option* Verb::add_option(const std::string&, int64_t&, const std::string&);
template Option* Verb::add_option(const std::string&, size_t&, const std::string&);
template Option* Verb::add_option(const std::string&, double&, const std::string&);
template Option* Verb::add_option(const std::string&, std::optional<std::string>&,
                                  const std::string&);
template Option* Verb::add_option(const std::string&, std::optional<int32_t>&, const std::string&);
template Option* Verb::add_option(const std::string&, std::optional<int64_t>&, const std::string&);
template Option* Verb::add_option(const std::string&, std::optional<size_t>&, const std::string&);
template Option* Verb::add_option(const std::string&, std::optional<double>&, const std::string&);
template Option* Verb::add_option(const std::string&, std::vector<std::string>&,
                                  const std::string&);
template Option* Verb::add_option(const std::string&, std::vector<int32_t>&, const std::string&);

Option* Verb::add_flag(const std::string& names, bool& value, const std::string& description) {
  return &options_.emplace_back(*parsed_.add_flag(names, value, description));
}

Verb::Verb(CLI::App& parsed, std::string command, const std::string& description)
    : parsed_(parsed), command_(std::move(command)) {
  parsed_.formatter(std::make_shared<VerbHelp>(command_, description));
}

Verb* Verb::add_verb(const std::string& name, const std::string& description) {
  parsed_.require_subcommand(1);
  auto* below = parsed_.add_subcommand(name)->fallthrough(false)->group("");
  auto verb = std::make_unique<Verb>(*below, fmt::format("{} {}", command_, name), description);
  return verbs_.emplace_back(std::move(verb)).get();
}

Verb* Verb::add_optional_verb(const std::string& name, const std::string& description) {
  auto* verb = add_verb(name, description);
  parsed_.require_subcommand(0, 1);
  return verb;
}

void Verb::list_under(const std::string& heading, const std::string& line) {
  parsed_.group(heading)->description(line);
}

void Verb::was_named(const std::string& old_name, const std::string& option) {
  old_names_[old_name] = option;
}

void Verb::callback(std::function<void()> action) {
  parsed_.callback([this, action = std::move(action)] {
    if (parsed_.get_subcommands().empty()) action();
  });
}

const Verb& Verb::given() const {
  for (const auto& verb : verbs_)
    if (verb->parsed_.parsed()) return verb->given();
  return *this;
}

std::string Verb::unknown_option(const std::string& word) const {
  const auto option = word.substr(0, word.find('='));
  if (const auto old = old_names_.find(option); old != old_names_.end())
    return fmt::format("{} is named {} now", option, old->second);
  auto text = fmt::format("unknown option {}", option);
  if (const auto near = near_word(option, option_names(parsed_)); !near.empty())
    return text + fmt::format("; did you mean {}?", near);
  return has_verbs() ? text + "; options follow the verb" : text;
}

std::string Verb::unknown_verb(const std::string& word) const {
  auto text = fmt::format("unknown verb '{}'", word);
  if (const auto near = near_word(word, verb_names(parsed_)); !near.empty())
    text += fmt::format("; did you mean {}?", near);
  return text;
}

std::string Verb::unexpected(const std::string& word) const {
  const auto text = fmt::format("unexpected argument '{}'", word);
  const auto old = old_names_.find("");
  return old == old_names_.end() ? text : fmt::format("{}; write {} {}", text, old->second, word);
}

std::optional<std::string> Verb::unknown_word() const {
  if (const auto unknown = parsed_.remaining(); !unknown.empty()) {
    const auto& word = unknown.front();
    if (word.size() > 1 && word.starts_with('-')) return unknown_option(word);
    return has_verbs() ? unknown_verb(word) : unexpected(word);
  }
  for (const auto& verb : verbs_)
    if (auto text = verb->unknown_word()) return text;
  return std::nullopt;
}

Program::Program(const std::string& name, const std::string& description,
                 const std::string& version)
    : parsed_(std::make_unique<CLI::App>("", name)), root_(*parsed_, name, description) {
  if (!version.empty()) parsed_->set_version_flag("--version", version, "show the version");
}

Program::~Program() = default;

int Program::wrong_usage(const std::string& otherwise) const {
  const auto& verb = root_.given();
  const auto text = root_.unknown_word().value_or(otherwise);
  std::fprintf(stderr, "%s: %s\n`%s --help` lists its %s\n", root_.command().c_str(), text.c_str(),
               verb.command().c_str(), verb.has_verbs() ? "verbs" : "options");
  return kUsage;
}

std::optional<int> Program::run(int argc, const char* const* argv) {
  try {
    parsed_->parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    parsed_->exit(asked);
    return kDone;
  } catch (const CLI::RequiredError& error) {
    return wrong_usage(root_.given().has_verbs() ? "no verb was given" : error.what());
  } catch (const CLI::ParseError& error) {
    return wrong_usage(error.what());
  }
  return std::nullopt;
}

}  // namespace pegmove::apps
