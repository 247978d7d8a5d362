// A real HDFS in one process, for tests: two name nodes, the first on standby, and a data node, on
// loopback. Prints "ready STANDBY_HTTP_PORT HTTP_PORT RPC_PORT DATA_PORT" and serves until standard
// input ends. The folder /full has a quota of 8 MiB.
//   java -cp 'JARS/*:FOLDER_OF_HDFS_SITE' MiniHdfs.java FOLDER
import java.io.File;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.hdfs.MiniDFSNNTopology;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;

public class MiniHdfs {
  public static void main(String[] words) throws Exception {
    Configuration conf = new HdfsConfiguration();
    conf.set("hdfs.minidfs.basedir", new File(words[0]).getAbsolutePath());
    conf.set("dfs.datanode.hostname", "127.0.0.1");
    conf.set("dfs.permissions.enabled", "true");
    conf.set("fs.permissions.umask-mode", "022");
    MiniDFSCluster cluster = new MiniDFSCluster.Builder(conf)
        .nnTopology(MiniDFSNNTopology.simpleHATopology()).numDataNodes(1).build();
    cluster.waitActive();
    cluster.transitionToActive(1);
    DistributedFileSystem files = cluster.getFileSystem(1);
    files.mkdirs(new Path("/full"));
    files.setQuota(new Path("/full"), HdfsConstants.QUOTA_DONT_SET, 8L << 20);
    System.out.println("ready " + cluster.getNameNode(0).getHttpAddress().getPort() + " "
        + cluster.getNameNode(1).getHttpAddress().getPort() + " " + cluster.getNameNodePort(1) + " "
        + cluster.getDataNodes().get(0).getInfoPort());
    System.out.flush();
    while (System.in.read() >= 0) { }
    cluster.shutdown();
    System.exit(0);
  }
}
