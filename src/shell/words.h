// What a person types into the shell: words, escapes, and several commands in one text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::shell {

// Splits one command line into words by the rules of Pegasus's shell (src/shell/sds,
// sdssplitargs):
// - Blanks separate words. An empty line has none.
// - In double quotes \xHH is a byte, \n \r \t \b \a are control characters, and a backslash before
//   anything else stands for that character. In single quotes only \' is an escape. Outside of
//   quotes a backslash is an ordinary character.
// - Quotes may begin inside a word: a"b c" is the word `ab c`. A closing quote ends the word.
// - A NUL byte is an ordinary character.
// Errors: kInvalidArgument, "Invalid argument(s)", when a quote is not closed or a closing quote is
// not followed by a blank or the end.
Result<std::vector<std::string>> split_words(std::string_view line);

// As the shell prints flags.
inline const char* text_of(bool value) { return value ? "true" : "false"; }

// The bytes as the shell prints keys and values (Pegasus: src/base/pegasus_utils.cpp,
// c_escape_string): \n \r \t \" \' \\ and \xHH (upper case) for other bytes outside 0x20-0x7E. With
// `all`, every byte becomes \xHH. No quotes are put around.
std::string c_escape(std::string_view bytes, bool all);

// The reverse: understands \n \r \t \" \' \\ and \xHH or \XHH; every other byte stands for itself.
// Pegasus's shell aborts on the rest, and on bytes outside 0x20-0x7E; the latter are accepted here.
// Errors: kInvalidArgument for an unknown escape, naming it and its place.
Result<std::string> c_unescape(std::string_view text);

struct ScriptCommand {
  std::string text;
  int line = 0;  // of the script, counted from 1

  bool operator==(const ScriptCommand&) const = default;
};

// Cuts a script into command lines, each for split_words. Commands end at the end of their line, as
// typed ones do, or before that at ";" outside of quotes, which are recognized as split_words does.
// A command that begins with "#" is a comment: it takes the rest of its line. Blanks around
// commands, empty commands and a byte order mark at the beginning are dropped. A quote that is not
// closed takes the rest of its line, which split_words then refuses.
std::vector<ScriptCommand> split_commands(std::string_view script);

}  // namespace pegmove::shell
