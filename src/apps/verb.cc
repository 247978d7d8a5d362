#include "apps/verb.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "apps/command.h"

namespace pegmove::apps {

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

Verb* Verb::add_verb(const std::string& name, const std::string& description) {
  auto* parsed = parsed_.add_subcommand(name, description)->fallthrough(false);
  return verbs_.emplace_back(std::make_unique<Verb>(*parsed)).get();
}

void Verb::require_verb() { parsed_.require_subcommand(1); }
void Verb::hide() { parsed_.group(""); }
void Verb::callback(std::function<void()> action) { parsed_.callback(std::move(action)); }

Program::Program(const std::string& name, const std::string& description,
                 const std::string& version)
    : parsed_(std::make_unique<CLI::App>(description)), root_(*parsed_) {
  parsed_->name(name);
  if (!version.empty()) parsed_->set_version_flag("--version", version);
  parsed_->require_subcommand(0, 1);
}

Program::~Program() = default;

std::optional<int> Program::run(int argc, const char* const* argv) {
  try {
    parsed_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parsed_->exit(error) == 0 ? kDone : kUsage;
  }
  if (!root_.has_verbs() || !parsed_->get_subcommands().empty()) return std::nullopt;
  std::fprintf(stderr, "%s: no verb was given\nRun with --help for more information.\n",
               parsed_->get_name().c_str());
  return kUsage;
}

}  // namespace pegmove::apps
