// The C client is replaced by a fake of a page: its functions here are those that the linker takes.
#include "routes/zookeeper.h"

#include <gtest/gtest.h>
#include <zookeeper/zookeeper.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <semaphore>

#include "async/run.h"

namespace {

// A session whose thread says that it has connected before opening it returns.
struct FakeSession {
  std::binary_semaphore has_said_connected{0}, may_return{0};
  std::atomic<const void*> context{};
  std::atomic<int> calls_without_handle{};
  char handle{};

  zhandle_t* as_handle() { return reinterpret_cast<zhandle_t*>(&handle); }
};
FakeSession* session = nullptr;

}  // namespace

zhandle_t* zookeeper_init2(const char*, watcher_fn watcher, int, const clientid_t*, void* context,
                           int, log_callback_fn) {
  session->context = context;
  watcher(session->as_handle(), ZOO_SESSION_EVENT, ZOO_CONNECTED_STATE, "", context);
  session->has_said_connected.release();
  session->may_return.acquire();
  return session->as_handle();
}

const void* zoo_get_context(zhandle_t*) { return session->context; }

int zookeeper_close(zhandle_t*) { return ZOK; }

int zoo_aget(zhandle_t* handle, const char*, int, data_completion_t completion, const void* data) {
  if (!handle) ++session->calls_without_handle;
  Stat stat{};
  stat.version = 7;
  completion(ZOK, "data", 4, &stat, data);
  return ZOK;
}

namespace pegmove::routes {
namespace {

struct Listener : NodesListener {
  explicit Listener(const ZooKeeper& nodes) : zookeeper(nodes) {}
  void node_changed(const std::string&) override {}
  void connection_changed() override { seen.push_back(zookeeper.is_connected()); }
  const ZooKeeper& zookeeper;
  std::vector<bool> seen;
};

Routine<bool> joined(ZooKeeper& zookeeper) {
  co_await zookeeper.join();  // no result
  co_return true;
}

Routine<> read_into(ZooKeeper& zookeeper, Clock& clock,
                    std::optional<Result<std::optional<Node>>>& out) {
  out = co_await zookeeper.read("/clusters/t", Deadline::in(clock, async::milliseconds(30'000)));
}

TEST(ZooKeeperTest, AConnectionCountsFromWhenTheSessionCanBeAsked) {
  FakeSession fake;
  session = &fake;
  asio::io_context context;
  async::SystemClock clock;
  ZooKeeper zookeeper(context.get_executor(), clock, {.servers = {{"127.0.0.1", 1}}},
                      Logger("test"));
  Listener listener(zookeeper);
  async::TaskGroup reads(context.get_executor());
  std::optional<Result<std::optional<Node>>> read;
  zookeeper.start(&listener);
  reads.spawn(read_into(zookeeper, clock, read));
  context.poll();
  fake.has_said_connected.acquire();
  context.restart();
  context.poll();  // what the session's thread said has come
  EXPECT_FALSE(zookeeper.is_connected());
  EXPECT_TRUE(listener.seen.empty());
  EXPECT_FALSE(read);

  fake.may_return.release();
  while (!read) {
    context.restart();
    context.run_one();
  }
  EXPECT_EQ(fake.calls_without_handle, 0);
  ASSERT_TRUE(*read) << read->error().to_string();
  EXPECT_EQ((**read)->data, "data");
  EXPECT_EQ((**read)->version, 7);
  EXPECT_EQ(listener.seen, std::vector<bool>{true});
  zookeeper.stop();
  async::run_to_end(context, joined(zookeeper));
  EXPECT_EQ(listener.seen, (std::vector<bool>{true, false}));
}

}  // namespace
}  // namespace pegmove::routes
