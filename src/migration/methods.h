// All methods, by their names in the journal.
#pragma once

#include "migration/ports.h"
#include "runs/work.h"

namespace pegmove::migration {

// The ports outlive the registry and what it makes.
runs::Registry methods(const Ports& ports);

}  // namespace pegmove::migration
