// What a split that begins does not say: which backup, and what the table is that will be loaded.
#pragma once

#include "migration/ports.h"
#include "migration/split/split.h"

namespace pegmove::migration {

// Fills in what is 0 in the request: the place of the backup, the partition counts, the app id, the
// data version, and whether the target's servers are old. What is given must be what the cluster
// says. Errors: kNotFound, kInvalidArgument, naming the option that helps; those of the store.
Task<> complete_split(const Ports& ports, SplitQuestions questions, SplitRequest& request);

}  // namespace pegmove::migration
