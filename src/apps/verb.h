// The program's verbs and their options, as the files *_command.cc declare them. verb.cc alone sees
// the library that parses them (CLI11): a source that includes it takes ten seconds to compile.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace pegmove::apps {

// An option or a flag of a verb, which owns it. Calls return the option itself, for the next call.
class Option {
 public:
  explicit Option(CLI::Option& parsed) : parsed_(parsed) {}

  Option* required();
  // The heading in --help that it is shown under; empty: it is not shown.
  Option* group(const std::string& heading);
  // --help shows the value that the variable has now.
  Option* capture_default_str();
  // It may only be given with, or without, the other one.
  Option* needs(const Option* other);
  Option* excludes(const Option* other);
  // For a list: it may be given several times, each time with one value.
  Option* repeatable();
  // What a value must be; anything else is a usage error.
  template <std::integral Least, std::integral Most>
  Option* in_range(Least least, Most most) {
    return in_whole_range(least, most);
  }
  Option* in_range(double least, double most);
  Option* one_of(const std::vector<std::string>& words);

  // How often it was given.
  size_t count() const;

 private:
  Option* in_whole_range(int64_t least, int64_t most);

  CLI::Option& parsed_;
};

// A verb, or the program itself, with its options and further verbs, of which one must be given
// when there are any. Variables that options fill must outlive the parsing.
class Verb {
 public:
  // `command`: what is typed for it, "pegmove backups ls". --help shows `description`.
  Verb(CLI::App& parsed, std::string command, const std::string& description);

  // `names`: "--option" or a word alone, which takes the value by its place. Value: std::string,
  // int32_t, int64_t, double, optionals of them, or lists of strings and int32_t.
  template <typename Value>
  Option* add_option(const std::string& names, Value& value, const std::string& description = "");
  Option* add_flag(const std::string& names, bool& value, const std::string& description = "");
  // A further verb. The description begins with an example.
  Verb* add_verb(const std::string& name, const std::string& description);
  // The same, for a verb that means something without a further one, too: then its callback runs.
  // Its own options may not be required ones.
  Verb* add_optional_verb(const std::string& name, const std::string& description);
  // Shows it in --help of what it belongs to, below this heading, with one line of what it does.
  // Without a call it is not shown there.
  void list_under(const std::string& heading, const std::string& line);
  // An option has had another name, "--old", or its value was given by its place ("" then): whoever
  // uses that gets a usage error that names the option.
  void was_named(const std::string& old_name, const std::string& option);
  // What the verb does, once its words are parsed. Not when a further verb was given.
  void callback(std::function<void()> action);

  // For Program, after the parsing: what is wrong with the first word that is not known, and what
  // it may have been meant to be; nullopt: all are known.
  std::optional<std::string> unknown_word() const;
  // The verb that the words name.
  const Verb& given() const;
  bool has_verbs() const { return !verbs_.empty(); }
  const std::string& command() const { return command_; }

 private:
  std::string unknown_option(const std::string& word) const;
  std::string unknown_verb(const std::string& word) const;
  std::string unexpected(const std::string& word) const;

  CLI::App& parsed_;
  std::string command_;
  std::deque<Option> options_;
  std::vector<std::unique_ptr<Verb>> verbs_;
  std::map<std::string, std::string> old_names_;  // to the option
};

class Program {
 public:
  Program(const std::string& name, const std::string& description, const std::string& version = "");
  ~Program();

  // Its own options, and its verbs.
  Verb& root() { return root_; }
  // Parses the words and runs the verb that they name; nullopt when that has been done. Otherwise
  // the exit code: kDone after --help or --version, kUsage after saying on stderr what is wrong and
  // where to read more.
  std::optional<int> run(int argc, const char* const* argv);

 private:
  int wrong_usage(const std::string& otherwise) const;

  std::unique_ptr<CLI::App> parsed_;
  Verb root_;
};

}  // namespace pegmove::apps
