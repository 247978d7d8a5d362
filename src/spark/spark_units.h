// The units of a split as tasks of a Spark cluster, each carried out by this program there. Spark
// gets the program and its libraries as an archive; spark/pegmove_split.py is its driver. What is
// lost with an executor is done again by Spark.
#pragma once

#include <memory>
#include <string>

#include "async/pool.h"
#include "blockstore/provider.h"
#include "migration/split/split_units.h"

namespace pegmove::spark {

// What a bundle for Spark has beside the program.
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

// Where spark-submit is: `given`, or below $SPARK_HOME, or in PATH. Errors: kNotFound.
Result<std::string> submit_program(const std::string& given);

class SparkUnits : public migration::UnitEngine {
 public:
  // `providers`: the stores of the request; executors get them without their secrets, which are in
  // no configuration. The pool has a thread to spare, and outlives it: with the pool Spark ends.
  SparkUnits(blockstore::Providers providers, async::Pool& pool)
      : providers_(std::move(providers)), pool_(pool) {}

  // Files are in the request's work folder: what Spark logs in spark.log, which stays after an
  // error. Errors: also kRefused: Spark failed, or a unit did for good, with what they say last.
  Task<> carry_out(const migration::SplitRequest& request, const splitter::SplitPlan& plan,
                   std::vector<size_t> units, migration::EngineEvents events) override;

 private:
  blockstore::Providers providers_;
  async::Pool& pool_;
};

}  // namespace pegmove::spark
