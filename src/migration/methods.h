// All methods, by their names in the journal.
#pragma once

#include "migration/ports.h"
#include "runs/work.h"

namespace pegmove::migration {

// The ports must outlive the registry and the works that it creates.
runs::Registry methods(const Ports& ports);

}  // namespace pegmove::migration
