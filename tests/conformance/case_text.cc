#include "case_text.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/units.h"

namespace pegmove::conformance {
namespace {

constexpr int64_t kMostItems = 100'000;
constexpr int64_t kMostBytes = 64 << 20;

bool is_bare(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_.+-$|{}").contains(c);
}

// Reads one line from left to right.
class LineParser {
 public:
  LineParser(std::string_view line, std::string place) : rest_(line), place_(std::move(place)) {}

  Result<Step> step() {
    Step step{.operation = word(), .arguments = {}, .expected = {}, .place = place_};
    if (step.operation.empty()) return wrong("an operation is wanted");
    step.arguments = TRY(fields());
    if (take("->")) {
      step.status = word();
      if (step.status.empty()) return wrong("a status is wanted behind ->");
      step.expected = TRY(fields());
    }
    if (!rest_.empty()) return wrong("not understood: " + std::string(rest_));
    return step;
  }

  // Behind the word "case".
  Result<Case> header() {
    Case out{.name = word()};
    if (out.name.empty()) return wrong("a case wants a name");
    if (take("(")) {
      auto marker = std::string(rest_.substr(0, rest_.find(')')));
      rest_.remove_prefix(std::min(rest_.size(), marker.size() + 1));
      TRY(mark(out, marker));
    }
    skip_blanks();
    if (!rest_.empty()) return wrong("not understood: " + std::string(rest_));
    return out;
  }

 private:
  std::unexpected<Error> wrong(const std::string& what) const {
    return fail(Code::kInvalidArgument, place_ + ": " + what);
  }

  Result<void> mark(Case& out, const std::string& marker) {
    constexpr std::string_view kOnePartition = "one partition: ";
    if (marker == "embedded only") {
      out.embedded_only = true;
    } else if (marker == "default limits") {
      out.default_limits = true;
    } else if (marker.starts_with(kOnePartition)) {
      LineParser keys(std::string_view(marker).substr(kOnePartition.size()), place_);
      for (std::string key; !(key = keys.word()).empty();) out.one_partition.push_back(key);
    } else {
      return wrong("no such marker: (" + marker + ")");
    }
    return {};
  }

  Result<int64_t> number(std::string_view digits, int64_t most) const {
    return in_context(base::parse_integer(digits, 0, most), place_);
  }

  void skip_blanks() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  bool take(std::string_view token) {
    skip_blanks();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  std::string word() {
    skip_blanks();
    if (rest_.starts_with("->")) return {};
    size_t size = 0;
    while (size < rest_.size() && is_bare(rest_[size])) ++size;
    auto out = std::string(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
  }

  Result<Fields> fields() {
    Fields out;
    for (std::string name; !(name = word()).empty();) {
      if (rest_.starts_with("=")) {
        rest_.remove_prefix(1);
        out.emplace_back(name, TRY(value()));
      } else {
        out.emplace_back(name, Value::of("true", false));
      }
    }
    return out;
  }

  Result<Value> value() {
    std::vector<Value> parts;
    do {
      parts.push_back(TRY(rest_.starts_with("[") ? list() : text()));
    } while (rest_.starts_with(":") && (rest_.remove_prefix(1), true));
    return parts.size() == 1 ? std::move(parts.front()) : Value::tuple(std::move(parts));
  }

  Result<Value> list() {
    take("[");
    Value out = Value::list({});
    if (take("]")) return out;
    do {
      skip_blanks();
      for (auto& item : TRY(expand(TRY(value())))) out.items.push_back(std::move(item));
    } while (take(","));
    if (!take("]")) return wrong("] is missing");
    return out;
  }

  Result<Value> text() {
    if (!rest_.starts_with("\"")) {
      auto bare = word();
      if (bare.empty()) return wrong("a value is wanted");
      return Value::of(std::move(bare), false);
    }
    std::string out;
    do {
      auto part = TRY(quoted());
      int64_t count = 1;
      if (rest_.starts_with("*")) {
        rest_.remove_prefix(1);
        size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
        count = TRY(number(rest_.substr(0, digits), kMostBytes));
        rest_.remove_prefix(digits);
      }
      if (int64_t(part.size()) * count > kMostBytes) return wrong("too long");
      while (count-- > 0) out += part;
    } while (rest_.starts_with("+\"") && (rest_.remove_prefix(1), true));
    return Value::of(std::move(out));
  }

  Result<std::string> quoted() {
    std::string out;
    for (rest_.remove_prefix(1); !rest_.empty(); rest_.remove_prefix(1)) {
      char c = rest_.front();
      if (c == '"') {
        rest_.remove_prefix(1);
        return out;
      }
      if (c != '\\') {
        out += c;
        continue;
      }
      rest_.remove_prefix(1);
      if (rest_.empty()) break;
      switch (c = rest_.front()) {
        case 'n': out += '\n'; break;
        case 't': out += '\t'; break;
        case '"':
        case '\\': out += c; break;
        case 'x':
          out += TRY(in_context(base::from_hex(rest_.substr(1, 2)), place_));
          rest_.remove_prefix(std::min<size_t>(2, rest_.size() - 1));
          break;
        default: return wrong(std::string("no such escape: \\") + c);
      }
    }
    return wrong("a quote is missing");
  }

  // k{0..12}:v, for a list.
  Result<std::vector<Value>> expand(Value value) {
    auto* name = &value;
    for (auto& item : value.items)
      if (!item.quoted && item.text.contains('{')) name = &item;
    auto open = name->text.find('{');
    if (name->kind != Value::Kind::kText || name->quoted || open == std::string::npos)
      return std::vector{std::move(value)};
    auto range = std::string_view(name->text).substr(open + 1);
    auto dots = range.find("..");
    if (!range.ends_with('}') || dots == std::string_view::npos)
      return wrong("no range of names: " + name->text);
    auto last = std::string(range.substr(dots + 2, range.size() - dots - 3));
    auto from = TRY(number(range.substr(0, dots), kMostItems));
    auto to = TRY(number(last, kMostItems));
    auto stem = name->text.substr(0, open);
    std::vector<Value> out;
    for (auto i = from; i <= to; ++i) {
      auto digits = std::to_string(i);
      name->text =
          stem + std::string(last.size() - std::min(last.size(), digits.size()), '0') + digits;
      out.push_back(value);
    }
    return out;
  }

  std::string_view rest_;
  std::string place_;
};

// Joins lines that end in a backslash; cuts comments and blanks at the end.
std::string next_line(std::string_view& text, int& line_number) {
  std::string out;
  for (bool more = true; more && !text.empty();) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    more = line.ends_with('\\');
    if (more) line.remove_suffix(1);
    out += line;
  }
  out.erase(out.find_last_not_of(" \r") + 1);
  auto begin = out.find_first_not_of(' ');
  return begin == std::string::npos || out[begin] == '#' ? std::string() : out;
}

}  // namespace

Value Value::of(std::string text, bool quoted) {
  return {.kind = Kind::kText, .text = std::move(text), .quoted = quoted};
}
Value Value::tuple(std::vector<Value> items) {
  return {.kind = Kind::kTuple, .items = std::move(items)};
}
Value Value::list(std::vector<Value> items) {
  return {.kind = Kind::kList, .items = std::move(items)};
}

bool Value::operator==(const Value& other) const {
  return kind == other.kind && text == other.text && items == other.items;
}

std::string Value::to_string() const {
  constexpr size_t kMostShown = 60;
  constexpr size_t kMostItemsShown = 40;
  if (kind == Kind::kText) {
    if (!text.empty() && std::ranges::all_of(text, is_bare) && text.size() <= kMostShown)
      return text;
    auto shown = "\"" + base::printable(text, kMostShown) + "\"";
    return text.size() > kMostShown ? shown + " (" + std::to_string(text.size()) + " bytes)"
                                    : shown;
  }
  std::string out;
  for (size_t i = 0; i < items.size() && i < kMostItemsShown; ++i)
    out += (i == 0 ? "" : kind == Kind::kTuple ? ":" : ", ") + items[i].to_string();
  if (items.size() > kMostItemsShown) out += ", ... (" + std::to_string(items.size()) + " in all)";
  return kind == Kind::kList ? "[" + out + "]" : out;
}

const Value* find(const Fields& fields, std::string_view name) {
  auto found = std::ranges::find(fields, name, &Fields::value_type::first);
  return found == fields.end() ? nullptr : &found->second;
}

Result<std::vector<Case>> parse_cases(std::string_view file, std::string_view text) {
  std::vector<Case> cases;
  for (int line_number = 0; !text.empty();) {
    auto line = next_line(text, line_number);
    if (line.empty()) continue;
    auto place = std::string(file) + ":" + std::to_string(line_number);
    if (line.starts_with("case ")) {
      cases.push_back(TRY(LineParser(std::string_view(line).substr(5), place).header()));
    } else if (cases.empty() || line.front() != ' ') {
      return fail(Code::kInvalidArgument, place + ": a line 'case NAME' is wanted");
    } else {
      cases.back().steps.push_back(TRY(LineParser(line, place).step()));
    }
  }
  return cases;
}

}  // namespace pegmove::conformance
