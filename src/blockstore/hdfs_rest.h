// Calls of WebHDFS: to the active name node, and from there to a data node.
#pragma once

#include <atomic>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "blockstore/hdfs_config.h"
#include "blockstore/http.h"

namespace pegmove::blockstore {

// Blocks; safe from any thread. Errors: those of HttpClient::send; of Hadoop's exceptions
// kNotFound, kRefused, kAlreadyExists, kUnauthenticated, kBusy (safe mode, standby) and kIo.
class HdfsRest {
 public:
  explicit HdfsRest(HdfsOptions options);

  // Calls an operation of the name node: "GETFILESTATUS", optionally followed by more of the query
  // ("&recursive=true"). Returns its JSON.
  Result<nlohmann::json> ask(const std::string& method, const std::string& path,
                             const std::string& operation);
  // Calls an operation of a data node, which the name node chooses. Returns the body of its answer.
  Result<std::string> move_data(const std::string& method, const std::string& path,
                                const std::string& operation, std::string_view body,
                                size_t most_reply_bytes);
  void stop() { http_.stop(); }
  const HdfsOptions& options() const { return options_; }

 private:
  struct Reply {
    HttpAnswer answer;
    bool is_from_data_node;
  };
  // Asks a name node, and the data node that it chooses with `data`.
  Result<Reply> call(const std::string& path, const std::string& operation, HttpCall data);
  std::string url(const std::string& address, const std::string& path,
                  const std::string& operation) const;

  // A token takes precedence over a ticket.
  bool asks_for_ticket() const { return options_.kerberos && options_.token.empty(); }
  Error error_of(const Reply& reply) const;

  HdfsOptions options_;
  HttpClient http_;
  std::atomic<size_t> active_ = 0;  // the one that answered last
};

}  // namespace pegmove::blockstore
