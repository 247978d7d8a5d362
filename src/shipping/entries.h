// The entries of DUPLICATE requests: where their keys belong, and requests made of them.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/duplicate_messages.h"
#include "wire/rpc_code.h"

namespace pegmove::shipping {

struct ShippedEntry {
  wire::DuplicateEntryView view;
  uint64_t hash = 0;  // of its key: decides the partition
};

// The hash of the key of a PUT, MULTI_PUT, REMOVE or MULTI_REMOVE, by the request's body. Nothing:
// another code, or the body does not decode.
std::optional<uint64_t> key_hash_of(wire::RpcCode code, std::string_view body);

// The entries of each partition of a table with `partition_count` of them, in their order.
// Precondition: the count is positive.
//
// A server checks one hash for a request of many entries. So who does not know at each moment
// whether the table is being split sends entries apart that a split would part: by_target() of
// twice the count, each request to the partition `index % count`. Then each is right as a whole, or
// refused, before a split and after it.
std::map<int32_t, std::vector<ShippedEntry>> by_target(std::span<const ShippedEntry> entries,
                                                       int32_t partition_count);

// How many of the first entries fit into a request body of `most_bytes`: at least 1. Precondition:
// not empty.
size_t entries_that_fit(std::span<const ShippedEntry> entries, size_t most_bytes);

// The size of the body of a DUPLICATE request, at most, and the body.
size_t duplicate_body_bytes(std::span<const ShippedEntry> entries);
std::string duplicate_body(std::span<const ShippedEntry> entries,
                           const std::optional<wire::DuplicateSource>& source);

}  // namespace pegmove::shipping
