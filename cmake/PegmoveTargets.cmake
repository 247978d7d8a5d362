# pegmove_library(<folder> [WITHOUT_ASIO] SOURCES ... [HOT ...] [LINKS ...] [TESTS ...] [TEST_LINKS ...])
#
# One static library a folder of src/: target pegmove_<folder>, alias pegmove::<folder>, with its unit
# tests in the program <folder>_test. LINKS are public: what a folder includes, its users see too.
# HOT: those of the sources that rows pass through: inlined as -O2 does, all others only a little. The
# others are compiled several together (PEGMOVE_TOGETHER), since most of a source's compile time is for
# templates that its neighbours instantiate as well. So names in anonymous namespaces are unique in a folder.
# WITHOUT_ASIO: for folders that are linked into programs without pegmove::async.

# How everything is compiled: pegmove_flags alone, or with one of the precompiled headers of cmake/.
add_library(pegmove_flags INTERFACE)
foreach(options pegmove_options pegmove_asio_options pegmove_test_options)
  add_library(${options} INTERFACE)
  target_link_libraries(${options} INTERFACE pegmove_flags)
endforeach()

target_compile_options(pegmove_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror
  # TRY and CO_TRY are statement expressions (base/result.h).
  -Wno-gnu-statement-expression -Wno-gnu-statement-expression-from-macro-expansion
  # Line tables are a tenth of the compiler's time: for the sanitizers and the debugger only.
  $<$<CONFIG:Debug>:-gline-tables-only>
  # All code alike, since one precompiled header is for all; the client library may end in a shared one.
  -fPIC)
target_link_options(pegmove_flags INTERFACE -fuse-ld=lld)
if(PEGMOVE_SANITIZE)
  target_compile_options(pegmove_flags INTERFACE
    -fsanitize=${PEGMOVE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O0)
  target_link_options(pegmove_flags INTERFACE -fsanitize=${PEGMOVE_SANITIZE})
endif()

# Inlining is a third of the compiler's time, and of no use where no rows pass.
set(cold_options $<$<CONFIG:Release>:-mllvm> $<$<CONFIG:Release>:-inline-threshold=25>)

# Replaces sources by files that include several of them each. Generated ones stay alone.
option(PEGMOVE_TOGETHER "Compile several sources of a folder together" ON)
set(most_together 12)
function(pegmove_together folder sources)
  if(NOT PEGMOVE_TOGETHER)
    return()
  endif()
  set(out)
  set(text)
  set(count 0)
  set(number 0)
  foreach(source IN LISTS ${sources})
    if(IS_ABSOLUTE ${source})
      list(APPEND out ${source})
      continue()
    endif()
    string(APPEND text "#include \"${folder}/${source}\"\n")
    math(EXPR count "${count} + 1")
    if(count EQUAL most_together)
      file(CONFIGURE OUTPUT together_${number}.cc CONTENT "${text}" @ONLY)
      list(APPEND out ${CMAKE_CURRENT_BINARY_DIR}/together_${number}.cc)
      math(EXPR number "${number} + 1")
      set(text)
      set(count 0)
    endif()
  endforeach()
  if(text)
    file(CONFIGURE OUTPUT together_${number}.cc CONTENT "${text}" @ONLY)
    list(APPEND out ${CMAKE_CURRENT_BINARY_DIR}/together_${number}.cc)
  endif()
  set(${sources} ${out} PARENT_SCOPE)
endfunction()

function(pegmove_library folder)
  cmake_parse_arguments(ARG "WITHOUT_ASIO" "" "SOURCES;HOT;LINKS;TESTS;TEST_LINKS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  set(cold ${ARG_SOURCES})
  list(REMOVE_ITEM cold ${ARG_HOT})
  pegmove_together(${folder} cold)
  add_library(pegmove_${name} STATIC ${ARG_HOT} ${cold})
  add_library(pegmove::${name} ALIAS pegmove_${name})
  set_target_properties(pegmove_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(pegmove_${name} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/pegmove>)
  set_property(SOURCE ${cold} APPEND PROPERTY COMPILE_OPTIONS ${cold_options})
  set(options pegmove_asio_options)
  if(ARG_WITHOUT_ASIO)
    set(options pegmove_options)
  endif()
  target_link_libraries(pegmove_${name} PUBLIC ${ARG_LINKS} PRIVATE $<BUILD_INTERFACE:${options}>)
  if(ARG_TESTS)
    pegmove_test(${name}_test SOURCES ${ARG_TESTS} LINKS pegmove::${name} ${ARG_TEST_LINKS})
  endif()
endfunction()

# pegmove_test(<name> SOURCES ... LINKS ...): a GoogleTest program, run as one CTest test.
function(pegmove_test name)
  if(NOT PEGMOVE_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${cold_options})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} pegmove_test_options GTest::gtest_main GTest::gmock)
  # Tests are run in the source folder, so that no path of it is compiled in: ccache.
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  if(NOT TARGET unit_tests)
    add_custom_target(unit_tests)
  endif()
  add_dependencies(unit_tests ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS unit
    ENVIRONMENT "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/testing/tsan.supp")
endfunction()
