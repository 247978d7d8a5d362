// The text in which cases are written: cases/*.cases.
//
//   # A comment.
//   case overwrite
//     put key=h:s value=v1                    -> 0
//     get key=h:s                             -> 0 value=v1
//   case bad_key (embedded only)
//     get key="\x00" -> 4
//
// A step is an operation, its arguments, and behind the arrow the status number (or the name of an
// RPC-level error) and the fields of the answer that are looked at; without an arrow: 0. A line
// that ends in \ goes on in the next. An argument without a value means true.
//
// Values: v, "v\x00\n\"", "v"*3000, "a"*3+"b", h:s (a tuple), [a, b:1] (a list). In a list
// k{0..12}:v stands for k00:v, k01:v, ..., k12:v.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace pegmove::conformance {

struct Value {
  enum class Kind { kText, kTuple, kList };
  Kind kind = Kind::kText;
  std::string text{};          // kText: bytes, a number, a word
  bool quoted = false;         // kText
  std::vector<Value> items{};  // kTuple, kList

  static Value of(std::string text, bool quoted = true);
  static Value tuple(std::vector<Value> items);
  static Value list(std::vector<Value> items);

  bool operator==(const Value& other) const;  // whether it was quoted makes no difference
  // As it would be written; long texts are shortened.
  std::string to_string() const;
};

using Fields = std::vector<std::pair<std::string, Value>>;
// nullptr: not there.
const Value* find(const Fields& fields, std::string_view name);

struct Step {
  std::string operation;
  Fields arguments;
  std::string status = "0";
  Fields expected;
  std::string place;  // "file:line"
};

struct Case {
  std::string name;
  bool embedded_only = false;   // has inputs on which real servers abort
  bool default_limits = false;  // only with the limits of Pegasus's default configuration
  // Hash keys that must fall into one partition; those of one length in their order.
  std::vector<std::string> one_partition{};
  std::vector<Step> steps{};
};

// Errors: kInvalidArgument, with "file:line" in front.
Result<std::vector<Case>> parse_cases(std::string_view file, std::string_view text);

}  // namespace pegmove::conformance
