// Clients that write and read at a steady rate, whatever happens to the servers meanwhile.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "client/table.h"

namespace pegmove::bench {

struct SteadyLoad {
  std::string metas;  // of a cluster, or a MetaProxy
  int64_t rows = 0;   // of the table, as make_rows() makes them
  int clients = 16;   // each with its own connections, and one request at a time
  int per_second = 2'000;
};

// What clients saw.
struct SteadySeen {
  // Each operation's time in ms, from when it was due: what waits behind a slow one is slow, too.
  std::vector<double> ms{};
  int64_t failed = 0;     // errors that the client library returned
  int64_t went_back = 0;  // reads of a value that was older than the last acknowledged one
  std::string first_error{};

  void add(const SteadySeen& other);
  double at(double fraction) const;  // 0 when there was none
  double slowest() const { return at(1); }
};

// Begins at once, on a thread of its own; ends with the object.
class SteadyClients {
 public:
  // Errors: the table cannot be opened.
  static Result<std::unique_ptr<SteadyClients>> start(SteadyLoad load);
  ~SteadyClients();
  SteadyClients(const SteadyClients&) = delete;
  SteadyClients& operator=(const SteadyClients&) = delete;

  // What was seen since the last call; the times are sorted.
  SteadySeen take();

 private:
  struct One;
  explicit SteadyClients(SteadyLoad load);
  Task<> open_all();
  Routine<> drive_all();
  Routine<> drive(One& one);
  Task<bool> write_one(One& one);
  Task<bool> read_one(One& one);  // false: it went back
  void note(async::Instant due, const Result<bool>& is_right);

  const SteadyLoad load_;
  async::SystemClock clock_;
  asio::io_context context_;
  std::vector<std::unique_ptr<One>> all_;
  std::atomic<bool> is_ending_ = false;
  std::mutex mutex_;
  SteadySeen seen_;
  std::thread thread_;
};

}  // namespace pegmove::bench
