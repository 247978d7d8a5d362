// Writes rows only if they do not exist.
#pragma once

#include "client/bulk_write.h"

namespace pegmove::client {

// Writes the row if it does not exist, as one atomic operation (CHECK_AND_SET with
// CT_VALUE_NOT_EXIST). Returns true when it was written. An expired row counts as absent.
//
// Unlike Table::check_and_set() it is sent again when the outcome is not known: if the first
// attempt took effect, the second one finds its row and changes nothing. Then false is returned
// although this call wrote the row. Rows with an empty hash key go to the partition of their sort
// key. Errors: as Table's. Precondition: the key is a raw key.
Task<bool> put_if_absent(Table& table, RawRow row, Deadline deadline);

}  // namespace pegmove::client
