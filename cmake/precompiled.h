// Compiled once and put before the source files (PegmovePrecompiled.cmake): what most of them
// include and what takes longest to read. No source may rely on it: each includes what it uses.
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <deque>
#include <expected>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <thrift/TBase.h>
#include <thrift/protocol/TProtocol.h>

#if __has_include(<nlohmann/json.hpp>)  // not for the client library alone
#include <nlohmann/json.hpp>
#endif

#include "base/result.h"
