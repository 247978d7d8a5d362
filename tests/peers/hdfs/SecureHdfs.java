// A real HDFS that asks for Kerberos, with its KDC, in one process, for tests: a name node and a data
// node, on loopback. Prints "ready HTTP_PORT KDC_PORT DATA_PORT" and serves until standard input ends. The folder
// gets the keytab of pegasus@EXAMPLE.COM, who owns the folder /user, and a delegation token of his:
// user.keytab, user.token.
//   java -cp 'JARS/*:FOLDER_OF_HDFS_SITE' SecureHdfs.java FOLDER
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.util.Properties;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.minikdc.MiniKdc;
import org.apache.hadoop.security.UserGroupInformation;

public class SecureHdfs {
  public static void main(String[] words) throws Exception {
    File folder = new File(words[0]).getAbsoluteFile();
    Properties settings = MiniKdc.createConf();
    settings.setProperty(MiniKdc.KDC_BIND_ADDRESS, "127.0.0.1");
    MiniKdc kdc = new MiniKdc(settings, folder);
    kdc.start();
    File server = new File(folder, "server.keytab");
    kdc.createPrincipal(server, "hdfs/localhost", "HTTP/localhost");
    File user = new File(folder, "user.keytab");
    kdc.createPrincipal(user, "pegasus");

    Configuration conf = configuration(folder, server, "@" + kdc.getRealm());
    UserGroupInformation.setConfiguration(conf);
    MiniDFSCluster cluster = new MiniDFSCluster.Builder(conf).numDataNodes(1).checkDataNodeAddrConfig(true).build();
    cluster.waitActive();
    DistributedFileSystem files = cluster.getFileSystem();
    org.apache.hadoop.fs.Path home = new org.apache.hadoop.fs.Path("/user");
    files.mkdirs(home);
    files.setOwner(home, "pegasus", "pegasus");
    Files.writeString(Path.of(folder.getPath(), "user.token"), tokenOf("pegasus", user, conf));
    System.out.println("ready " + cluster.getNameNode().getHttpAddress().getPort() + " " + kdc.getPort()
        + " " + cluster.getDataNodes().get(0).getInfoPort());
    System.out.flush();
    while (System.in.read() >= 0) { }
    cluster.shutdown();
    kdc.stop();
    System.exit(0);
  }

  static String tokenOf(String name, File keytab, Configuration conf) throws Exception {
    UserGroupInformation user = UserGroupInformation.loginUserFromKeytabAndReturnUGI(name, keytab.getPath());
    return user.doAs((PrivilegedExceptionAction<String>) () ->
        FileSystem.newInstance(conf).getDelegationToken(name).encodeToUrlString());
  }

  static Configuration configuration(File folder, File keytab, String realm) {
    Configuration conf = new HdfsConfiguration();
    conf.set("hdfs.minidfs.basedir", new File(folder, "dfs").getPath());
    conf.set("hadoop.security.authentication", "kerberos");
    conf.set("hadoop.security.authorization", "true");
    for (String node : new String[] {"dfs.namenode", "dfs.datanode"}) {
      conf.set(node + ".kerberos.principal", "hdfs/localhost" + realm);
      conf.set(node + ".keytab.file", keytab.getPath());
    }
    conf.set("dfs.web.authentication.kerberos.principal", "HTTP/localhost" + realm);
    conf.set("dfs.web.authentication.kerberos.keytab", keytab.getPath());
    conf.set("hadoop.http.filter.initializers", "org.apache.hadoop.hdfs.web.AuthFilterInitializer");
    conf.set("hadoop.http.authentication.type", "kerberos");
    conf.set("hadoop.http.authentication.kerberos.principal", "HTTP/localhost" + realm);
    conf.set("hadoop.http.authentication.kerberos.keytab", keytab.getPath());
    conf.set("dfs.block.access.token.enable", "true");
    conf.set("dfs.data.transfer.protection", "authentication");
    // That a data node may then do without TLS.
    conf.set("ignore.secure.ports.for.testing", "true");
    conf.set("dfs.datanode.hostname", "localhost");
    return conf;
  }
}
