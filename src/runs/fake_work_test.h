// A method whose world is a folder of files: a table that is made, a setting that is changed, rows
// that are copied, and a switch that cannot be taken back. For the tests of the engine.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "runs/engine.h"
#include "testing/test_folder.h"

namespace pegmove::runs {

class FakeWork : public Work {
 public:
  explicit FakeWork(std::string world) : world_(std::move(world)) {}

  bool has(const char* name) const { return std::filesystem::exists(path(name)); }
  std::string read(const char* name) const {
    return has(name) ? testing::read_file(path(name)) : "";
  }
  void write(const char* name, const std::string& text) const {
    testing::write_file(path(name), text);
  }

  Task<Assessment> open(Purpose purpose) override {
    opened.push_back(purpose);
    if (is_away) co_return fail(Code::kUnreachable, "the cluster is away");
    co_return Assessment{.refusal = refusal};
  }
  std::string options() const override { return "{}"; }
  std::vector<Step> steps() override {
    return {{.name = "make",
             .does = "make the table",
             .kind = StepKind::kCompensable,
             .run = [this](StepContext) { return make(); },
             .find_product = [this](StepContext) { return find_table(); },
             .take = [this](const journal::StepRecord& record) { return take_table(record); },
             .undo = [this](StepContext, const journal::StepRecord&) { return drop(); }},
            {.name = "set",
             .does = "change the setting",
             .kind = StepKind::kCompensable,
             .run = [this](StepContext) { return set(); },
             .find_before = [this](StepContext context) { return find_setting(context); },
             .undo = [this](StepContext,
                            const journal::StepRecord& record) { return put_back(record.before); }},
            {.name = "copy",
             .does = "copy the rows",
             .run = [this](StepContext context) { return copy(context); }},
            {.name = "switch",
             .does = "switch",
             .kind = StepKind::kPivot,
             .run = [this](StepContext) { return switch_over(); },
             .undo = [this](StepContext, const journal::StepRecord&) { return find_switched(); }}};
  }
  Report report(const journal::Run&) override {
    return {.stored = R"({"rows":1})", .json = "{}", .text = "Done.\n", .not_done = not_done};
  }
  void apply(const std::string& key, const std::string& value) override {
    applied.emplace_back(key, value);
  }

  std::vector<Purpose> opened;
  std::vector<std::pair<std::string, std::string>> applied;
  std::optional<Error> refusal, not_done, copy_fails;
  std::function<void()> at_copy;
  std::function<void(RunSession&)> at_copy_in;
  bool is_away = false, is_known_at_undo = true;
  int makes = 0, table = 0;

 private:
  std::string path(const char* name) const { return world_ + "/" + name; }

  Task<std::string> make() {
    if (has("table")) co_return fail(Code::kAlreadyExists, "there is a table");
    ++makes;
    write("table", "1");
    co_return R"({"table":1})";
  }
  Task<std::optional<std::string>> find_table() {
    co_return has("table") ? std::optional<std::string>(R"({"table":1})") : std::nullopt;
  }
  Result<void> take_table(const journal::StepRecord& record) {
    if (record.product.empty()) return {};
    table = nlohmann::json::parse(record.product).value("table", 0);
    return {};
  }
  Task<Undone> drop() {
    if (!is_known_at_undo) co_return fail(Code::kTimeout, "no answer");
    const bool was_there = std::filesystem::remove(path("table"));
    co_return Undone{.end = UndoEnd::kUndone, .says = was_there ? "the table is dropped" : ""};
  }
  Task<std::string> find_setting(StepContext context) {
    const auto* record = context.session.find_step("set");
    if (record && !record->before.empty()) co_return record->before;  // it is repeated
    co_return nlohmann::json{{"setting", read("setting")}}.dump();
  }
  Task<std::string> set() {
    write("setting", "new");
    co_return std::string();
  }
  Task<Undone> put_back(std::string before) {
    if (!before.empty()) write("setting", nlohmann::json::parse(before).value("setting", "?"));
    co_return Undone{.end = UndoEnd::kUndone, .says = "the setting is as it was"};
  }
  Task<std::string> copy(StepContext context) {
    if (at_copy) at_copy();
    if (at_copy_in) at_copy_in(context.session);
    if (copy_fails) co_return fail(*copy_fails);
    if (context.session.stop().requested()) co_return fail(Code::kInterrupted, "stopped");
    write("rows", "all");
    co_return std::string();
  }
  Task<std::string> switch_over() {
    write("switched", "yes");
    co_return std::string();
  }
  Task<Undone> find_switched() {
    co_return has("switched") ? Undone{UndoEnd::kTooLate, "it was switched already"}
                              : Undone{.end = UndoEnd::kUndone};
  }

  const std::string world_;
};

}  // namespace pegmove::runs
