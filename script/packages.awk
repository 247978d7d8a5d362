# Debian's package catalogue (apt-cache dumpavail) as rows: package, field, value; TSV as
# `pegmove import --format tsv` reads it.
function end_field() {
  if (field != "" && package != "") print package "\t" field "\t" value
  field = ""
}
/^$/ { end_field(); package = ""; next }
{ gsub(/\\/, "\\\\"); gsub(/\t/, "\\t"); gsub(/\r/, "\\r") }
/^ / { value = value "\\n" $0; next }
{
  end_field()
  colon = index($0, ":")
  field = substr($0, 1, colon - 1)
  value = substr($0, colon + 2)
  if (field == "Package") package = value
}
END { end_field() }
