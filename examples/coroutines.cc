// Scans all partitions of a table in parallel, with coroutines.
// Usage: coroutines META_SERVERS TABLE
#include <boost/asio/io_context.hpp>
#include <cstdio>

#include "async/all.h"
#include "async/run.h"
#include "client/table.h"

namespace {

using pegmove::Clock;
using pegmove::Deadline;
using pegmove::Result;
using pegmove::Task;
using pegmove::async::milliseconds;
namespace client = pegmove::client;

Task<> count_partition(client::Table& table, int index, Clock& clock, long& rows) {
  auto scanner = table.scan_partition(index, {.batch_size = 1000});
  while (auto batch = CO_TRY(co_await scanner->next(Deadline::in(clock, milliseconds(5000)))))
    rows += long(batch->rows.size());
  co_return Result<void>();
}

Task<> count(client::Client& client, Clock& clock, std::string metas, std::string name) {
  auto deadline = Deadline::in(clock, milliseconds(5000));
  auto addresses = CO_TRY(pegmove::net::parse_host_port_list(metas));
  auto cluster = CO_TRY(co_await client::Cluster::connect(client, addresses, deadline));
  auto table = CO_TRY(co_await client::Table::open(cluster, name, deadline));
  long rows = 0;
  std::vector<Task<>> partitions;
  for (int index = 0; index < table->partition_count(); ++index)
    partitions.push_back(count_partition(*table, index, clock, rows));
  CO_TRY(co_await pegmove::async::all(std::move(partitions)));
  std::printf("%ld rows in %d partitions\n", rows, table->partition_count());
  co_return Result<void>();
}

Task<> count_and_close(client::Client& client, Clock& clock, std::string metas, std::string name) {
  auto counted = co_await count(client, clock, metas, name);
  co_await client.close();  // no result
  co_return counted;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: coroutines META_SERVERS TABLE\n"), 2;
  pegmove::asio::io_context context;
  pegmove::async::SystemClock clock;
  client::Client client(context.get_executor(), clock);
  auto done = pegmove::async::run_to_end(context, count_and_close(client, clock, argv[1], argv[2]));
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
  return 1;
}
