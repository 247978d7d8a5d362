// Hash keys of one case: what is "h" in the text is "conf-RUN-CASE-h" in the table, so that no case
// meets the rows of another, of another run, or of somebody else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/operations.h"

namespace pegmove::conformance {

class Names {
 public:
  // `together` fall into one partition of a table of `partition_count`, and hash keys of one length
  // keep the order of the list: each gets a number of its own in front. (A CRC tells keys of one
  // length apart in the same way whatever all of them begin with.)
  Names(const std::string& run, size_t case_number, const std::vector<std::string>& together,
        int32_t partition_count);

  // An empty hash key stays empty: then the sort key gets the prefix, and decides the partition. A
  // hash key of more than 1000 bytes, which must be all the same, keeps its size: the prefix
  // replaces its beginning.
  std::string hash_key(std::string_view name) const;
  client::RowKey key(std::string_view hash_name, std::string_view sort_name) const;
  // What the hash keys begin with whose names begin so.
  std::string hash_key_prefix(std::string_view pattern) const;

  // Back to the names; nullopt: a row of somebody else.
  std::optional<client::RowKey> names_of(const client::RowKey& key) const;

 private:
  std::string number_of(std::string_view name) const;

  std::string prefix_;
  std::vector<std::pair<std::string, std::string>> numbers_;  // by name
};

}  // namespace pegmove::conformance
