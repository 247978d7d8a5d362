# pegmove_precompile(<target> <header> OPTIONS <interface library> LINKS ...)
#
# Compiles the header once, with LINKS; whatever links OPTIONS is compiled with it.
#
# An object library whose one source is a header gives a precompiled header for an object. CMake's own
# target_precompile_headers() names a generated header by an absolute path that ccache does not see as a
# path, so a checkout in another folder would find nothing in the cache. For the same reason
# -relocatable-pch with -isysroot keeps the source folder out of the file, and -fno-pch-timestamp the
# headers' times. When a header changes its users are compiled again: each has it in its own depfile.
option(PEGMOVE_PRECOMPILED "Compile with precompiled headers" ON)

function(pegmove_precompile target header)
  cmake_parse_arguments(ARG "" "OPTIONS" "LINKS" ${ARGN})
  if(NOT PEGMOVE_PRECOMPILED)
    return()
  endif()
  add_library(${target} OBJECT ${header})
  set_source_files_properties(${header} PROPERTIES LANGUAGE CXX)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PRIVATE ${ARG_LINKS})
  # Asio must be seen as its users see it. (The folder itself depends on the header.)
  target_compile_definitions(${target} PRIVATE $<TARGET_PROPERTY:pegmove_async,INTERFACE_COMPILE_DEFINITIONS>)
  target_compile_options(${target} PRIVATE
    -x c++-header -fpch-instantiate-templates -isysroot ${CMAKE_SOURCE_DIR}
    "SHELL:-Xclang -relocatable-pch" "SHELL:-Xclang -fno-pch-timestamp")

  set(compiled ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.dir/${header}.o)
  add_custom_target(${target}_ready DEPENDS ${compiled})
  add_dependencies(${ARG_OPTIONS} ${target}_ready)
  target_compile_options(${ARG_OPTIONS} INTERFACE -isysroot ${CMAKE_SOURCE_DIR}
    "SHELL:-include-pch ${compiled}")
endfunction()
