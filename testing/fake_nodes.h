// A ZooKeeper in memory, whose connection the test controls.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <set>

#include "routes/nodes.h"

namespace pegmove::testing {

// All on one executor. Notices of watches are sent at once, by the call that makes the change.
class FakeNodes : public routes::Nodes {
 public:
  void listen(routes::NodesListener* listener) { listener_ = listener; }

  // What another client does.
  void set(const std::string& path, std::string data) {
    auto found = nodes_.find(path);
    if (found == nodes_.end())
      nodes_[path] = {.data = std::move(data)};
    else
      found->second = {.data = std::move(data), .version = found->second.version + 1};
    notify(path);
  }
  void remove(const std::string& path) {
    nodes_.erase(path);
    notify(path);
  }
  // Without a connection calls fail, and watches are lost without a notice.
  void connect(bool is_connected) {
    is_connected_ = is_connected;
    if (!is_connected) watched_.clear();
    if (listener_) listener_->connection_changed();
  }
  // The next write or create is carried out, or not, and its answer is lost.
  enum class Lost { kNothing, kBefore, kAfter };
  Lost lost = Lost::kNothing;
  // Runs in the next write, before it.
  std::function<void()> before_write = [] {};
  // Runs in the next read, when it has the node and before who asked has it.
  std::function<void()> after_read = [] {};
  int reads = 0;

  Task<std::optional<routes::Node>> read(std::string path, Deadline) override {
    ++reads;
    if (!is_connected_) co_return fail(no_answer());
    auto found = nodes_.find(path);
    if (found == nodes_.end()) co_return std::nullopt;
    watched_.insert(path);
    auto node = found->second;
    std::exchange(after_read, [] {})();
    co_return node;
  }
  Task<std::vector<std::string>> children(std::string path, Deadline) override {
    if (!is_connected_) co_return fail(no_answer());
    std::vector<std::string> names;
    for (const auto& [other, node] : nodes_)
      if (other.starts_with(path + "/")) names.push_back(other.substr(path.size() + 1));
    co_return names;
  }
  Task<int32_t> write(std::string path, std::string data, int32_t version, Deadline) override {
    std::exchange(before_write, [] {})();
    if (!is_connected_ || lost == Lost::kBefore) co_return fail(no_answer());
    auto found = nodes_.find(path);
    if (found == nodes_.end()) co_return fail(Code::kNotFound, path + ": it does not exist");
    if (found->second.version != version)
      co_return fail(Code::kBusy, path + ": it was changed by somebody else meanwhile");
    set(path, std::move(data));
    if (lost == Lost::kAfter) co_return fail(no_answer());
    co_return version + 1;
  }
  Task<> create(std::string path, std::string data, Deadline) override {
    if (!is_connected_ || lost == Lost::kBefore) co_return fail(no_answer());
    if (nodes_.contains(path)) co_return fail(Code::kAlreadyExists, path + ": it exists already");
    set(path, std::move(data));
    if (lost == Lost::kAfter) co_return fail(no_answer());
    co_return Result<void>();
  }
  bool is_connected() const override { return is_connected_; }
  const std::string& description() const override { return description_; }

  const routes::Node& at(const std::string& path) const { return nodes_.at(path); }

 private:
  Error no_answer() const { return Error(Code::kUnreachable, description_ + " does not answer"); }
  void notify(const std::string& path) {
    if (listener_ && watched_.erase(path) > 0) listener_->node_changed(path);
  }

  std::string description_ = "ZooKeeper in memory";
  routes::NodesListener* listener_ = nullptr;
  bool is_connected_ = true;
  std::map<std::string, routes::Node> nodes_;
  std::set<std::string> watched_;
};

}  // namespace pegmove::testing
