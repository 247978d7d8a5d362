#include "bulkload/reader.h"

namespace pegmove::bulkload {

using blockstore::AsyncStore;

Task<Info> read_info(const AsyncStore& store, Place place) {
  const auto path = place.info_file();
  const auto text = CO_TRY(co_await store.read_file(path, kMostMetadataBytes));
  co_return in_context(decode_info(text), path);
}

Task<Metadata> read_metadata(const AsyncStore& store, Place place, int32_t partition) {
  const auto path = place.metadata_file(partition);
  const auto text = CO_TRY(co_await store.read_file(path, kMostMetadataBytes));
  co_return in_context(decode_metadata(text), path);
}

}  // namespace pegmove::bulkload
