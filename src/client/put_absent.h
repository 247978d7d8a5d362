// Writing rows only where none stands.
#pragma once

#include "client/bulk_write.h"

namespace pegmove::client {

// Writes the row if nothing stands in its place, in one step of the server (CHECK_AND_SET with
// CT_VALUE_NOT_EXIST). True: it was written. An expired row counts as absent.
//
// Unlike Table::check_and_set() it is sent again when the outcome is not known: a first attempt
// that took effect is what the second one finds, and nothing changes. Then false is returned
// although the row was written by this call. Rows with an empty hash key go to the partition of
// their sort key. Errors: as Table's. Precondition: the key is a raw key.
Task<bool> put_if_absent(Table& table, RawRow row, Deadline deadline);

}  // namespace pegmove::client
