// The nodes of a real ZooKeeper, through its own C client. That client has two threads for each
// session; what they find out is handed to this object's executor.
#pragma once

#include <functional>
#include <memory>

#include "async/pool.h"
#include "async/task_group.h"
#include "base/log.h"
#include "net/address.h"
#include "routes/nodes.h"

struct _zhandle;

namespace pegmove::routes {

struct ZooKeeperOptions {
  std::vector<net::HostPort> servers{};
  // How long ZooKeeper keeps a session whose client is silent; ZooKeeper limits it to between 2 and
  // 20 of its ticks. A server that hangs is left after two thirds of it.
  async::milliseconds session_timeout{10'000};
};

// Connects, and connects again whenever the session was lost, until stop(). Order: start(); ...;
// stop(); co_await join(); destroy. Calls wait for a connection until their deadline.
class ZooKeeper : public SessionNodes {
 public:
  ZooKeeper(asio::any_io_executor executor, Clock& clock, ZooKeeperOptions options, Logger log);
  ~ZooKeeper() override;

  // `listener` may be null; it must outlive join().
  void start(NodesListener* listener);
  void stop();
  Routine<> join();

  Task<std::optional<Node>> read(std::string path, Deadline deadline) override;
  Task<std::vector<std::string>> children(std::string path, Deadline deadline) override;
  Task<int32_t> write(std::string path, std::string data, int32_t version,
                      Deadline deadline) override;
  Task<> create(std::string path, std::string data, Deadline deadline) override;
  Task<> create_ephemeral(std::string path, std::string data, Deadline deadline) override;
  Task<> remove(std::string path, Deadline deadline) override;
  Task<> confirm_session(Deadline deadline) override;
  async::Instant sure_until() const override { return sure_until_; }
  bool is_connected() const override { return is_connected_; }
  const std::string& description() const override { return description_; }

  // What the session's threads hand over; defined in zookeeper.cc.
  struct Link;
  struct Answer;

 private:
  using Start = std::function<int(_zhandle*, void* answer)>;
  Routine<> keep_session();
  void take_event(int type, int state, const std::string& path);
  void note_connection();
  Task<std::shared_ptr<Answer>> ask(Start start, std::string path, bool may_repeat,
                                    Deadline deadline);
  Task<std::shared_ptr<Answer>> ask_once(const Start& start, Deadline deadline);
  Task<> make(std::string path, std::string data, int mode, Deadline deadline);
  void end_session();
  Error error_of(int code, const std::string& path) const;
  Error not_connected() const;

  asio::any_io_executor executor_;
  Clock& clock_;
  ZooKeeperOptions options_;
  Logger log_;
  std::string description_;
  NodesListener* listener_ = nullptr;
  _zhandle* handle_ = nullptr;  // of the session; null: there is none
  bool has_connected_ = false;  // said by the threads of the handle; perhaps before handle_ is set
  bool is_connected_ = false;   // has_connected_, and there is a handle_
  bool was_connected_ = false;  // the handle was connected at some time
  bool is_over_ = false;        // the handle must be replaced
  int64_t sessions_ended_ = 0;
  async::Instant sure_until_ = async::Instant::min();
  async::Event session_event_;  // for keep_session()
  async::Event connection_;     // for calls that wait
  async::TaskGroup tasks_;
  async::Pool pool_{1};
};

}  // namespace pegmove::routes
