#include "migration/methods.h"

#include "migration/back_up_and_load.h"
#include "migration/cold_backup/back_up.h"
#include "migration/copy/copy_table.h"
#include "migration/hot/hot.h"
#include "migration/load/load.h"
#include "migration/restore/restore.h"
#include "migration/split/split.h"
#include "migration/verify/repair_run.h"
#include "migration/verify/verify.h"

namespace pegmove::migration {
namespace {

using Made = Result<std::unique_ptr<runs::Work>>;

// `Of`: the class of the work; `read`: reads its request from the run.
template <typename Of, typename Read>
runs::Method method(std::string_view name, const Ports& ports, Read read) {
  return {.name = std::string(name), .make = [&ports, read](const journal::Run& run) -> Made {
            auto request = TRY(in_context(read(run), "run " + run.id));
            return std::make_unique<Of>(std::move(request), ports);
          }};
}

}  // namespace

runs::Registry methods(const Ports& ports) {
  auto copy = method<CopyTable>(kCopyMethod, ports, [](const journal::Run& run) {
    return copy_request_from_json(run.options);
  });
  copy.check_setting = [](const std::string& key, const std::string& value) {
    rows::ThrottleOptions throttle;
    return apply_setting(throttle, key, value);
  };
  auto hot = method<hot::HotMigration>(hot::kHotMethod, ports, [](const journal::Run& run) {
    return hot::hot_request_from_json(run.options);
  });
  hot.check_setting = [](const std::string& key, const std::string& value) {
    hot::HotRequest request;
    return hot::apply_hot_setting(request, key, value);
  };
  return runs::Registry({
      std::move(copy),
      std::move(hot),
      method<BackUp>(kBackupMethod, ports,
                     [](const journal::Run& run) { return backup_request_from_json(run.options); }),
      method<BackUpAndLoad>(
          kBackUpAndLoadMethod, ports,
          [](const journal::Run& run) { return back_up_and_load_request_from_json(run.options); }),
      method<Restore>(kRestoreMethod, ports,
                      [](const journal::Run& run) { return restore_run_from_json(run.options); }),
      method<Split>(kSplitMethod, ports,
                    [](const journal::Run& run) { return split_request_from_json(run.options); }),
      method<Load>(kLoadMethod, ports,
                   [](const journal::Run& run) { return load_run_from_json(run.options); }),
      method<Verify>(kVerifyMethod, ports, verify_request_from_json),
      method<RepairRun>(kRepairMethod, ports, repair_request_from_json),
  });
}

}  // namespace pegmove::migration
