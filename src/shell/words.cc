#include "shell/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "base/text.h"

namespace pegmove::shell {
namespace {

// As isspace() in the C locale.
constexpr std::string_view kBlanks = " \t\n\v\f\r";
// What ends a word outside of quotes. Fewer than kBlanks: so it is in the original.
constexpr std::string_view kWordEnds = " \t\n\r";

bool is_one_of(char byte, std::string_view set) { return set.find(byte) != std::string_view::npos; }

std::string_view trimmed(std::string_view text) {
  size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

void append_hex(char byte, std::string& out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  out += "\\x";
  out += kDigits[uint8_t(byte) >> 4];
  out += kDigits[uint8_t(byte) & 15];
}

// Appends the byte that the two digits at the beginning of `digits` spell; false if they are none.
bool take_hex_byte(std::string_view digits, std::string& out) {
  auto byte = base::from_hex(digits.substr(0, 2));
  if (!byte || byte->size() != 1) return false;
  out += *byte;
  return true;
}

char control_character(char letter) {
  switch (letter) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return letter;
  }
}

// The length of the escape at the beginning of `text`, which stands between quotes of the kind
// `quote`; 0 if there is none. Appends what it stands for.
size_t take_quoted_escape(std::string_view text, char quote, std::string& out) {
  if (text.size() < 2 || text[0] != '\\') return 0;
  if (quote == '\'') {
    if (text[1] != '\'') return 0;
    out += '\'';
    return 2;
  }
  if (text[1] == 'x' && take_hex_byte(text.substr(2), out)) return 4;
  out += control_character(text[1]);
  return 2;
}

// Appends the text between quotes to `word`. `rest` begins behind the opening quote and is left
// behind the closing one. False when there is no closing one.
bool take_quoted(std::string_view& rest, char quote, std::string& word) {
  while (!rest.empty()) {
    if (size_t length = take_quoted_escape(rest, quote, word); length > 0) {
      rest.remove_prefix(length);
      continue;
    }
    char byte = rest.front();
    rest.remove_prefix(1);
    if (byte == quote) return true;
    word += byte;
  }
  return false;
}

bool is_quote(char byte) { return byte == '"' || byte == '\''; }

// Takes the word at the beginning of `rest`, which is not empty. False when it is malformed.
bool take_word(std::string_view& rest, std::string& word) {
  while (!rest.empty() && !is_one_of(rest.front(), kWordEnds)) {
    char byte = rest.front();
    rest.remove_prefix(1);
    if (is_quote(byte))
      return take_quoted(rest, byte, word) && (rest.empty() || is_one_of(rest.front(), kBlanks));
    word += byte;
  }
  return true;
}

// Where the command at the beginning of `line` ends: at a ";" outside of quotes.
size_t find_command_end(std::string_view line) {
  size_t at = 0;
  std::string ignored;
  while (at < line.size() && line[at] != ';') {
    char byte = line[at++];
    if (!is_quote(byte)) continue;
    std::string_view rest = line.substr(at);
    ignored.clear();
    take_quoted(rest, byte, ignored);
    at = line.size() - rest.size();
  }
  return at;
}

// Takes the first line, and the line end behind it.
std::string_view take_line(std::string_view& script) {
  const auto line = script.substr(0, script.find('\n'));
  script.remove_prefix(std::min(line.size() + 1, script.size()));
  return line;
}

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  for (;;) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (line.empty()) return words;
    if (!take_word(line, words.emplace_back()))
      return fail(Code::kInvalidArgument, "Invalid argument(s)");
  }
}

std::string c_escape(std::string_view bytes, bool all) {
  std::string text;
  text.reserve(all ? bytes.size() * 4 : bytes.size());
  for (char byte : bytes) {
    if (all) {
      append_hex(byte, text);
      continue;
    }
    switch (byte) {
      case '\n': text += "\\n"; break;
      case '\r': text += "\\r"; break;
      case '\t': text += "\\t"; break;
      case '"':
      case '\'':
      case '\\':
        text += '\\';
        text += byte;
        break;
      default:
        if (byte >= ' ' && byte <= '~') {
          text += byte;
        } else {
          append_hex(byte, text);
        }
    }
  }
  return text;
}

Result<std::string> c_unescape(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    char letter = i + 1 < text.size() ? text[i + 1] : '\0';
    bool is_hex = letter == 'x' || letter == 'X';
    if (is_hex && take_hex_byte(text.substr(i + 2), bytes)) {
      i += 3;
    } else if (letter != '\0' && is_one_of(letter, "nrt\"'\\")) {
      bytes += control_character(letter);
      i += 1;
    } else {
      return fail(
          Code::kInvalidArgument,
          fmt::format("unknown escape \"{}\" at byte {} of \"{}\": known are \\n \\r \\t \\\" \\' "
                      "\\\\ \\xHH",
                      base::printable(text.substr(i, is_hex ? 4 : 2)), i, base::printable(text)));
    }
  }
  return bytes;
}

std::vector<ScriptCommand> split_commands(std::string_view script) {
  std::vector<ScriptCommand> commands;
  script = base::without_byte_order_mark(script);
  for (int number = 1; !script.empty(); ++number) {
    auto line = trimmed(take_line(script));
    while (!line.empty() && line.front() != '#') {
      const auto end = find_command_end(line);
      if (const auto command = trimmed(line.substr(0, end)); !command.empty())
        commands.push_back({std::string(command), number});
      line = trimmed(line.substr(std::min(end + 1, line.size())));
    }
  }
  return commands;
}

}  // namespace pegmove::shell
