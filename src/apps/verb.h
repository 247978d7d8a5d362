// The program's verbs and their options, as the files *_command.cc declare them. verb.cc alone sees
// the library that parses them (CLI11): a source that includes it takes ten seconds to compile.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
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

// A verb, or the program itself, with its options and further verbs. Variables that options fill
// must outlive the parsing.
class Verb {
 public:
  explicit Verb(CLI::App& parsed) : parsed_(parsed) {}

  // `names`: "--option" or a word alone, which takes the value by its place. Value: std::string,
  // int32_t, int64_t, double, optionals of them, or lists of strings and int32_t.
  template <typename Value>
  Option* add_option(const std::string& names, Value& value, const std::string& description = "");
  Option* add_flag(const std::string& names, bool& value, const std::string& description = "");
  // A further verb. The description begins with an example.
  Verb* add_verb(const std::string& name, const std::string& description);
  // One of the further verbs must be given.
  void require_verb();
  bool has_verbs() const { return !verbs_.empty(); }
  // Does not show it in --help of the program.
  void hide();
  // What the verb does, once its words are parsed.
  void callback(std::function<void()> action);

 private:
  CLI::App& parsed_;
  std::deque<Option> options_;
  std::vector<std::unique_ptr<Verb>> verbs_;
};

class Program {
 public:
  Program(const std::string& name, const std::string& description, const std::string& version = "");
  ~Program();

  // Its own options, and its verbs.
  Verb& root() { return root_; }
  // Parses the words and runs the verb that they name; nullopt when that has been done. Otherwise
  // the exit code: kDone after --help or --version, kUsage after saying on stderr what is wrong.
  std::optional<int> run(int argc, const char* const* argv);

 private:
  std::unique_ptr<CLI::App> parsed_;
  Verb root_;
};

}  // namespace pegmove::apps
