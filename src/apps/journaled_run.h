// Work on a run of the journal that ends in a report.
#pragma once

#include <cstdio>

#include "apps/progress_line.h"
#include "apps/runs.h"

namespace pegmove::apps {

// Takes the run from the journal, works on it until it ends, in whatever way, and says how it
// ended. `work` makes a Task<Report> of the keeper and a function that shows a line of progress.
// Returns the exit code.
template <typename Work, typename Report>
Task<int> carry_out(CommandRun& run, const RunArguments& arguments, std::string id, Work work,
                    std::string (*to_text)(const Report&)) {
  auto keeper = CO_TRY(
      co_await migration::RunKeeper::take(run.context().get_executor(), run.clock(),
                                          CO_TRY(journal_path(arguments.state)), id, run.stop()));
  run.begin_work();
  announce(id, arguments);
  auto done = co_await [&]() -> Task<Report> {  // outlives: this frame
    ProgressLine line(arguments.common.quiet);
    co_return co_await work(*keeper, [&line](const std::string& text) { line.show(text); });
  }();
  Result<void> outcome;
  std::optional<std::string> result;
  if (done)
    result = to_json(*done);
  else
    outcome = fail(done.error());
  const auto end = CO_TRY(co_await keeper->end(outcome, std::move(result)));
  if (!done) co_return report_end(id, arguments, end);
  const auto text = arguments.common.json ? to_json(*done) + "\n" : to_text(*done);
  std::fputs(text.c_str(), stdout);
  co_return kDone;
}

}  // namespace pegmove::apps
