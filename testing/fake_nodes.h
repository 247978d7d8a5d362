// A ZooKeeper in memory, whose connection the test controls.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "routes/nodes.h"

namespace pegmove::testing {

// One client of it. All on one executor. Notices of watches are sent at once, by the call that
// makes the change.
class FakeNodes : public routes::SessionNodes {
 public:
  // What the clients of one ZooKeeper share.
  struct Tree {
    struct Kept {
      routes::Node node;
      FakeNodes* owner = nullptr;  // ephemeral: of its session
    };
    std::map<std::string, Kept> nodes{};
    std::set<FakeNodes*> clients{};
    int64_t changes = 0;
  };
  explicit FakeNodes(std::shared_ptr<Tree> tree = std::make_shared<Tree>())
      : tree_(std::move(tree)) {
    tree_->clients.insert(this);
  }
  FakeNodes(const FakeNodes&) = delete;
  FakeNodes& operator=(const FakeNodes&) = delete;
  ~FakeNodes() override {
    tree_->clients.erase(this);
    listener_ = nullptr;
    end_session();
  }
  // For another client of the same ZooKeeper.
  const std::shared_ptr<Tree>& tree() const { return tree_; }

  void listen(routes::NodesListener* listener) { listener_ = listener; }

  // What another client does.
  void set(const std::string& path, std::string data) { store(path, std::move(data), nullptr); }
  void remove(const std::string& path) {
    tree_->nodes.erase(path);
    notify_all(path);
  }
  // Without a connection calls fail, and watches are lost without a notice.
  void connect(bool is_connected) {
    is_connected_ = is_connected;
    if (!is_connected) watched_.clear();
    if (listener_) listener_->connection_changed();
  }
  // The session has ended, with its ephemeral nodes; there is another one at once.
  void expire() {
    watched_.clear();
    sure = async::Instant::min();
    end_session();
    if (listener_) listener_->connection_changed();
  }
  // What sure_until() says, and what it says after the next confirm_session().
  async::Instant sure = async::Instant::max();
  async::Instant sure_when_confirmed = async::Instant::max();
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
    auto found = tree_->nodes.find(path);
    if (found == tree_->nodes.end()) co_return std::nullopt;
    watched_.insert(path);
    auto node = found->second.node;
    node.is_ours = found->second.owner == this;
    std::exchange(after_read, [] {})();
    co_return node;
  }
  Task<std::vector<std::string>> children(std::string path, Deadline) override {
    if (!is_connected_) co_return fail(no_answer());
    std::vector<std::string> names;
    for (const auto& [other, kept] : tree_->nodes)
      if (other.starts_with(path + "/")) names.push_back(other.substr(path.size() + 1));
    co_return names;
  }
  Task<int32_t> write(std::string path, std::string data, int32_t version, Deadline) override {
    std::exchange(before_write, [] {})();
    if (!is_connected_ || lost == Lost::kBefore) co_return fail(no_answer());
    auto found = tree_->nodes.find(path);
    if (found == tree_->nodes.end()) co_return fail(Code::kNotFound, path + ": it does not exist");
    if (found->second.node.version != version)
      co_return fail(Code::kBusy, path + ": it was changed by somebody else meanwhile");
    store(path, std::move(data), found->second.owner);
    if (lost == Lost::kAfter) co_return fail(no_answer());
    co_return version + 1;
  }
  Task<> create(std::string path, std::string data, Deadline) override {
    return make(std::move(path), std::move(data), nullptr);
  }
  Task<> create_ephemeral(std::string path, std::string data, Deadline) override {
    return make(std::move(path), std::move(data), this);
  }
  Task<> remove(std::string path, Deadline) override {
    if (!is_connected_) co_return fail(no_answer());
    remove(path);
    co_return Result<void>();
  }
  Task<> confirm_session(Deadline) override {
    if (!is_connected_) co_return fail(no_answer());
    sure = sure_when_confirmed;
    co_return Result<void>();
  }
  async::Instant sure_until() const override { return sure; }
  bool is_connected() const override { return is_connected_; }
  const std::string& description() const override { return description_; }

  const routes::Node& at(const std::string& path) const { return tree_->nodes.at(path).node; }
  bool has(const std::string& path) const { return tree_->nodes.contains(path); }

 private:
  Error no_answer() const { return Error(Code::kUnreachable, description_ + " does not answer"); }
  Task<> make(std::string path, std::string data, FakeNodes* owner) {
    if (!is_connected_ || lost == Lost::kBefore) co_return fail(no_answer());
    if (has(path)) co_return fail(Code::kAlreadyExists, path + ": it exists already");
    store(path, std::move(data), owner);
    if (lost == Lost::kAfter) co_return fail(no_answer());
    co_return Result<void>();
  }
  void store(const std::string& path, std::string data, FakeNodes* owner) {
    ++tree_->changes;
    auto found = tree_->nodes.find(path);
    if (found == tree_->nodes.end()) {
      tree_->nodes[path] = {.node = {.data = std::move(data), .epoch = tree_->changes},
                            .owner = owner};
    } else {
      found->second.node.data = std::move(data);
      ++found->second.node.version;
    }
    notify_all(path);
  }
  void end_session() {
    std::vector<std::string> ended;
    for (const auto& [path, kept] : tree_->nodes)
      if (kept.owner == this) ended.push_back(path);
    for (const auto& path : ended) remove(path);
  }
  void notify_all(const std::string& path) {
    for (auto* client : std::set(tree_->clients)) client->notify(path);
  }
  void notify(const std::string& path) {
    if (watched_.erase(path) > 0 && listener_) listener_->node_changed(path);
  }

  std::string description_ = "ZooKeeper in memory";
  routes::NodesListener* listener_ = nullptr;
  bool is_connected_ = true;
  std::shared_ptr<Tree> tree_;  // shared with the other clients
  std::set<std::string> watched_;
};

}  // namespace pegmove::testing
