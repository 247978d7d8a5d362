// The options of one command, in the manner of getopt_long: "-p 4", "-p4", "--partition 4",
// "--partition=4", flags together ("-dj"), options before or behind other words, "--" to end them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::shell {

// What was typed behind the command's name.
using Words = std::span<const std::string>;

struct OptionSpec {
  char letter;
  std::string_view name;  // the long form; any unambiguous beginning of it does
  bool takes_value = false;
};

class Options {
 public:
  // Errors: kInvalidArgument, naming the option that is unknown, lacks its value or takes none.
  static Result<Options> parse(Words words, std::span<const OptionSpec> specs);

  bool has(char letter) const { return values_.contains(letter); }
  // nullptr when the option was not given; of several, the last.
  const std::string* value(char letter) const;
  // Empty when the option was not given.
  std::string text(char letter) const;
  // Errors: kInvalidArgument, "parse X as NAME failed".
  Result<int32_t> number(char letter, std::string_view name, int32_t otherwise) const;
  // "true" or "false". Errors: kInvalidArgument, "invalid NAME param".
  Result<bool> boolean(char letter, std::string_view name, bool otherwise) const;

  // The words that are no options, in their order.
  const std::vector<std::string>& rest() const { return rest_; }

 private:
  std::map<char, std::string> values_;  // flags have empty values
  std::vector<std::string> rest_;
};

// A whole number as Pegasus's shell reads it: decimal, 0x10 or 010, nothing else around it. nullopt
// for other texts and for what 32 bits don't hold.
std::optional<int32_t> parse_int32(const std::string& text);
// The same for 64 bits.
std::optional<int64_t> parse_int64(const std::string& text);

}  // namespace pegmove::shell
