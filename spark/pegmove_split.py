"""The driver of a split on Spark: hands its units to executors as tasks, and prints what each has made.

`pegmove split --engine spark` runs it through spark-submit, on the machine where pegmove runs. Its argument is a
folder with the program's bundle and the units' numbers. What unit N has made comes into the folder as
results/N.json, and a line "pegmove-unit N" tells of it; what a unit said that failed for good comes into
results/failed. Lines alone would not do: the whole JVM writes to the same stdout.
"""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

from pyspark import AccumulatorParam, SparkContext, SparkFiles

LOOK_EVERY_S = 0.2
FAILED = "pegmove-failed "


class Results(AccumulatorParam):
    def zero(self, value):
        return []

    def addInPlace(self, value1, value2):
        value1 += value2
        return value1


def carry_out(unit):
    """One unit, on an executor. Whatever fails is Spark's to try again."""
    bundle = os.path.join(SparkFiles.getRootDirectory(), "bundle")
    loader = os.path.join(bundle, "lib", "ld.so")
    for path in (loader, os.path.join(bundle, "pegmove")):
        if not os.access(path, os.X_OK):
            os.chmod(path, 0o755)
    work = tempfile.mkdtemp(prefix="pegmove-unit-", dir=SparkFiles.getRootDirectory())  # which Spark removes
    try:
        words = [loader, "--library-path", os.path.join(bundle, "lib"), os.path.join(bundle, "pegmove"), "split-unit",
                 "--spec", os.path.join(bundle, "split.json"), "--config", os.path.join(bundle, "stores.ini"),
                 "--unit", str(unit), "--work-dir", work]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(FAILED + json.dumps("unit %d ended with %d: %s" % (
                unit, done.returncode, done.stderr.decode(errors="replace")[-4000:].strip())))
        return json.loads(done.stdout)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def put(folder, name, text):
    """A file that is there whole or not at all."""
    path = os.path.join(folder, "results", name)
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".part", path)


def words_of(failure):
    """What the unit itself said, out of what Spark makes of it."""
    for line in str(failure).splitlines():
        if FAILED in line:
            return json.loads(line.split(FAILED, 1)[1])
    return str(failure)


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, "units.json"), encoding="utf-8") as file:
        units = json.load(file)
    context = SparkContext()
    context.addArchive(os.path.join(folder, "bundle.tar.gz#bundle"))
    results = context.accumulator([], Results())
    job = concurrent.futures.ThreadPoolExecutor(1).submit(
        context.parallelize(units, len(units)).foreach,
        lambda unit: results.add([{"unit": unit, "result": carry_out(unit)}]))
    written = 0
    while True:
        is_over = concurrent.futures.wait([job], timeout=LOOK_EVERY_S).done
        for result in results.value[written:]:
            put(folder, "%d.json" % result["unit"], json.dumps(result["result"]))
            print("pegmove-unit %d" % result["unit"], flush=True)
            written += 1
        if is_over:
            break
    failure = job.exception()
    if failure:
        put(folder, "failed", words_of(failure))
        raise failure
    context.stop()


if __name__ == "__main__":
    main()
