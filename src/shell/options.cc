#include "shell/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <limits>

namespace pegmove::shell {
namespace {

std::unexpected<Error> wrong(std::string message) {
  return fail(Code::kInvalidArgument, std::move(message));
}

Result<const OptionSpec*> find_long(std::string_view name, std::span<const OptionSpec> specs) {
  const OptionSpec* found = nullptr;
  for (const auto& spec : specs) {
    if (spec.name == name) return &spec;
    if (!spec.name.starts_with(name)) continue;
    if (found) return wrong(fmt::format("option '--{}' is ambiguous", name));
    found = &spec;
  }
  if (!found) return wrong(fmt::format("unknown option '--{}'", name));
  return found;
}

Result<const OptionSpec*> find_short(char letter, std::span<const OptionSpec> specs) {
  auto found = std::ranges::find(specs, letter, &OptionSpec::letter);
  if (found == specs.end()) return wrong(fmt::format("unknown option '-{}'", letter));
  return &*found;
}

// Walks along the words; the next one is an option's value when the option has none in its own.
class Parser {
 public:
  Parser(Words words, std::span<const OptionSpec> specs) : words_(words), specs_(specs) {}

  Result<void> run(std::map<char, std::string>& values, std::vector<std::string>& rest) {
    while (next_ < words_.size()) {
      std::string_view word = words_[next_++];
      if (word == "--") {
        rest.insert(rest.end(), words_.begin() + ptrdiff_t(next_), words_.end());
        break;
      }
      if (word.starts_with("--"))
        TRY(take_long(word.substr(2), values));
      else if (word.size() > 1 && word.front() == '-')
        TRY(take_short(word.substr(1), values));
      else
        rest.emplace_back(word);
    }
    return {};
  }

 private:
  Result<void> take_long(std::string_view word, std::map<char, std::string>& values) {
    auto name = word.substr(0, word.find('='));
    const auto* spec = TRY(find_long(name, specs_));
    bool has_value = name.size() < word.size();
    if (!spec->takes_value) {
      if (has_value) return wrong(fmt::format("option '--{}' takes no value", name));
      values[spec->letter];
      return {};
    }
    values[spec->letter] = has_value ? std::string(word.substr(name.size() + 1))
                                     : TRY(next_word("--" + std::string(name)));
    return {};
  }

  Result<void> take_short(std::string_view letters, std::map<char, std::string>& values) {
    for (; !letters.empty(); letters.remove_prefix(1)) {
      const auto* spec = TRY(find_short(letters.front(), specs_));
      if (!spec->takes_value) {
        values[spec->letter];
        continue;
      }
      values[spec->letter] = letters.size() > 1 ? std::string(letters.substr(1))
                                                : TRY(next_word(std::string("-") + spec->letter));
      return {};
    }
    return {};
  }

  Result<std::string> next_word(const std::string& option) {
    if (next_ == words_.size()) return wrong(fmt::format("option '{}' needs a value", option));
    return words_[next_++];
  }

  Words words_;
  std::span<const OptionSpec> specs_;
  size_t next_ = 0;
};

}  // namespace

Result<Options> Options::parse(Words words, std::span<const OptionSpec> specs) {
  Options options;
  TRY(Parser(words, specs).run(options.values_, options.rest_));
  return options;
}

const std::string* Options::value(char letter) const {
  auto found = values_.find(letter);
  return found == values_.end() ? nullptr : &found->second;
}

std::string Options::text(char letter) const {
  const auto* found = value(letter);
  return found ? *found : std::string();
}

Result<int32_t> Options::number(char letter, std::string_view name, int32_t otherwise) const {
  const auto* text = value(letter);
  if (!text) return otherwise;
  auto number = parse_int32(*text);
  if (!number) return wrong(fmt::format("parse {} as {} failed", *text, name));
  return *number;
}

Result<bool> Options::boolean(char letter, std::string_view name, bool otherwise) const {
  const auto* text = value(letter);
  if (!text) return otherwise;
  if (*text != "true" && *text != "false") return wrong(fmt::format("invalid {} param", name));
  return *text == "true";
}

std::optional<int64_t> parse_int64(const std::string& text) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text.front()))) return std::nullopt;
  errno = 0;
  char* end = nullptr;
  auto number = std::strtoll(text.c_str(), &end, 0);
  if (errno != 0 || end != text.c_str() + text.size()) return std::nullopt;
  return number;
}

std::optional<int32_t> parse_int32(const std::string& text) {
  auto number = parse_int64(text);
  if (!number || *number < std::numeric_limits<int32_t>::min() ||
      *number > std::numeric_limits<int32_t>::max())
    return std::nullopt;
  return int32_t(*number);
}

}  // namespace pegmove::shell
