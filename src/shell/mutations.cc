#include "shell/mutations.h"

#include <fmt/format.h>

#include "shell/options.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

constexpr std::string_view kHowToEnd =
    ", print \"ok\" to finish loading, print \"abort\" to abort this command";

std::unexpected<Error> wrong_mutation(std::string text) {
  return fail(Code::kInvalidArgument, std::move(text));
}

}  // namespace

Result<MutationLine> parse_mutation(std::string_view line) {
  auto words = split_words(line);
  auto count = words ? words->size() : 0;
  const std::string operation = count > 0 ? words->front() : "";
  if (operation == "abort") return LoadEnd::kAbort;
  if (operation == "ok") return LoadEnd::kOk;
  if (operation == "del" && count == 2) return TypedDel{(*words)[1]};
  if (operation != "set" || (count != 3 && count != 4))
    return wrong_mutation("invalid mutation, print \"ok\" to finish loading");
  TypedSet set{(*words)[1], (*words)[2]};
  if (count == 3) return set;
  auto ttl = parse_int32((*words)[3]);
  if (!ttl)
    return wrong_mutation(fmt::format("parse \"{}\" as ttl failed{}", (*words)[3], kHowToEnd));
  if (*ttl <= 0) return wrong_mutation(fmt::format("invalid ttl {}{}", (*words)[3], kHowToEnd));
  set.ttl_seconds = *ttl;
  return set;
}

}  // namespace pegmove::shell
