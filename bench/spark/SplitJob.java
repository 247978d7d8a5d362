// What a split is compared with: the straightforward Spark job. Rows of the checkpoints go through a shuffle that
// sorts them within the target partitions (repartitionAndSortWithinPartitions), and rocksdbjni writes them.
//
//   SplitJob CHECKPOINTS SOURCES TARGETS OUTPUT CORES
//
// CHECKPOINTS/<partition>/chkpt_bench_1 are read where they lie. Prints "rows N seconds S"; the time is that of the
// job, without the JVM's and Spark's start.
import java.io.File;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.Partitioner;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.rocksdb.ColumnFamilyDescriptor;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.DBOptions;
import org.rocksdb.EnvOptions;
import org.rocksdb.Options;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.SstFileWriter;
import scala.Tuple2;

public final class SplitJob {
  private static final long FILE_BYTES = 64 << 20;
  private static final long[] TABLE = new long[256];

  static {
    for (int i = 0; i < 256; ++i) {
      long crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ ((crc & 1) != 0 ? 0x9a6c9329ac4bc9b5L : 0);
      TABLE[i] = crc;
    }
  }

  // Of the hash key, or of the sort key where that is empty.
  static long hash(byte[] key) {
    int length = (key[0] & 0xff) << 8 | (key[1] & 0xff);
    int end = length > 0 ? 2 + length : key.length;
    long crc = ~0L;
    for (int i = 2; i < end; ++i) crc = TABLE[(int) ((crc ^ key[i]) & 0xff)] ^ (crc >>> 8);
    return ~crc;
  }

  static final class ByHash extends Partitioner {
    private final int count;
    ByHash(int count) { this.count = count; }
    @Override public int numPartitions() { return count; }
    @Override public int getPartition(Object key) { return (int) Long.remainderUnsigned(hash((byte[]) key), count); }
  }

  static final class ByBytes implements Comparator<byte[]>, Serializable {
    @Override public int compare(byte[] one, byte[] other) { return Arrays.compareUnsigned(one, other); }
  }

  // The rows of a checkpoint, without the record under the empty key.
  static final class Rows implements Iterator<Tuple2<byte[], byte[]>> {
    private final RocksIterator rows;
    Rows(String folder) throws RocksDBException {
      RocksDB.loadLibrary();
      List<ColumnFamilyDescriptor> families = new ArrayList<>();
      try (Options options = new Options()) {
        for (byte[] name : RocksDB.listColumnFamilies(options, folder)) families.add(new ColumnFamilyDescriptor(name));
      }
      List<ColumnFamilyHandle> handles = new ArrayList<>();
      RocksDB db = RocksDB.openReadOnly(new DBOptions(), folder, families, handles);
      rows = db.newIterator(handles.get(0), new ReadOptions().setReadaheadSize(4 << 20));
      rows.seekToFirst();
      if (rows.isValid() && rows.key().length == 0) rows.next();
    }
    @Override public boolean hasNext() { return rows.isValid(); }
    @Override public Tuple2<byte[], byte[]> next() {
      Tuple2<byte[], byte[]> row = new Tuple2<>(rows.key(), rows.value());
      rows.next();
      return row;
    }
  }

  static long write(String folder, Iterator<Tuple2<byte[], byte[]>> rows) throws RocksDBException {
    RocksDB.loadLibrary();
    new File(folder).mkdirs();
    long count = 0, bytes = 0;
    int files = 0;
    SstFileWriter writer = null;
    while (rows.hasNext()) {
      Tuple2<byte[], byte[]> row = rows.next();
      if (writer == null) {
        writer = new SstFileWriter(new EnvOptions(), new Options());
        writer.open(folder + "/" + ++files + ".sst");
        bytes = 0;
      }
      writer.put(row._1(), row._2());
      bytes += row._1().length + row._2().length;
      ++count;
      if (bytes < FILE_BYTES) continue;
      writer.finish();
      writer = null;
    }
    if (writer != null) writer.finish();
    return count;
  }

  public static void main(String[] words) {
    String checkpoints = words[0], output = words[3];
    int sources = Integer.parseInt(words[1]), targets = Integer.parseInt(words[2]);
    SparkConf conf = new SparkConf().setAppName("SplitJob").setMaster("local[" + words[4] + "]");
    conf.set("spark.ui.enabled", "false").set("spark.driver.host", "127.0.0.1");
    conf.set("spark.driver.bindAddress", "127.0.0.1").set("spark.local.dir", output + ".shuffle");
    try (JavaSparkContext context = new JavaSparkContext(conf)) {
      List<Integer> partitions = new ArrayList<>();
      for (int i = 0; i < sources; ++i) partitions.add(i);
      context.parallelize(partitions, sources).count();  // Spark is warm
      long begin = System.nanoTime();
      JavaPairRDD<byte[], byte[]> rows = context.parallelize(partitions, sources).flatMapToPair(
          partition -> new Rows(checkpoints + "/" + partition + "/chkpt_bench_1"));
      long count = rows.repartitionAndSortWithinPartitions(new ByHash(targets), new ByBytes())
          .mapPartitions(target -> List.of(write(output + "/" + TaskContext.getPartitionId(), target)).iterator())
          .reduce(Long::sum);
      System.out.println("rows " + count + " seconds " + (System.nanoTime() - begin) / 1e9);
    }
  }
}
