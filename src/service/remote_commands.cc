#include "service/remote_commands.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json_text.h"
#include "meta_types.h"
#include "wire/thrift_codec.h"

namespace pegmove::service {
namespace {

using Json = nlohmann::json;

// `repeat` may run forever: the maximum at the same time.
constexpr size_t kMostRepeats = 16;

std::string join(std::span<const std::string> words, std::string_view between) {
  std::string joined;
  for (const auto& word : words) {
    if (!joined.empty()) joined += between;
    joined += word;
  }
  return joined;
}

std::string pretty(const Json& json) { return base::json_text(json, 2, base::NoUtf8::kReplace); }

std::optional<int64_t> parse_integer(std::string_view text) {
  int64_t number = 0;
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

bool is_default(std::string_view text) {
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = char(c - 'a' + 'A');
  return upper == "DEFAULT";
}

void reply_text(net::IncomingCall& call, std::string_view text) {
  std::string body;
  wire::append_string_body(body, text, 0);
  call.reply(wire::ErrorCode::kOk, body);
}

}  // namespace

RemoteCommands::RemoteCommands(Runner run, async::TaskGroup& tasks, Clock& clock)
    : run_(std::move(run)), tasks_(tasks), clock_(clock) {
  on({"help", "h", "H", "Help"}, "Display help information", "[command]",
     [this](Arguments arguments) { return help(arguments); });
  on({"repeat", "r", "R", "Repeat"},
     "Execute a command periodically in every interval seconds for the max count time (0 for "
     "infinite)",
     "<interval_seconds> <max_count> <command>", [](Arguments) { return ""; });
}

void RemoteCommands::on(std::vector<std::string> names, const std::string& help,
                        const std::string& usage, Handler handler) {
  auto all = join(names, "|");
  auto command =
      std::make_shared<const Command>(all + " - " + help, all + " " + usage, std::move(handler));
  for (const auto& name : names) commands_[name] = command;
}

void RemoteCommands::on_integer(const std::string& name, const std::string& help,
                                Settings& settings, const std::string& setting,
                                std::function<bool(int64_t)> is_acceptable) {
  if (!is_acceptable) is_acceptable = [](int64_t value) { return value >= 0; };
  auto original = settings.integer(setting);
  on({name}, help, "[num | DEFAULT]",
     [name, &settings, setting, is_acceptable, original](Arguments arguments) {
       Json reply{{"error", "ok"}};
       if (arguments.empty()) {
         reply[name] = settings.text(setting);
       } else if (arguments.size() > 1) {
         reply["error"] = fmt::format(
             "ERR: invalid arguments '{}', only one argument is acceptable", join(arguments, " "));
       } else if (is_default(arguments[0])) {
         settings.set(setting, std::to_string(original));
         reply[name] = original;
       } else {
         auto value = parse_integer(arguments[0]);
         if (!value || !is_acceptable(*value) || !settings.set(setting, arguments[0]))
           reply["error"] =
               fmt::format("ERR: invalid argument '{}', the value is not acceptable", arguments[0]);
       }
       return pretty(reply);
     });
}

void RemoteCommands::on_boolean(const std::string& name, const std::string& help,
                                Settings& settings, const std::string& setting) {
  on({name}, help, "<true|false>", [name, &settings, setting](Arguments arguments) {
    Json reply{{"error", "ok"}};
    if (arguments.empty()) {
      reply[name] = settings.text(setting);
    } else if (arguments.size() > 1) {
      reply["error"] = "ERR: invalid arguments, only one boolean argument is acceptable";
    } else if (!settings.set(setting, arguments[0])) {
      reply["error"] = fmt::format("ERR: invalid arguments, '{}' is not a boolean", arguments[0]);
    }
    return pretty(reply);
  });
}

std::string RemoteCommands::help(Arguments arguments) const {
  if (!arguments.empty()) {
    auto found = commands_.find(arguments[0]);
    if (found == commands_.end()) return fmt::format("cannot find command '{}'", arguments[0]);
    return found->second->help + "\n" + found->second->usage + "\n";
  }
  std::string text;
  std::set<const Command*> listed;
  for (const auto& [name, command] : commands_)
    if (listed.insert(command.get()).second) text += command->help + "\n";
  return text;
}

std::string RemoteCommands::run(const std::string& name, Arguments arguments) const {
  auto found = commands_.find(name);
  if (found == commands_.end()) return fmt::format("unknown command '{}'", name);
  return found->second->handler(arguments);
}

void RemoteCommands::handle(net::IncomingCall call) {
  auto command = wire::decode_body<wire::command>(call.body());
  if (!command) return call.reply(wire::ErrorCode::kInvalidParameters);
  auto found = commands_.find(command->cmd);
  if (found != commands_.end() && found->second == commands_.at("repeat")) {
    Repeat wanted;
    if (auto wrong = parse_repeat(command->arguments, wanted); !wrong.empty())
      return reply_text(call, wrong);
    if (repeating_ >= kMostRepeats) return call.reply(wire::ErrorCode::kBusy);
    ++repeating_;
    auto shared = std::make_shared<net::IncomingCall>(std::move(call));
    return tasks_.spawn(repeat(std::move(shared), std::move(wanted)));
  }
  run_([this, call = std::move(call), command = std::move(*command)]() mutable {
    reply_text(call, run(command.cmd, command.arguments));
  });
}

std::string RemoteCommands::parse_repeat(Arguments arguments, Repeat& out) const {
  if (arguments.size() < 3) return "insufficient arguments";
  out.interval_seconds = std::strtol(arguments[0].c_str(), nullptr, 10);
  if (out.interval_seconds <= 0 || out.interval_seconds > INT32_MAX)
    return "invalid interval argument";
  auto most = parse_integer(arguments[1]);
  if (!most || *most < 0 || *most > UINT32_MAX) return "invalid max count";
  out.most = *most == 0 ? UINT32_MAX : uint32_t(*most);
  out.words.assign(arguments.begin() + 2, arguments.end());
  return {};
}

Routine<> RemoteCommands::repeat(std::shared_ptr<net::IncomingCall> call, Repeat repeat) {
  const auto& name = repeat.words.front();
  auto known = commands_.find(name);
  bool runs = known != commands_.end() && known->second != commands_.at("repeat");
  // A command that takes longer than the interval is not started again before it has ended.
  auto is_running = std::make_shared<std::atomic<bool>>(false);
  for (uint32_t i = 0; runs && i < repeat.most && !tasks_.stopped() && call->is_connected(); ++i) {
    if (!is_running->exchange(true))
      run_([this, is_running, words = repeat.words] {
        (void)run(words.front(), Arguments(words).subspan(1));
        *is_running = false;
      });
    co_await clock_.sleep_for(async::milliseconds(repeat.interval_seconds * 1000));  // no result
  }
  --repeating_;
  reply_text(*call, "repeat command completed");
}

}  // namespace pegmove::service
