// Pegasus's custom scalar types. On the wire their fields carry the type byte of a struct, and then
// a payload without field headers or STOP byte: so they are declared here for the compiler's sake,
// and written by hand in src/wire/dsn_types.h. Generate without -r, so that nothing is made of this.
namespace cpp pegmove.wire

struct blob {}
struct error_code {}
struct task_code {}
struct rpc_address {}
struct gpid {}
struct host_port {}
