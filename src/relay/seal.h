// The seal of a duplication's relays: from then on they take nothing from the source, and once all
// say so with nothing in flight, the target gets no more writes from it.
#pragma once

#include <functional>
#include <string>

#include "net/address.h"
#include "routes/nodes.h"

namespace pegmove::relay {

// GET /relay of the relay at an address: its JSON.
using AskRelay = std::function<Task<std::string>(net::HostPort relay, Deadline deadline)>;

struct SealReport {
  int32_t partitions = 0;  // of the source: all are sealed, and nothing is in flight
  int32_t relays = 0;      // that own them
};

// Writes the seal (a node in ZooKeeper, which outlasts every relay) and waits until the owner of
// each source partition says that it is sealed, is past its predecessor's longest forward, and has
// nothing in flight. Until then the seal may stay without that proof. May be repeated. `folder`: of
// relay_folder(). Errors: kNotFound, no relay has begun there; kTimeout, naming what is missing;
// those of Nodes.
Task<SealReport> seal(routes::Nodes& nodes, Clock& clock, std::string folder, AskRelay ask,
                      Deadline deadline);

// The same question without the seal's being written: succeeds when the proof is there now.
// Errors: also kBusy, naming what is missing.
Task<SealReport> check_sealed(routes::Nodes& nodes, std::string folder, AskRelay ask,
                              Deadline deadline);

// Removes the seal: relays take requests again within seconds. May be repeated.
Task<> unseal(routes::Nodes& nodes, std::string folder, Deadline deadline);

}  // namespace pegmove::relay
