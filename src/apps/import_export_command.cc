#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/progress_line.h"
#include "async/report_each_second.h"
#include "async/task_group.h"
#include "base/json_text.h"
#include "base/units.h"
#include "inspect/access.h"
#include "rows/file_rows.h"
#include "rows/foreign_rows_text.h"
#include "rows/joins_text.h"
#include "rows/table_rows.h"

namespace pegmove::apps {
namespace {

using base::format_count;
using base::format_size;

struct FileArguments {
  CommonOptions common;
  std::string cluster, table, format = "jsonl", path;
  bool create = false;  // this and the following: import only
  int32_t partitions = 8;
};

// Runs the pump with progress on the terminal. `how`: how rows are moved now, for its end.
Task<> pump_with_progress(rows::Pump& pump, Clock& clock, ProgressLine& line, std::string doing,
                          std::function<std::string()> how) {
  async::TaskGroup beside(co_await asio::this_coro::executor);
  beside.spawn(async::report_each_second(clock, beside, [&pump, &line, &how, doing] {
    line.show(fmt::format("{}: {} rows, {}{}", doing, format_count(uint64_t(pump.progress().rows)),
                          format_size(uint64_t(pump.progress().bytes)), how()));
  }));
  auto moved = co_await pump.run();
  beside.stop();
  co_await beside.join();  // no result
  co_return moved;
}

Task<std::shared_ptr<client::Table>> open_table(CommandRun& run, FileArguments arguments,
                                                inspect::Needs needs) {
  auto cluster = CO_TRY(co_await run.connect(arguments.cluster));
  if (arguments.create) {
    auto deadline = Deadline::in(run.clock(), run.timeout());
    auto created = co_await cluster->create_table(
        arguments.table, {.partition_count = arguments.partitions}, deadline);
    if (!created && created.error().code() == Code::kAlreadyExists)
      co_return fail(
          Code::kAlreadyExists,
          fmt::format(
              "table '{}' already exists on cluster {}; leave out --create to import into it",
              arguments.table, cluster->name()));
    CO_TRY(std::move(created));
    CO_TRY(co_await cluster->wait_until_ready(arguments.table, {}, deadline));
  }
  const auto deadline = Deadline::in(run.clock(), run.timeout());
  auto table = CO_TRY(co_await client::Table::open(cluster, arguments.table, deadline));
  CO_TRY(co_await inspect::check_access(*table, needs, deadline));
  co_return table;
}

// Reports the error, and what it leaves.
int report_failed(const Error& error, const std::string& left) {
  const int code = report(error);
  std::fprintf(stderr, "pegmove: %s\n", left.c_str());
  return code;
}

nlohmann::ordered_json to_json(const rows::PumpProgress& moved) {
  return {{"rows", moved.rows}, {"bytes", moved.bytes}};
}

// On stderr: an export may itself be on stdout.
void print_moved(const char* done, const rows::PumpProgress& moved) {
  std::fprintf(stderr, "%s %s rows (%s).\n", done, format_count(uint64_t(moved.rows)).c_str(),
               format_size(uint64_t(moved.bytes)).c_str());
}

int finish_import(const FileArguments& arguments, const Result<void>& imported,
                  const rows::PumpProgress& moved, const client::JoinsUsed& joins) {
  if (!imported)
    return report_failed(imported.error(), format_count(uint64_t(moved.rows)) +
                                               " rows were written before the error; running the "
                                               "command again is safe");
  if (arguments.common.json) {
    auto out = to_json(moved);
    out["rows_expired"] = moved.rows_expired;
    out["requests"] = rows::to_json(joins);
    std::printf("%s\n", base::json_text(out, 2).c_str());
    return kDone;
  }
  print_moved("Imported", moved);
  std::fputs(rows::to_text(joins).c_str(), stderr);
  if (moved.rows_expired > 0)
    std::fprintf(stderr, "%s rows had expired, by this machine's clock, and were left out.\n",
                 format_count(uint64_t(moved.rows_expired)).c_str());
  return kDone;
}

int finish_export(const FileArguments& arguments, const Result<void>& exported,
                  const rows::PumpProgress& moved, const rows::FileSink& sink) {
  const std::string name = arguments.path == "-" ? "standard output" : arguments.path;
  if (!exported)
    return report_failed(exported.error(),
                         sink.leaves_a_part() ? name + " may have a part of the rows: do not use it"
                                              : name + " was not written: it is as it was before");
  if (arguments.common.json) {
    auto out = to_json(moved);
    rows::add_foreign(out, moved.foreign);
    std::printf("%s\n", base::json_text(out, 2).c_str());
    return kDone;
  }
  print_moved("Exported", moved);
  std::fputs(rows::foreign_text(moved.foreign, "of table " + arguments.table).c_str(), stderr);
  return kDone;
}

// Every line is checked before the first row is written: a malformed file changes nothing. Reading
// may wait for standard input, so it is done on the pool, and Ctrl-C is handled meanwhile.
Task<rows::File> open_checked(async::Pool& pool, std::string path, rows::TextFormat format) {
  co_return co_await pool.run([&]() -> Result<rows::File> {
    auto file = TRY(rows::open_input(path, temporary_folder()));
    TRY(rows::check_rows(file.get(), path, format));
    return file;
  });
}

int import_file(const FileArguments& arguments) {
  auto format = rows::parse_text_format(arguments.format);
  if (!format) return report(format.error(), kUsage);
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto known = (*run)->check_clusters({arguments.cluster}); !known)
    return report(known.error(), kUsage);
  (*run)->prepare();
  async::Pool pool(1);
  auto file = (*run)->wait_for(open_checked(pool, arguments.path, *format));
  if (!file) return report(file.error(), kPreflightFailed);
  auto table = (*run)->wait_for(open_table(**run, arguments, {.writes = true}));
  if (!table) return report(table.error(), kPreflightFailed);
  (*run)->begin_work();
  rows::FileSource source(std::move(*file), arguments.path, *format, pool);
  // Rows that have expired do not exist, as in a copy; there is no better clock at hand.
  rows::TableSink sink(*table, {.timeout = (*run)->timeout(), .clock_ahead_s = 0});
  rows::Pump pump(source, sink, (*run)->stop(), {});
  auto moved = [&] {
    ProgressLine line(arguments.common.quiet);
    return (*run)->wait_for(pump_with_progress(pump, (*run)->clock(), line, "importing", [&sink] {
      return " " + rows::joins_now(*sink.joins_used());
    }));
  }();
  return finish_import(arguments, moved, pump.progress(), *sink.joins_used());
}

int export_file(const FileArguments& arguments) {
  auto format = rows::parse_text_format(arguments.format);
  if (!format) return report(format.error(), kUsage);
  if (arguments.common.json && arguments.path == "-")
    return report(Error(Code::kInvalidArgument,
                        "with --json the result is printed on stdout; export to a file"),
                  kUsage);
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto known = (*run)->check_clusters({arguments.cluster}); !known)
    return report(known.error(), kUsage);
  (*run)->prepare();
  auto table = (*run)->wait_for(open_table(**run, arguments, {.reads = true}));
  if (!table) return report(table.error(), kPreflightFailed);
  const auto partitions = (*table)->partition_count();
  if (auto whole = (*table)->router().check_not_split(partitions); !whole)
    return report(whole.error(), kPreflightFailed);
  (*run)->begin_work();
  async::Pool pool(1);
  auto sink = rows::FileSink::open(arguments.path, *format, pool);
  if (!sink) return report(sink.error(), kPreflightFailed);
  rows::TableSource source(*table, {.timeout = (*run)->timeout()});
  rows::Pump pump(source, **sink, (*run)->stop(), {});
  auto moved = [&] {
    ProgressLine line(arguments.common.quiet);
    return (*run)->wait_for(
        pump_with_progress(pump, (*run)->clock(), line, "exporting", [] { return std::string(); }));
  }();
  if (moved)
    moved = (*run)->wait_for((*table)->router().check_still_whole(
        partitions, Deadline::in((*run)->clock(), (*run)->timeout())));
  if (moved) moved = (*sink)->close();
  return finish_export(arguments, moved, pump.progress(), **sink);
}

Verb* add_file_verb(Verb& program, const std::string& name, const std::string& description,
                    FileArguments& arguments, const std::string& path_help) {
  auto* verb = program.add_verb(name, description);
  verb->add_option("--cluster", arguments.cluster,
                   "cluster: a name in the config file, or host:port,...")
      ->required();
  verb->add_option("--table", arguments.table, "table")->required();
  verb->add_option("--format", arguments.format,
                   "jsonl: one object per line with hash_key, sort_key, value (or ..._b64) and "
                   "expire_ts (Unix seconds); tsv: these four as columns")
      ->capture_default_str();
  verb->add_option("FILE", arguments.path, path_help)->required();
  add_common_options(*verb, arguments.common);
  return verb;
}

}  // namespace

void add_import_export_commands(Verb& program, int& exit_code) {
  auto in = std::make_shared<FileArguments>();
  auto* import_verb = add_file_verb(
      program, "import",
      "Example: pegmove import --cluster A --table t --format jsonl rows.jsonl\n\n"
      "Writes the rows of a file to a table; existing rows are overwritten. Neighbouring rows of "
      "one hash key are written by MULTI_PUT or by PUT, whichever is faster by measurement. The "
      "whole file is checked first: when a line is malformed, its number is reported and nothing "
      "is "
      "written. Rows whose expire_ts has passed are left out and counted. Standard input and pipes "
      "are kept in a temporary file in $TMPDIR, or /tmp, until the import has ended.",
      *in, "file, or - for stdin");
  import_verb->list_under(kDataInAndOut, "writes the rows of a JSONL or TSV file to a table");
  auto* create =
      import_verb->add_flag("--create", in->create, "create the table; it must not exist");
  import_verb
      ->add_option("--partitions", in->partitions,
                   "partition count of the table that --create creates")
      ->needs(create)
      ->capture_default_str()
      ->in_range(1, 65536);
  import_verb->callback([in, &exit_code] { exit_code = import_file(*in); });
  auto out = std::make_shared<FileArguments>();
  auto* export_verb = add_file_verb(
      program, "export",
      "Example: pegmove export --cluster A --table t --format jsonl rows.jsonl\n\n"
      "Writes every row of a table to a file that `pegmove import` reads. The file appears "
      "when it is complete: after an error it is as it was before. Devices, pipes, and a "
      "file whose folder may not be written, are written directly.",
      *out, "file, or - for stdout");
  export_verb->list_under(kDataInAndOut, "writes every row of a table to such a file");
  export_verb->callback([out, &exit_code] { exit_code = export_file(*out); });
}

}  // namespace pegmove::apps
