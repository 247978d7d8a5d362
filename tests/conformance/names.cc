#include "names.h"

#include <algorithm>

#include "record/hash.h"

namespace pegmove::conformance {
namespace {

constexpr size_t kLongName = 1000;
constexpr int kMostSalts = 1'000'000;

}  // namespace

Names::Names(const std::string& run, size_t case_number, const std::vector<std::string>& salted,
             int32_t partition_count) {
  auto stem = "conf-" + run + "-" + std::to_string(case_number) + "-";
  prefix_ = stem;
  auto partition = [&](const std::string& name) {
    return record::partition_index(record::key_hash(hash_key(name), ""), partition_count);
  };
  for (int salt = 0; salt < kMostSalts && !salted.empty(); ++salt) {
    prefix_ = stem + std::to_string(salt) + "-";
    if (std::ranges::all_of(salted, [&](const auto& name) {
          return partition(name) == partition(salted.front());
        }))
      return;
  }
}

std::string Names::hash_key(std::string_view name) const {
  if (name.empty()) return {};
  if (name.size() <= kLongName) return prefix_ + std::string(name);
  return prefix_ + std::string(name.substr(prefix_.size()));
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
    prefixed.erase(0, prefix_.size());
  else
    prefixed.replace(0, prefix_.size(), prefix_.size(), prefixed[prefix_.size()]);
  return named;
}

}  // namespace pegmove::conformance
