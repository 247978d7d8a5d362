#include "apps/preflight_options.h"

#include <boost/asio/this_coro.hpp>

#include "async/task_group.h"

namespace pegmove::apps {
namespace {

constexpr const char* kAuto = "auto";
constexpr const char* kPlain = "plain";
constexpr const char* kDuplicate = "duplicate";
constexpr const char* kBackup = "backup";

Routine<> reach(CommandRun& run, inspect::Side& side) {
  side.cluster = co_await run.connect(side.word);
}

}  // namespace

void add_preflight_options(Verb& verb, PreflightOptions& options) {
  auto* create = verb.add_flag(
      "--create", options.create,
      "create the target table, with the source's app envs that apply there; it must not exist");
  verb.add_option("--partitions", options.partitions,
                  "partition count of the table that --create creates; default: that of the source")
      ->needs(create)
      ->in_range(1, 65536);
  verb.add_flag(
      "--into-nonempty", options.into_nonempty,
      "allow a target that has rows; those that also exist in the source are overwritten");
  verb.add_option("--through", options.through,
                  "how rows are written: plain (PUT and MULTI_PUT); duplicate (DUPLICATE, many to "
                  "a request; both clusters must be in one [duplication-group]); auto (duplicate "
                  "where possible); or backup (as files: a backup, a split and a bulk load)")
      ->capture_default_str()
      ->one_of({kAuto, kPlain, kDuplicate, kBackup});
  auto* live = verb.add_flag("--live", options.live,
                             "clients write to the target during the copy: their newer rows are "
                             "kept. Needs DUPLICATE, and writes that reach both tables");
  verb.add_flag("--dual-written", options.dual_written,
                "with --live: clients write to both tables themselves (a duplication is detected "
                "without this option)")
      ->needs(live);
}

bool PreflightOptions::through_backup() const { return through == kBackup; }

Result<void> check(const PreflightOptions& options) {
  if (options.live && options.through == kPlain)
    return fail(Code::kInvalidArgument,
                "--live needs DUPLICATE to keep newer rows; leave out --through plain");
  if (options.live && options.through_backup())
    return fail(Code::kInvalidArgument,
                "--live needs DUPLICATE to keep newer rows; leave out --through backup");
  if (options.live && options.create)
    return fail(Code::kInvalidArgument,
                "--live and --create exclude each other: writes must reach both tables before the "
                "copy begins");
  return {};
}

void apply(const PreflightOptions& options, migration::CopyOptions& copy) {
  using migration::Through;
  copy.create = options.create;
  if (options.partitions > 0) copy.partitions = options.partitions;
  copy.into_nonempty = options.into_nonempty;
  copy.through = options.through == kPlain || options.through_backup() ? Through::kPlain
                 : options.through == kDuplicate                       ? Through::kDuplicate
                                                                       : Through::kAuto;
  copy.live = options.live;
  copy.dual_written = options.dual_written;
}

Routine<migration::Preflight> look_before_copy(CommandRun& run, std::string from, std::string to,
                                               migration::CopyOptions options) {
  inspect::Side source{from, nullptr}, target{to, nullptr};
  {
    async::TaskGroup both(co_await asio::this_coro::executor);
    both.spawn(reach(run, source));
    both.spawn(reach(run, target));
    co_await both.join();  // no result
  }
  co_return co_await migration::look_before_copy(std::move(source), std::move(target),
                                                 std::move(options));
}

std::string describe_write_method(const migration::WriteMethod& method) {
  std::string text = method.duplicate ? "through DUPLICATE as cluster " +
                                            std::to_string(method.duplicate->cluster_id)
                                      : "as a client writes (PUT and MULTI_PUT)";
  return method.reason.empty() ? text : text + ", since " + method.reason;
}

}  // namespace pegmove::apps
