// Writes and reads rows with the blocking client. Usage: blocking META_SERVERS TABLE
#include <cstdio>

#include "client/blocking.h"

namespace {

pegmove::Result<void> run(const char* metas, const char* table_name) {
  auto client = TRY(pegmove::client::BlockingClient::connect(metas));
  auto table = TRY(client->open_table(table_name));
  std::printf("connected to cluster %s\n", client->cluster_name().c_str());

  TRY(table->set("user_1", "name", "Ada"));
  TRY(table->multi_set("user_2", {{"name", "Grace"}, {"year", "1906"}}, /*ttl_seconds=*/3600));
  auto name = TRY(table->get("user_1", "name"));
  std::printf("user_1 is called %s\n", name.value_or("(nobody)").c_str());
  auto ttl = TRY(table->ttl("user_2", "year"));
  std::printf("user_2's year expires: %s\n", ttl && *ttl > 0 ? "yes" : "no");

  int rows = 0;
  TRY(table->scan([&](const auto&) { return ++rows > 0; }));
  std::printf("the table has %d rows\n", rows);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: blocking META_SERVERS TABLE\n"), 2;
  auto done = run(argv[1], argv[2]);
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
  return 1;
}
