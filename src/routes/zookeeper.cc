#include "routes/zookeeper.h"

#include <fmt/format.h>
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "async/wait_until.h"

namespace pegmove::routes {

// Where the threads of a session report; all but `executor` is used on that executor only.
struct ZooKeeper::Link {
  asio::any_io_executor executor;
  ZooKeeper* owner;  // null once the session is closed
};

// Of one call.
struct ZooKeeper::Answer {
  explicit Answer(asio::any_io_executor where) : executor(std::move(where)) {}
  asio::any_io_executor executor;
  // What follows belongs to the executor.
  bool is_here = false;
  int code = ZOK;
  Node node{};
  int64_t session = 0;  // that an ephemeral node ends with
  std::vector<std::string> names{};
  async::Event arrived{};
};

namespace {

using AnswerOwner = std::shared_ptr<ZooKeeper::Answer>;

constexpr async::milliseconds kFirstRest{100};
constexpr async::milliseconds kLongestRest{5'000};

// The part of a session's timeout for which an answer makes sure of it. A server passes the signs
// of life of its clients on to the leader, twice in a tick, and ticks are at most half a timeout.
constexpr int kSurePart = 2, kSureOf = 3;

void ignore_log(const char*) {}

// The context of a call in the C client: a pointer to a shared_ptr, which the one completion of the
// call takes over.
AnswerOwner take_over(const void* context) {
  std::unique_ptr<AnswerOwner> owner(static_cast<AnswerOwner*>(const_cast<void*>(context)));
  return *owner;
}

void hand_over(const void* context, int code, Node node, std::vector<std::string> names,
               int64_t session = 0) {
  auto answer = take_over(context);
  auto executor = answer->executor;
  asio::post(executor, [answer = std::move(answer), code, node = std::move(node),
                        names = std::move(names), session]() mutable {
    answer->is_here = true;
    answer->code = code;
    answer->node = std::move(node);
    answer->session = session;
    answer->names = std::move(names);
    answer->arrived.notify_all();
  });
}

// Each is called once, on a thread of the C client.
void on_data(int code, const char* value, int size, const Stat* stat, const void* context) {
  Node node;
  if (code == ZOK && stat) {
    if (value && size > 0) node.data.assign(value, size_t(size));
    node.version = stat->version;
    node.changed_ms = stat->mtime;
    node.epoch = stat->czxid;
  }
  hand_over(context, code, std::move(node), {}, code == ZOK && stat ? stat->ephemeralOwner : 0);
}

void on_stat(int code, const Stat* stat, const void* context) {
  hand_over(context, code, stat ? Node{.version = stat->version} : Node{}, {});
}

void on_text(int code, const char*, const void* context) { hand_over(context, code, {}, {}); }

void on_code(int code, const void* context) { hand_over(context, code, {}, {}); }

void on_names(int code, const String_vector* found, const void* context) {
  std::vector<std::string> names;
  if (code == ZOK && found)
    for (int32_t i = 0; i < found->count; ++i) names.emplace_back(found->data[i]);
  std::ranges::sort(names);
  hand_over(context, code, {}, std::move(names));
}

bool is_lost_connection(int code) {
  return code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT || code == ZSESSIONEXPIRED ||
         code == ZINVALIDSTATE || code == ZCLOSING || code == ZSESSIONMOVED;
}

}  // namespace

ZooKeeper::ZooKeeper(asio::any_io_executor executor, Clock& clock, ZooKeeperOptions options,
                     Logger log)
    : executor_(executor),
      clock_(clock),
      options_(std::move(options)),
      log_(std::move(log)),
      description_("ZooKeeper " + net::list_text(options_.servers)),
      tasks_(std::move(executor)) {}

ZooKeeper::~ZooKeeper() = default;

void ZooKeeper::start(NodesListener* listener) {
  listener_ = listener;
  tasks_.spawn(keep_session());
}

void ZooKeeper::stop() {
  tasks_.stop();
  session_event_.notify();
  connection_.notify_all();
}

Routine<> ZooKeeper::join() {
  co_await tasks_.join();  // no result
}

// One session after the other. Opening one looks names up, and closing one waits for its threads:
// both block.
Routine<> ZooKeeper::keep_session() {
  for (int attempt = 0; !tasks_.stopped(); ++attempt) {
    auto link = std::make_shared<Link>(Link{executor_, this});
    is_over_ = was_connected_ = has_connected_ = false;
    auto opened = co_await pool_.run([servers = net::list_text(options_.servers),
                                      timeout = int(options_.session_timeout.count()),
                                      link]() -> Result<_zhandle*> {
      const auto on_event = [](zhandle_t*, int type, int state, const char* path, void* context) {
        auto to = static_cast<std::shared_ptr<Link>*>(context);
        asio::post((*to)->executor,
                   [link = *to, type, state, path = std::string(path ? path : "")] {
                     if (link->owner) link->owner->take_event(type, state, path);
                   });
      };
      zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
      auto context = std::make_unique<std::shared_ptr<Link>>(link);
      auto* handle = zookeeper_init2(servers.c_str(), on_event, timeout, nullptr, context.get(),
                                     ZOO_NO_LOG_CLIENTENV, ignore_log);
      if (!handle)
        return fail(Code::kUnreachable,
                    fmt::format("opening a session of {}: {}", servers, std::strerror(errno)));
      (void)context.release();  // close() below deletes it
      return handle;
    });
    if (opened) {
      handle_ = *opened;
      note_connection();
      while (!is_over_ && !tasks_.stopped()) co_await session_event_.wait();  // no result
      if (was_connected_) attempt = 0;
      link->owner = nullptr;
      end_session();
      const auto handle = std::exchange(handle_, nullptr);
      note_connection();
      auto closed = co_await pool_.run([handle]() -> Result<int> {
        std::unique_ptr<std::shared_ptr<Link>> context(
            static_cast<std::shared_ptr<Link>*>(const_cast<void*>(zoo_get_context(handle))));
        return zookeeper_close(handle);
      });
      if (closed && *closed == ZOK && !tasks_.stopped())
        log_.warning(description_ + ": the session was lost; opening another one");
    } else if (attempt == 0) {
      log_.warning(fmt::format("{}: {}; trying again", description_, opened.error().to_string()));
    }
    if (!tasks_.stopped())
      co_await clock_.sleep_for(async::back_off(attempt, kFirstRest, kLongestRest));  // no result
  }
}

void ZooKeeper::take_event(int type, int state, const std::string& path) {
  if (type == ZOO_SESSION_EVENT) {
    if (state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE) {
      is_over_ = true;
      end_session();
      session_event_.notify();
    }
    has_connected_ = state == ZOO_CONNECTED_STATE;
    return note_connection();
  }
  if (listener_ && !path.empty()) listener_->node_changed(path);
}

void ZooKeeper::end_session() {
  ++sessions_ended_;
  sure_until_ = async::Instant::min();
}

// The session's thread may say that it has connected before opening the session has returned its
// handle: until then nothing can be asked, and nobody hears of it.
void ZooKeeper::note_connection() {
  const bool is_connected = has_connected_ && handle_;
  if (std::exchange(is_connected_, is_connected) == is_connected) return;
  was_connected_ |= is_connected;
  connection_.notify_all();
  if (listener_) listener_->connection_changed();
}

Error ZooKeeper::not_connected() const {
  return Error(Code::kUnreachable,
               description_ + " does not answer; check the addresses and that it runs");
}

Error ZooKeeper::error_of(int code, const std::string& path) const {
  const auto text = [&](std::string_view what) {
    return fmt::format("node {} in {}: {}", path, description_, what);
  };
  switch (code) {
    case ZNONODE: return Error(Code::kNotFound, text("it does not exist"));
    case ZNODEEXISTS: return Error(Code::kAlreadyExists, text("it exists already"));
    case ZBADVERSION: return Error(Code::kBusy, text("it was changed by somebody else meanwhile"));
    case ZNOTEMPTY: return Error(Code::kBusy, text("there are nodes below it"));
    case ZNOAUTH: return Error(Code::kRefused, text("its ACL forbids this to everybody"));
    default:
      return Error(is_lost_connection(code) ? Code::kUnreachable : Code::kRefused,
                   text(zerror(code)));
  }
}

// One attempt on the present session.
Task<std::shared_ptr<ZooKeeper::Answer>> ZooKeeper::ask_once(const Start& start,
                                                             Deadline deadline) {
  auto answer = std::make_shared<Answer>(executor_);
  co_await async::wait_until(connection_, clock_, deadline, [&] {  // no result
    return is_connected_ || tasks_.stopped();
  });
  if (tasks_.stopped()) co_return fail(Code::kInterrupted, "the session is being closed");
  if (!is_connected_) co_return fail(not_connected());

  auto context = std::make_unique<AnswerOwner>(answer);
  if (const int code = start(handle_, context.get()); code != ZOK) {
    answer->code = code;
    co_return answer;
  }
  (void)context.release();                                       // the completion takes it over
  co_await async::wait_until(answer->arrived, clock_, deadline,  // no result
                             [&] { return answer->is_here; });
  if (!answer->is_here) co_return fail(Code::kTimeout, description_ + " did not answer in time");
  co_return answer;
}

Task<std::shared_ptr<ZooKeeper::Answer>> ZooKeeper::ask(Start start, std::string path,
                                                        bool may_repeat, Deadline deadline) {
  while (true) {
    auto answer = CO_TRY(in_context(co_await ask_once(start, deadline), "node " + path));
    if (answer->code == ZOK) co_return answer;
    if (!may_repeat || !is_lost_connection(answer->code) || deadline.left(clock_) <= kFirstRest)
      co_return fail(error_of(answer->code, path));
    co_await clock_.sleep_for(kFirstRest);  // no result
  }
}

Task<std::optional<Node>> ZooKeeper::read(std::string path, Deadline deadline) {
  auto answer = co_await ask(
      [&path](_zhandle* handle, void* context) {
        return zoo_aget(handle, path.c_str(), 1, on_data, context);
      },
      path, true, deadline);
  if (!answer && answer.error().code() == Code::kNotFound) co_return std::nullopt;
  auto found = CO_TRY(std::move(answer));
  found->node.is_ours =
      found->session != 0 && handle_ && found->session == zoo_client_id(handle_)->client_id;
  co_return std::move(found->node);
}

Task<std::vector<std::string>> ZooKeeper::children(std::string path, Deadline deadline) {
  const auto place = path.empty() ? std::string("/") : path;
  auto answer = CO_TRY(co_await ask(
      [&place](_zhandle* handle, void* context) {
        return zoo_aget_children(handle, place.c_str(), 0, on_names, context);
      },
      place, true, deadline));
  co_return std::move(answer->names);
}

Task<int32_t> ZooKeeper::write(std::string path, std::string data, int32_t version,
                               Deadline deadline) {
  auto answer = CO_TRY(co_await ask(
      [&](_zhandle* handle, void* context) {
        return zoo_aset(handle, path.c_str(), data.data(), int(data.size()), version, on_stat,
                        context);
      },
      path, false, deadline));
  co_return answer->node.version;
}

Task<> ZooKeeper::create(std::string path, std::string data, Deadline deadline) {
  return make(std::move(path), std::move(data), ZOO_PERSISTENT, deadline);
}

Task<> ZooKeeper::create_ephemeral(std::string path, std::string data, Deadline deadline) {
  return make(std::move(path), std::move(data), ZOO_EPHEMERAL, deadline);
}

Task<> ZooKeeper::make(std::string path, std::string data, int mode, Deadline deadline) {
  CO_TRY(co_await ask(
      [&](_zhandle* handle, void* context) {
        return zoo_acreate(handle, path.c_str(), data.data(), int(data.size()),
                           &ZOO_OPEN_ACL_UNSAFE, mode, on_text, context);
      },
      path, false, deadline));
  co_return Result<void>();
}

Task<> ZooKeeper::remove(std::string path, Deadline deadline) {
  auto removed = co_await ask(
      [&path](_zhandle* handle, void* context) {
        return zoo_adelete(handle, path.c_str(), -1, on_code, context);
      },
      path, true, deadline);
  if (!removed && removed.error().code() != Code::kNotFound)
    co_return fail(std::move(removed).error());
  co_return Result<void>();
}

// A read would be answered by a server that the leader has lost, and with it the session. Source:
// PrepRequestProcessor of ZooKeeper, which checks the session of a sync on the leader.
Task<> ZooKeeper::confirm_session(Deadline deadline) {
  const auto begun = clock_.now();
  const auto ended = sessions_ended_;
  CO_TRY(co_await ask(
      [](_zhandle* handle, void* context) { return zoo_async(handle, "/", on_text, context); }, "/",
      false, deadline));
  if (ended != sessions_ended_ || !handle_)
    co_return fail(Code::kUnreachable, description_ + ": the session was lost meanwhile");
  const async::milliseconds timeout(zoo_recv_timeout(handle_));
  sure_until_ = std::max(sure_until_, begun + timeout * kSurePart / kSureOf);
  co_return Result<void>();
}

}  // namespace pegmove::routes
