// The work of a run, created from its options: what the engine sees of a method.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runs/step.h"

namespace pegmove::runs {

// What the process shows. Each may be empty.
struct Events {
  std::function<void(const std::string& line)> show{};  // progress; replaces the previous line
  std::function<void(const std::string& text)> warn{};  // a line that remains
  std::function<void(const std::string& text)> say{};   // the same, less important
  std::function<void(std::string_view point)> at{};     // a failpoint, "copy-rows.begun": for tests
  // Asks the user a question that is answered with yes or no. Errors: kInterrupted. Empty when
  // there is nobody to ask: the option that allows it decides.
  std::function<Task<bool>(std::string question)> ask{};

  void note(const std::string& text) const {
    if (say) say(text);
  }
  void warn_of(const std::string& text) const {
    if (warn) warn(text);
  }
  void pass(std::string_view point) const {
    if (at) at(point);
  }
};

enum class Purpose { kBegin, kResume, kUndo };

// The result of the checks before the work.
struct Assessment {
  std::vector<std::string> warnings{};  // lines for the operator
  std::vector<std::string> notes{};     // the same, less important
  std::optional<Error> refusal{};       // why the run cannot begin, or be resumed, now
  std::string checks_json{};            // all that was looked at, for programs; empty: not shown
};

struct Report {
  std::string stored{};  // JSON, for the journal
  std::string json{};    // for --json
  std::string text{};    // for people
  bool tables_differ = false;
  std::optional<Error> not_done{};  // all steps are done, but the run has failed
};

// Used by one process for one run; on one executor.
class Work {
 public:
  virtual ~Work() = default;

  // Connects, and checks whether the run can begin or be resumed; for kUndo it only connects.
  // Changes nothing. Errors: kUnreachable, ...: the checks could not be made.
  virtual Task<Assessment> open(Purpose purpose) = 0;
  // The options for the journal, after open(kBegin). JSON.
  virtual std::string options() const = 0;
  // The procedure, in order; valid before open(). The work must outlive the steps.
  virtual std::vector<Step> steps() = 0;
  // After the last step.
  virtual Report report(const journal::Run& run) = 0;
  // Whether the last step has failed because it gave a cutover back: who served before serves.
  virtual bool has_given_back() const { return false; }
  // Applies a setting that `pegmove set` has changed, now or before. Unknown ones are ignored: a
  // newer pegmove may have accepted them.
  virtual void apply(const std::string& key, const std::string& value) {
    static_cast<void>(key);
    static_cast<void>(value);
  }
};

// One way of moving or comparing tables, under its name in the journal.
struct Method {
  std::string name{};
  // Errors: kCorrupt: the options are not of this method.
  std::function<Result<std::unique_ptr<Work>>(const journal::Run&)> make{};
  // Whether `pegmove set` may set this. Empty: runs of the method have no settings. Errors:
  // kInvalidArgument, naming the known settings.
  std::function<Result<void>(const std::string& key, const std::string& value)> check_setting{};
};

class Registry {
 public:
  explicit Registry(std::vector<Method> methods) : methods_(std::move(methods)) {}
  // Errors: kUnsupported, naming the run.
  Result<const Method*> find(const journal::Run& run) const;

 private:
  std::vector<Method> methods_;
};

}  // namespace pegmove::runs
