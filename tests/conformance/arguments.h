// The arguments of a step, read by name. What is missing has a default; what cannot be read, and
// what nobody asked for, is the error of check().
#pragma once

#include <set>

#include "case_text.h"
#include "names.h"

namespace pegmove::conformance {

struct FilterArgument {
  int type = 0;
  std::string pattern;
};

class Arguments {
 public:
  // `now` in seconds since 2016. Both must outlive this.
  Arguments(const Step& step, const Names& names, uint32_t now)
      : step_(step), names_(names), now_(now) {}

  bool has(const std::string& name) { return value(name) != nullptr; }
  std::string bytes(const std::string& name);
  int64_t number(const std::string& name, int64_t otherwise);
  bool flag(const std::string& name, bool otherwise = false);
  std::string hash_key(const std::string& name) { return names_.hash_key(bytes(name)); }
  // h:s
  client::RowKey key(const std::string& name) { return key_of(name, value(name)); }
  std::vector<client::RowKey> keys(const std::string& name);
  // [a, b] or a:b
  std::vector<std::string> byte_list(const std::string& name);
  // [s:v, ...]
  std::vector<client::SortValue> rows(const std::string& name);
  // A number, now+5, now-5.
  uint32_t expiry(const std::string& name) { return expiry_of(value(name)); }
  // prefix:"p", or 9:"p". With `hash_key` the pattern of a prefix is a name.
  FilterArgument filter(const std::string& name, bool hash_key = false);
  // h:s, or the raw bytes.
  std::string raw_key(const std::string& name);
  // put:s:v, put:s:v:now+5, delete:s, 7:s
  std::vector<client::Mutation> mutations(const std::string& name);
  // One of the words, or its number.
  int64_t choice(const std::string& name, const std::vector<std::string_view>& words);

  const Names& names() const { return names_; }
  uint32_t now() const { return now_; }
  Result<void> check();

 private:
  const Value* value(const std::string& name);
  client::RowKey key_of(const std::string& name, const Value* value);
  uint32_t expiry_of(const Value* value);
  int64_t choice_of(const std::string& word, const std::vector<std::string_view>& words);
  void wrong(const std::string& what);

  const Step& step_;
  const Names& names_;
  uint32_t now_;
  std::set<std::string> asked_for_;
  std::string wrong_;
};

}  // namespace pegmove::conformance
