// JSON from and to text, for nlohmann::json and nlohmann::ordered_json. Compiled once: a source
// that calls the library's parse() or dump() compiles its parser, or its number printer, again.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace pegmove::base {

// Text that is not JSON gives `discarded`, which is not an object (JsonFieldsOf::of() returns an
// error for it).
template <typename Json>
Json parse_json(std::string_view text);

enum class NoUtf8 { kThrow, kReplace };  // for bytes in a text that are not UTF-8

// indent: blanks for each level, a line for each value; -1: all in one line.
template <typename Json>
std::string json_text(const Json& json, int indent = -1, NoUtf8 no_utf8 = NoUtf8::kThrow);

extern template nlohmann::json parse_json(std::string_view);
extern template nlohmann::ordered_json parse_json(std::string_view);
extern template std::string json_text(const nlohmann::json&, int, NoUtf8);
extern template std::string json_text(const nlohmann::ordered_json&, int, NoUtf8);

}  // namespace pegmove::base
