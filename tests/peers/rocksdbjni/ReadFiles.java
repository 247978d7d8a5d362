// Prints all rows of table files, as RocksDB's own Java library reads them: "file<TAB>key<TAB>value" a line, in
// hexadecimal, in the order of the file. Checksums are verified.
import java.io.PrintStream;
import java.util.HexFormat;
import org.rocksdb.Options;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDB;
import org.rocksdb.SstFileReader;
import org.rocksdb.SstFileReaderIterator;

public final class ReadFiles {
  public static void main(String[] files) throws Exception {
    RocksDB.loadLibrary();
    HexFormat hex = HexFormat.of();
    PrintStream out = new PrintStream(System.out, false, "US-ASCII");
    for (String file : files) {
      try (Options options = new Options(); SstFileReader reader = new SstFileReader(options)) {
        reader.open(file);
        reader.verifyChecksum();
        try (ReadOptions read = new ReadOptions(); SstFileReaderIterator rows = reader.newIterator(read)) {
          for (rows.seekToFirst(); rows.isValid(); rows.next())
            out.println(file + "\t" + hex.formatHex(rows.key()) + "\t" + hex.formatHex(rows.value()));
          rows.status();
        }
      }
    }
    out.flush();
  }
}
