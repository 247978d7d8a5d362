// Kills an embedded cluster with SIGKILL while clients write and tables come and go, starts it
// again on the same folder, and compares what is there with what was acknowledged. Many times.
//
//   kill_test --pegmove build/release/pegmove [--kills 200] [--seed N] [--verbose]
//
// Exits with 0 when nothing acknowledged was lost and no write was torn. The seed decides what is
// done and when the server is killed; what that hits depends on the machine.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <random>

#include "async/task_group.h"
#include "row_book.h"
#include "server_process.h"
#include "table_book.h"
#include "testing/test_cluster.h"

namespace pegmove::kill {
namespace {

constexpr int kWriters = 8;
// Between two kills: what they do in some 80 ms.
constexpr int kMostWrites = 1500;
constexpr int kPartitions = 4;

struct Arguments {
  std::string program;
  int kills = 200;
  uint64_t seed = 1;
  bool verbose = false;
};

class KillTest {
 public:
  KillTest(const Arguments& arguments, ServerProcess& server)
      : arguments_(arguments),
        server_(server),
        random_(arguments.seed),
        client_(server.meta()),
        rows_(client_.create_table("rows", kPartitions), kWriters),
        tables_(client_.shared_cluster()) {}

  // Returns whether nothing was lost.
  bool run() {
    while (kills_ < arguments_.kills) {
      client_.run(one_round());
      server_.expect_running();
      client_.must(rows_.compare());
      client_.must(tables_.compare());
      if (arguments_.verbose)
        std::fprintf(stderr, "%d kills; writes: %ld acknowledged, %ld not; tables: %ld\n", kills_,
                     long(rows_.acknowledged()), long(rows_.unacknowledged()),
                     long(tables_.acknowledged()));
      if (!rows_.contradictions().empty() || !tables_.contradictions().empty()) return false;
    }
    return true;
  }

  int kills() const { return kills_; }
  int64_t acknowledged() const { return rows_.acknowledged() + tables_.acknowledged(); }
  std::vector<std::string> contradictions() const {
    auto all = rows_.contradictions();
    for (const auto& line : tables_.contradictions()) all.push_back(line);
    return all;
  }

 private:
  Routine<bool> one_round() {
    async::TaskGroup group(client_.executor());
    bool stop = false;
    for (int writer = 0; writer < kWriters; ++writer)
      group.spawn(rows_.write(writer, random_(), stop));
    if (random_() % 2 == 0) group.spawn(tables_.change(random_(), stop));
    co_await rows_.wait_for_writes(1 + int64_t(random_() % kMostWrites));  // no result
    kill_and_restart();
    while (kills_ < arguments_.kills && random_() % 8 == 0) {
      // Once more, while it starts (writes that are given up end meanwhile) or serves again.
      co_await rows_.wait_for_writes(int64_t(random_() % kMostWrites));  // no result
      kill_and_restart();
    }
    stop = true;
    co_await group.join();  // no result
    co_return true;
  }

  void kill_and_restart() {
    server_.kill();
    ++kills_;
    server_.start();
    // Now and then clients come before it is ready.
    if (random_() % 8 != 0) server_.wait_until_ready();
  }

  const Arguments& arguments_;
  ServerProcess& server_;
  std::mt19937_64 random_;
  testing::TestClient client_;
  RowBook rows_;
  TableBook tables_;
  int kills_ = 0;
};

ServerOptions server_options(const Arguments& arguments, const std::string& folder) {
  auto meta_port = testing::find_free_port();
  auto replica_port = testing::find_free_port();
  // Two in a row, neither of them the meta server's.
  while (!testing::is_free_port(uint16_t(replica_port + 1)) || replica_port == meta_port ||
         replica_port + 1 == meta_port)
    replica_port = testing::find_free_port();
  return {arguments.program, folder, meta_port, replica_port};
}

// Killed while the folder is made, too.
void first_start(ServerProcess& server) {
  for (size_t entries = 0; entries < 6; ++entries) {
    server.start();
    server.wait_for_entries(entries);
    server.kill();
  }
  server.start();
  server.wait_until_ready();
}

int run(const Arguments& arguments) {
  std::string folder = std::filesystem::temp_directory_path() / "pegmove_kill_XXXXXX";
  if (!mkdtemp(folder.data())) throw std::runtime_error("cannot make the folder " + folder);
  std::printf("seed %lu, folder %s\n", (unsigned long)arguments.seed, folder.c_str());
  std::fflush(stdout);
  ServerProcess server(server_options(arguments, folder));
  first_start(server);
  KillTest test(arguments, server);
  bool good = test.run();
  if (good) {
    server.stop();
    std::filesystem::remove_all(folder);
    std::printf("ok: %d kills, %ld acknowledged writes, 0 lost\n", test.kills(),
                long(test.acknowledged()));
    return 0;
  }
  auto contradictions = test.contradictions();
  for (const auto& line : contradictions) std::fprintf(stderr, "%s\n", line.c_str());
  std::fprintf(stderr,
               "FAILED after %d kills, %ld acknowledged writes: %zu contradictions; data and log "
               "are in %s\n",
               test.kills(), long(test.acknowledged()), contradictions.size(), folder.c_str());
  return 1;
}

}  // namespace
}  // namespace pegmove::kill

int main(int argc, char** argv) {
  pegmove::kill::Arguments arguments;
  CLI::App program("Kills an embedded cluster under load and looks for what was lost.");
  program.add_option("--pegmove", arguments.program, "the program to test")
      ->required()
      ->check(CLI::ExistingFile);
  program.add_option("--kills", arguments.kills, "how often")->capture_default_str();
  program.add_option("--seed", arguments.seed)->capture_default_str();
  program.add_flag("--verbose", arguments.verbose, "a line for each round");
  CLI11_PARSE(program, argc, argv);
  try {
    return pegmove::kill::run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "FAILED: %s\n", error.what());
    return 1;
  }
}
