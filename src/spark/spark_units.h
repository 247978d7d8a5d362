// Carries out the units of a split as tasks of a Spark cluster; each task runs this program. Spark
// gets the program and its libraries as an archive; spark/pegmove_split.py is its driver. Spark
// repeats the units of a lost executor.
#pragma once

#include <memory>
#include <string>

#include "async/pool.h"
#include "blockstore/provider.h"
#include "migration/split/split_units.h"

namespace pegmove::spark {

// The files of a bundle for Spark besides the program.
inline constexpr const char* kSpecFile = "split.json";
inline constexpr const char* kStoresFile = "stores.ini";

// Request and plan, as split-unit reads them.
struct UnitSpec {
  migration::SplitRequest request;
  splitter::SplitPlan plan;
};
std::string to_json(const UnitSpec& spec);
// Errors: kCorrupt, naming the field.
Result<UnitSpec> unit_spec_from_json(std::string_view text);

// The path of spark-submit: `given`, or below $SPARK_HOME, or in PATH. Errors: kNotFound.
Result<std::string> submit_program(const std::string& given);

class SparkUnits : public migration::UnitEngine {
 public:
  // `providers`: the stores of the request; executors get them without secrets, which are not part
  // of the configuration. The pool must have a free thread and outlive it; Spark is ended with the
  // pool.
  SparkUnits(blockstore::Providers providers, async::Pool& pool)
      : providers_(std::move(providers)), pool_(pool) {}

  // Files are in the request's work folder, among them Spark's log, spark.log, which is kept after
  // an error. Errors: also kRefused: Spark failed, or a unit failed repeatedly, with their last
  // messages.
  Task<> carry_out(const migration::SplitRequest& request, const splitter::SplitPlan& plan,
                   std::vector<size_t> units, migration::EngineEvents events) override;

 private:
  blockstore::Providers providers_;
  async::Pool& pool_;
};

}  // namespace pegmove::spark
