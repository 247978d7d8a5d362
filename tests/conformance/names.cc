#include "names.h"

#include "record/hash.h"

namespace pegmove::conformance {
namespace {

constexpr size_t kLongName = 1000;
constexpr int kFirstNumber = 100'000;  // all have six digits
constexpr int kLastNumber = 999'999;
constexpr size_t kNumberSize = 7;  // and a hyphen

}  // namespace

Names::Names(const std::string& run, size_t case_number, const std::vector<std::string>& together,
             int32_t partition_count)
    : prefix_("conf-" + run + "-" + std::to_string(case_number) + "-") {
  int number = kFirstNumber;
  auto partition = [&](const std::string& name) {
    return record::partition_index(record::key_hash(hash_key(name), ""), partition_count);
  };
  for (const auto& name : together) {
    numbers_.emplace_back(name, std::to_string(number) + "-");
    while (partition(name) != partition(together.front()) && number < kLastNumber)
      numbers_.back().second = std::to_string(++number) + "-";
    ++number;
  }
}

std::string Names::number_of(std::string_view name) const {
  for (const auto& [known, number] : numbers_)
    if (known == name) return number;
  return numbers_.empty() ? std::string() : std::to_string(kLastNumber) + "-";
}

std::string Names::hash_key(std::string_view name) const {
  if (name.empty()) return {};
  if (name.size() > kLongName) return prefix_ + std::string(name.substr(prefix_.size()));
  return prefix_ + number_of(name) + std::string(name);
}

std::string Names::hash_key_prefix(std::string_view pattern) const {
  if (pattern.empty()) return prefix_;
  for (const auto& [name, number] : numbers_)
    if (name.starts_with(pattern)) return prefix_ + number + std::string(pattern);
  return prefix_ + number_of(pattern) + std::string(pattern);
}

client::RowKey Names::key(std::string_view hash_name, std::string_view sort_name) const {
  if (!hash_name.empty()) return {hash_key(hash_name), std::string(sort_name)};
  return {{}, prefix_ + std::string(sort_name)};
}

std::optional<client::RowKey> Names::names_of(const client::RowKey& key) const {
  auto named = key;
  auto& prefixed = key.hash_key.empty() ? named.sort_key : named.hash_key;
  if (!prefixed.starts_with(prefix_)) return std::nullopt;
  if (prefixed.size() <= kLongName)
    prefixed.erase(0,
                   prefix_.size() + (numbers_.empty() || key.hash_key.empty() ? 0 : kNumberSize));
  else
    prefixed.replace(0, prefix_.size(), prefix_.size(), prefixed[prefix_.size()]);
  return named;
}

}  // namespace pegmove::conformance
