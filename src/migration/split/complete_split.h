// Finds out what is not known when a split begins: which backup, and the table that will be loaded.
#pragma once

#include "migration/ports.h"
#include "migration/split/split.h"

namespace pegmove::migration {

// Fills in what is 0 in the request: the place of the backup, the partition counts, the app id, the
// data version, and whether the target's servers are old. Values that are given must be those of
// the cluster. Errors: kNotFound, kInvalidArgument, naming the option that helps; those of the
// store.
Task<> complete_split(const Ports& ports, SplitQuestions questions, SplitRequest& request);

}  // namespace pegmove::migration
