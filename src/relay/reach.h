// Whether sources can reach the address that a relay gives them.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "net/address.h"

namespace pegmove::relay {

// The address is of loopback, and one of the source's servers is not: advice for people, with the
// options that help. nullopt: nothing is wrong as far as addresses show.
std::optional<std::string> why_out_of_reach(const net::HostPort& address,
                                            std::span<const net::HostPort> sources);

}  // namespace pegmove::relay
