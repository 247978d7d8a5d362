// The look before work on an open table: whether its servers would answer the requests.
#pragma once

#include "client/table.h"
#include "inspect/table_checks.h"

namespace pegmove::inspect {

// Asks the meta server for the table's app envs. Requests that they deny are not answered, so that
// the work would end with a timeout that does not say why. Read-only. Errors: kRefused: the envs
// deny what is needed, as check_denied() says it; those of the question.
Task<> check_access(client::Table& table, Needs needs, Deadline deadline);

}  // namespace pegmove::inspect
