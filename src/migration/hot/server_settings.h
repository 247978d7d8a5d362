// A setting on all replica servers of a cluster, changed over HTTP and put back: on real servers
// `duplicate_log_batch_bytes`, which must be 1 for every acknowledged write to arrive and in order.
// A server that restarts has the value of its configuration again, so the setting is kept: looked
// at and set again. Pegasus: src/utils/flags.cpp, src/http/service_version.cpp (/config,
// /updateConfig).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cluster.h"

namespace pegmove::migration::hot {

inline constexpr const char* kBatchSetting = "duplicate_log_batch_bytes";
// One write a request: nothing is reordered or left out.
inline constexpr const char* kOneByOne = "1";

// The replica servers of one cluster: which are alive, and a GET that one of them answers with
// status 200. Errors: those of the questions.
struct ServerPort {
  std::function<Task<std::vector<net::HostPort>>(Deadline)> alive;
  std::function<Task<std::string>(net::HostPort, std::string target, Deadline)> get;
};
// The cluster must outlive it.
ServerPort servers_of(client::Cluster& cluster);

struct ServerValue {
  std::string node;
  std::string value;

  bool operator==(const ServerValue&) const = default;
};
std::string to_json(const std::vector<ServerValue>& values);
// Errors: kCorrupt.
Result<std::vector<ServerValue>> server_values_from_json(std::string_view text);

// Of the answer to /config?name=NAME. Errors: kUnsupported: the server has no such setting;
// kProtocol.
Result<std::string> parse_setting(std::string_view body, std::string_view name);
// Of the answer to /updateConfig?NAME=VALUE. Errors: kRefused, with the server's reason; kProtocol.
Result<void> parse_update(std::string_view body);

// The values on all servers that are alive. Errors: those of parse_setting(), of the questions;
// all name the server.
Task<std::vector<ServerValue>> find_settings(ServerPort servers, std::string name,
                                             Deadline deadline);

struct KeptSetting {
  std::vector<ServerValue> changed;  // servers that had another value, and which
  std::vector<std::string> silent;   // servers that were not reached, and why
};
// Sets the value on every server that has another one, and reads it back. May be repeated. Errors:
// kRefused and others: a server has not taken it; kUnreachable: the list of servers.
Task<KeptSetting> keep_setting(ServerPort servers, std::string name, std::string value,
                               Deadline deadline);

// Gives every server that still has `value` its own of `before`, or, if it is not among them, that
// of the first; servers that have a third value keep it. Those that are down need nothing: they
// start with the value of their configuration. May be repeated. Errors: as of keep_setting().
Task<> put_back_setting(ServerPort servers, std::string name, std::string value,
                        std::vector<ServerValue> before, Deadline deadline);

}  // namespace pegmove::migration::hot
