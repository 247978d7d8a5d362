// What an operator wants compactions to do with certain rows: table env user_specified_compaction.
// Pegasus: src/server/compaction_operation.cpp, compaction_filter_rule.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace pegmove::store {

struct RowFacts {
  std::string_view hash_key;
  std::string_view sort_key;
  uint32_t expire_ts = 0;
};

struct CompactionRule;
struct CompactionOperation;

// The operations of the env, in their order. Immutable, so safe from any thread.
class CompactionRules {
 public:
  CompactionRules();  // none
  ~CompactionRules();
  CompactionRules(CompactionRules&&) noexcept;
  CompactionRules& operator=(CompactionRules&&) noexcept;

  // {"ops":[{"type":"COT_DELETE"|"COT_UPDATE_TTL","params":"<json>","rules":[{"type":
  // "FRT_HASHKEY_PATTERN"|"FRT_SORTKEY_PATTERN"|"FRT_TTL_RANGE","params":"<json>"}]}]}
  // As in Pegasus, bad text is no operations, and an operation without a good rule is left out.
  static CompactionRules parse(std::string_view json);

  struct Verdict {
    bool drop = false;
    uint32_t expire_ts = 0;  // what the row has from now on
  };
  // `now` in Pegasus seconds. An operation sees the expiry that those before it gave.
  Verdict apply(RowFacts row, uint32_t now) const;
  bool empty() const { return operations_.empty(); }

 private:
  std::vector<CompactionOperation> operations_;
};

}  // namespace pegmove::store
