// Method four: a table moves to another cluster while clients use it. A duplication brings its rows
// and what is written, and a cutover sends the clients over, in milliseconds to seconds.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compare/live_verification.h"
#include "migration/hot/await_restart.h"
#include "migration/hot/cluster_side.h"
#include "migration/hot/cutover.h"
#include "migration/hot/duplicate.h"
#include "migration/hot/guard.h"
#include "migration/hot/hot_report.h"
#include "migration/hot/hot_request.h"
#include "migration/hot/preflight.h"
#include "migration/hot/relay_port.h"
#include "migration/hot/server_settings.h"
#include "migration/hot/serving.h"
#include "migration/move_files.h"
#include "migration/ports.h"
#include "runs/engine.h"

namespace pegmove::migration::hot {

class HotMigration;

// The procedure: duplicate the table with its rows, wait until the target has nearly everything,
// have real servers ship one write a request, compare and repair, duplicate back for a rollback,
// wait for the word, cut over, watch, and clean up.
// To another partition count: what is written is duplicated to a relay from before a backup, and
// the older rows come as files behind it.
std::vector<runs::Step> duplicate_and_cut_over(HotMigration& hot);
// Before all others, when servers have to be restarted first.
runs::Step await_restart_step(HotMigration& hot);
// Parts of it for another count: before the duplication is added, and after it.
std::vector<runs::Step> prepare_for_relay(HotMigration& hot);
std::vector<runs::Step> move_older_rows(HotMigration& hot);

// Names of steps that other processes look for.
inline constexpr const char* kDuplicateBackStep = "duplicate-back";
inline constexpr const char* kWaitStep = "wait-for-cutover";
inline constexpr const char* kCutoverStep = "cutover";
inline constexpr const char* kWatchStep = "watch";
inline constexpr const char* kCompleteStep = "complete";
// The outcome of the step `cutover` after a rollback, and how that of one that was given back
// begins.
inline constexpr const char* kRolledBack = "rolled back: the source serves";
inline constexpr const char* kGivenBack = "given back: ";
inline constexpr const char* kNoWayBack =
    "there is no way back: the run was begun with --no-way-back";
// That of the steps that `watch` has led back to.
inline constexpr const char* kRollbackAsked = "a rollback was asked for";

// A switch under way, as the journal keeps it before it acts: enough for the guard.
struct JournaledSwitch {
  CutoverBefore before{};
  bool goes_back = false;
  bool opens_target = false;
  std::optional<ServedRate> served{};  // of the side that is left
};
std::string to_json(const JournaledSwitch& journaled);
// Errors: kCorrupt.
Result<JournaledSwitch> journaled_switch_from_json(std::string_view text);

// Who serves is what the node in ZooKeeper says, not the journal: a step that acts looks there. A
// switch in either direction is carried out by the step `cutover`: from the cluster that the node
// names to the other one. `watch` leads back to it for a rollback, which leads back to
// `wait-for-cutover`.
//
// A cancel before the cutover removes the duplications and puts the settings back; after it, it is
// refused: the rollback comes first. Errors of the run: those of its parts; kRefused: the cutover
// was given back (has_given_back()), and a resumed run waits for the next one.
class HotMigration : public runs::Work {
 public:
  // `from` and `to`: the clusters as the user named them; empty: as in the request.
  HotMigration(HotRequest request, const Ports& ports, std::string from = "", std::string to = "");
  ~HotMigration() override;

  Task<runs::Assessment> open(runs::Purpose purpose) override;
  std::string options() const override { return to_json(request_); }
  std::vector<runs::Step> steps() override { return duplicate_and_cut_over(*this); }
  runs::Report report(const journal::Run& run) override;
  bool has_given_back() const override { return has_given_back_; }
  void apply(const std::string& key, const std::string& value) override;

  const HotRequest& request() const { return request_; }
  // How long clients wait at most during a switch with this fence, which compares the tables or
  // not.
  async::milliseconds write_hold(FenceKind fence, bool compares) const;

  // For processes that do not hold the run. Reads the journal's steps, after open(kUndo).
  Result<void> take_steps(const std::vector<journal::StepRecord>& records);
  // Guards the cutover that `record` has begun: guard_cutover(). Errors: its own, kCorrupt.
  Task<GuardEnd> guard(journal::StepRecord record, Holder& holder, CutoverHooks hooks);
  // What a cutover or a rollback would do now, as text: who serves, and how far the target is.
  Task<std::string> describe_switch(bool goes_back);

  // The steps. hot/await_restart.cc:
  Task<std::string> await_restart(runs::StepContext context);
  Result<void> take_restart(const journal::StepRecord& record);
  // hot/shipping_steps.cc:
  Task<std::string> find_no_duplication();
  Task<std::string> duplicate();
  Task<std::optional<std::string>> find_duplication();
  Result<void> take_duplication(const journal::StepRecord& record);
  Task<runs::Undone> undo_duplication(runs::StepContext context);
  Task<std::string> catch_up(runs::StepContext context);
  Task<std::string> find_settings();
  Result<void> take_settings(const journal::StepRecord& record);
  Task<std::string> ship_one_by_one(runs::StepContext context);
  Task<runs::Undone> put_settings_back();
  Task<std::string> verify_live(runs::StepContext context);
  Result<void> take_verification(const journal::StepRecord& record);
  Task<std::string> touch_target();
  Task<std::string> find_no_duplication_back();
  Task<std::string> duplicate_back();
  Task<std::optional<std::string>> find_duplication_back();
  Result<void> take_duplication_back(const journal::StepRecord& record);
  Task<runs::Undone> undo_duplication_back(runs::StepContext context);
  Task<std::string> await_back(runs::StepContext context);
  Task<std::string> wait_for_cutover(runs::StepContext context);
  // hot/relay_steps.cc, to another partition count:
  Task<std::string> find_no_target();
  Task<std::string> make_target(runs::StepContext context);
  Task<runs::Undone> drop_made_target(const journal::StepRecord& record);
  Task<std::string> await_relay(runs::StepContext context, bool goes_back);
  Task<std::string> touch_source();
  Task<std::string> await_shipped_from(runs::StepContext context);
  Result<void> take_shipped_from(const journal::StepRecord& record);
  Task<std::string> check_backup(runs::StepContext context);
  Task<std::string> finish_target();
  MoveFiles& files() { return *files_; }
  // hot/switch_steps.cc:
  Task<std::string> find_before_switch(runs::StepContext context);
  Task<std::string> cut_over(runs::StepContext context);
  Task<std::optional<std::string>> find_switched(runs::StepContext context);
  Result<void> take_switch(const journal::StepRecord& record);
  Task<runs::Undone> give_cutover_back(runs::StepContext context,
                                       const journal::StepRecord& record);
  Task<std::string> watch(runs::StepContext context);
  Task<std::string> complete(runs::StepContext context);
  Task<std::string> find_target_serves();

 private:
  // A switch, with all that carries it out.
  struct SwitchAttempt {
    JournaledSwitch journaled;
    CutoverPlan plan;
    CutoverPorts ports;
  };
  struct RestartLook {
    std::vector<std::string> missing{};  // what is waited for
    HotRequest request{};                // with what the servers say now, when nothing is missing
  };

  int64_t took_ms(async::Instant began_at) const {
    return std::chrono::duration_cast<async::milliseconds>(ports_.clock.now() - began_at).count();
  }
  Deadline soon() const { return Deadline::in(ports_.clock, request_.timeout); }
  bool has_real_servers() const {
    return !request_.source.is_embedded || !request_.target.is_embedded;
  }
  Result<void> bind_ways();
  Task<RestartLook> look_at_restart(AwaitedServers& awaited);
  Task<ClusterSide*> source();
  Task<ClusterSide*> target();
  Task<NodeNames> who_serves();
  Task<CutoverPlan> plan(bool goes_back, bool opens_target);
  bool compares(bool goes_back, bool opens_target) const;
  Task<> wait_until_shipping(runs::StepContext context, bool goes_back);
  Task<runs::Undone> remove_forward();
  Task<runs::Undone> remove_back();
  enum class Keeps { kBoth, kTarget };
  Task<bool> keep_settings(runs::StepContext context, Keeps keeps);
  Task<> give_up_verification(runs::StepContext context);
  Task<> certify(const journal::Run& run, std::shared_ptr<client::Table> from,
                 std::shared_ptr<client::Table> to, compare::LiveVerification live,
                 async::milliseconds within);
  std::optional<std::string> why_not_verified(const journal::Run& run) const;
  Task<> verify_again_unless_ready(runs::StepContext context, bool lost_setting);
  std::string readiness(bool goes_back) const;
  Task<> remove_way_back(runs::StepContext context);
  Task<> wait_until_not_shipping_back(runs::StepContext context);
  Task<bool> is_too_fast_to_verify();
  Task<bool> is_target_denied();
  Task<SwitchAttempt> attempt_of(JournaledSwitch journaled);
  Task<std::string> end_switched(runs::StepContext context, bool goes_back, HotSwitch done);
  Task<std::string> end_given_back(runs::StepContext context, bool goes_back, std::string says);
  Routine<> look_at_serving(runs::StepContext context);
  Routine<> look_around(runs::StepContext context);
  Task<> unseal_way_there();
  Task<> unseal_way_back();
  Task<> look_at_way_back();
  Task<> look_at_proxies();
  Task<> look_at_source(runs::StepContext context, bool proxies_follow);
  Task<> ship_in_batches(runs::StepContext context, std::string why);
  Task<> repair_other_side(runs::StepContext context, bool goes_back,
                           const async::StopSignal& stop);
  Task<> check_setting_under_fence(bool goes_back);
  Task<> check_under_fence(runs::StepContext context, bool goes_back, bool is_compared,
                           Deadline deadline);
  Task<JournaledSwitch> look_before_switch(const journal::Run& run, bool goes_back);
  Routine<std::optional<ServedRate>> served_before_switch(bool goes_back);
  Routine<> note_serving(ClusterSide& side, ServingMeter& meter);
  Task<> check_nobody_wrote_back(const journal::StepRecord& record,
                                 const JournaledSwitch& journaled);
  runs::Undone too_late_to_cancel(runs::StepContext context);
  Task<std::optional<runs::Undone>> why_too_late(runs::StepContext context);
  CutoverHooks hooks_of(runs::StepContext context);
  Task<> forget_follower_envs();
  RelayEnds relay_ends(bool goes_back) const {
    return {.from = goes_back ? request_.target : request_.source,
            .to = goes_back ? request_.source : request_.target,
            .root = request_.other.relay_root};
  }

  HotRequest request_;
  const Ports& ports_;
  const std::string from_, to_;
  std::shared_ptr<client::Cluster> source_cluster_, target_cluster_;
  std::unique_ptr<ClusterSide> source_, target_;  // once their tables exist
  routes::Nodes* nodes_ = nullptr;
  TableDuplication forward_, back_;
  std::unique_ptr<RelayPort> relay_, relay_back_;  // after open(); null: there is none
  std::unique_ptr<MoveFiles> files_;               // with a relay
  std::vector<int64_t> shipped_from_;              // decrees, by partition of the source
  int backups_ = 0;                                // of this process
  std::vector<ServerValue> source_settings_, target_settings_;  // before they were changed
  bool has_settings_ = false;
  bool ships_in_batches_ = false;  // real servers, since one by one they cannot keep up
  bool was_too_late_ = false;      // for a cancel
  int64_t fenced_us_ = 0;          // Unix time: clients of the side that is left wrote before it
  bool has_given_back_ = false;
  ServingMeter target_serving_, source_serving_;
  ServingMeter serving_before_;     // of the source, until a cutover
  std::set<std::string> problems_;  // of the last look around
  std::set<std::string> warned_of_;
  int64_t behind_on_the_way_back_ = 0;  // mutations
  HotReport report_;
};

// What is asked of the run by `pegmove set`: max-write-hold. Errors: kInvalidArgument.
Result<void> apply_hot_setting(HotRequest& request, std::string_view key, std::string_view value);

}  // namespace pegmove::migration::hot
