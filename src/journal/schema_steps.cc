// How each version of the journal's tables is created, or converted from the one before.
#include "journal/schema.h"

namespace pegmove::journal {
namespace {

constexpr std::string_view kSteps[] = {
    // Version 1.
    R"sql(
CREATE TABLE runs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  method TEXT NOT NULL,
  source TEXT NOT NULL,
  target TEXT NOT NULL,
  source_table TEXT NOT NULL,
  target_table TEXT NOT NULL,
  state TEXT NOT NULL,
  created_unix_ms INTEGER NOT NULL,
  updated_unix_ms INTEGER NOT NULL,
  options TEXT NOT NULL,
  reason TEXT NOT NULL,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  result TEXT NOT NULL
) STRICT;
CREATE TABLE lanes (
  run TEXT NOT NULL REFERENCES runs (id),
  lane INTEGER NOT NULL,
  last_key BLOB NOT NULL,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  done INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (run, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
  version INTEGER PRIMARY KEY AUTOINCREMENT,
  run TEXT NOT NULL REFERENCES runs (id),
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  changed_unix_ms INTEGER NOT NULL,
  UNIQUE (run, kind, name)
) STRICT;
)sql",

    // Version 2: steps of runs and units of steps. In version 1 a run that had not ended kept what
    // it had created as its result, and had lanes.
    R"sql(
CREATE TABLE steps (
  run TEXT NOT NULL REFERENCES runs (id),
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  before TEXT NOT NULL,
  product TEXT NOT NULL,
  outcome TEXT NOT NULL,
  changed_unix_ms INTEGER NOT NULL,
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE units (
  run TEXT NOT NULL REFERENCES runs (id),
  step TEXT NOT NULL,
  unit INTEGER NOT NULL,
  spec TEXT NOT NULL,
  last_key BLOB NOT NULL,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  done INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (run, step, unit)
) STRICT, WITHOUT ROWID;
CREATE TABLE progress (
  run TEXT PRIMARY KEY REFERENCES runs (id),
  step TEXT NOT NULL,
  line TEXT NOT NULL,
  unit TEXT NOT NULL,
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  per_second INTEGER NOT NULL,
  eta_ms INTEGER NOT NULL,
  updated_unix_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (
  run TEXT NOT NULL REFERENCES runs (id),
  step TEXT NOT NULL,
  until_unix_ms INTEGER NOT NULL,
  PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

-- job_over: the cluster's job failed, the run said so, and what it had set was put back.
CREATE TEMP TABLE open_runs AS
  SELECT id, method, result, updated_unix_ms AS changed,
    state IN ('failed', 'interrupted') AND (
      reason GLOB 'the cluster says that the backup failed:*' OR
      reason GLOB 'a partition could not be restored, so the cluster dropped the table*' OR
      reason GLOB 'the load ended early:*' OR reason = 'the load was cancelled on the cluster' OR
      reason GLOB 'the load of table * is not during bulk load, return last time result*')
      AS job_over
  FROM runs
  WHERE state NOT IN ('done', 'cancelled') AND result <> '' AND json_valid(result);

INSERT INTO units SELECT open_runs.id, 'split-rows', unit.key, unit.value, x'', 0, 0, 0, ''
  FROM open_runs, json_each(result, '$.units') AS unit WHERE method = 'split';
INSERT INTO units
  SELECT run, CASE method WHEN 'copy' THEN 'copy-rows' WHEN 'split' THEN 'split-rows'
                          WHEN 'verify' THEN 'compare' ELSE 'repair' END,
         lane, '', last_key, lanes.rows, lanes.bytes, done, detail
  FROM lanes JOIN runs ON runs.id = lanes.run
  WHERE method IN ('copy', 'split', 'verify', 'repair')
  ON CONFLICT (run, step, unit) DO UPDATE SET last_key = excluded.last_key,
    rows = excluded.rows, bytes = excluded.bytes, done = excluded.done, detail = excluded.detail;

INSERT INTO steps SELECT id, 1, 'make-target', iif(result = '{}', 'begun', 'done'), '',
    iif(result = '{}', '', result), '', changed FROM open_runs WHERE method = 'copy';
INSERT INTO steps SELECT id, 2, 'copy-rows', 'begun', '', '', '', changed
  FROM open_runs WHERE method = 'copy' AND result <> '{}';
INSERT INTO steps SELECT id, 1, 'start-' || method,
    CASE WHEN job_over THEN 'undone' WHEN result = '{}' THEN 'begun' ELSE 'done' END, '',
    iif(job_over OR result = '{}', '', result), '', changed
  FROM open_runs WHERE method IN ('backup', 'restore');
INSERT INTO steps SELECT id, 1, 'plan-split', 'done', '', json_remove(result, '$.units'), '',
    changed FROM open_runs WHERE method = 'split';
INSERT INTO steps SELECT id, 2, 'split-rows', 'begun', '', '', '', changed
  FROM open_runs WHERE method = 'split';
INSERT INTO steps SELECT id, 1, 'prepare-table', iif(job_over, 'undone', 'begun'),
    json_remove(result, '$.started'), '', '', changed
  FROM open_runs WHERE method = 'load' AND json_type(result, '$.level') = 'integer';
INSERT INTO steps SELECT id, 2, 'start-load',
    CASE WHEN job_over THEN 'undone' WHEN json_extract(result, '$.started') = 1 THEN 'done'
         ELSE 'begun' END, '', '', '', changed
  FROM open_runs WHERE method = 'load' AND json_type(result, '$.level') = 'integer';
INSERT INTO steps SELECT id, 1, 'compare', 'begun', '', '', '', changed
  FROM open_runs WHERE method = 'verify';
INSERT INTO steps SELECT id, 1, 'repair', 'begun', '', '', '', changed
  FROM open_runs WHERE method = 'repair';

UPDATE runs SET result = '' WHERE id IN (SELECT id FROM open_runs);
DROP TABLE open_runs;
DROP TABLE lanes;
)sql",
};

}  // namespace

std::span<const std::string_view> schema_steps() { return kSteps; }

}  // namespace pegmove::journal
