// The port to ZooKeeper: nodes with data and a version, watched. Behind it: routes/zookeeper.h, and
// for tests testing/fake_nodes.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "async/clock.h"
#include "async/task.h"

namespace pegmove::routes {

struct Node {
  std::string data{};
  int32_t version = 0;     // grows by one with each change of the data
  int64_t changed_ms = 0;  // Unix time, of ZooKeeper's clock
  // ZooKeeper's number of the change that made the node (czxid): greater than that of every node
  // that was made before. So each ephemeral node of one path has its own epoch, and they rise.
  int64_t epoch = 0;
  bool is_ours = false;  // ephemeral, and ends with this session
};

// Notified on the executor of the nodes. Must not block.
class NodesListener {
 public:
  virtual ~NodesListener() = default;
  // A watched node was changed or deleted; the watch has ended.
  virtual void node_changed(const std::string& path) = 0;
  // The connection was made or was lost. Watches may have ended without a notice: after each
  // connection what matters must be read again.
  virtual void connection_changed() = 0;
};

// All on one executor. Errors of all calls: kUnreachable and kTimeout, when ZooKeeper does not
// answer in time; kRefused when its ACL forbids the call; all name ZooKeeper's address and the
// path.
class Nodes {
 public:
  virtual ~Nodes() = default;

  // The node, and a watch for its next change; nullopt: there is none, and no watch. Repeatable.
  virtual Task<std::optional<Node>> read(std::string path, Deadline deadline) = 0;
  // Names of the nodes below the path, sorted. Errors: kNotFound.
  virtual Task<std::vector<std::string>> children(std::string path, Deadline deadline) = 0;
  // Replaces the data if the node has this version; returns the new one. After kUnreachable and
  // kTimeout it is not known whether that was done. Errors: kBusy when it has another version;
  // kNotFound.
  virtual Task<int32_t> write(std::string path, std::string data, int32_t version,
                              Deadline deadline) = 0;
  // A persistent node that everybody may change, as the original's; its parent must exist. After
  // kUnreachable and kTimeout it is not known whether that was done. Errors: kAlreadyExists;
  // kNotFound: there is no parent.
  virtual Task<> create(std::string path, std::string data, Deadline deadline) = 0;

  // Removes a node without children, whatever its version. Succeeds when there is none.
  virtual Task<> remove(std::string path, Deadline deadline) = 0;

  virtual bool is_connected() const = 0;
  virtual const std::string& description() const = 0;  // "ZooKeeper 10.0.0.1:2181,10.0.0.2:2181"
};

// With nodes that end with the session: for those who own something.
class SessionNodes : public Nodes {
 public:
  // As create(), an ephemeral node: ZooKeeper removes it when this session ends. After kUnreachable
  // and kTimeout read() says whether that was done.
  virtual Task<> create_ephemeral(std::string path, std::string data, Deadline deadline) = 0;
  // Asks ZooKeeper's leader whether this session exists, which moves sure_until().
  virtual Task<> confirm_session(Deadline deadline) = 0;
  // Until then the session exists, and so do its ephemeral nodes, unless somebody removes them. In
  // the past: it may have ended, and another client may have made such a node.
  virtual async::Instant sure_until() const = 0;
};

}  // namespace pegmove::routes
