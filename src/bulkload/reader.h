// Reads a set of bulk-load files in a block store.
#pragma once

#include <string>
#include <vector>

#include "blockstore/async_store.h"
#include "bulkload/layout.h"
#include "bulkload/metadata.h"

namespace pegmove::bulkload {

// Both run on the caller's executor. Errors: the store's; kNotFound and kCorrupt name the file.
Task<Info> read_info(const blockstore::AsyncStore& store, Place place);
Task<Metadata> read_metadata(const blockstore::AsyncStore& store, Place place, int32_t partition);

}  // namespace pegmove::bulkload
