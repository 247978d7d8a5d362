# `cmake --install` gives the program, and the client library with a CMake package:
#   find_package(pegmove REQUIRED)
#   target_link_libraries(mine PRIVATE pegmove::client)
include(CMakePackageConfigHelpers)

if(NOT PEGMOVE_CLIENT_ONLY)
  install(TARGETS pegmove COMPONENT program)
endif()

set(client_folders base async wire record net client)
foreach(folder IN LISTS client_folders)
  install(TARGETS pegmove_${folder} EXPORT pegmove COMPONENT client
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/pegmove)
  file(GLOB headers ${CMAKE_SOURCE_DIR}/src/${folder}/*.h)
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pegmove/${folder} COMPONENT client)
endforeach()
install(DIRECTORY ${CMAKE_BINARY_DIR}/src/wire/generated/
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pegmove/generated COMPONENT client
        FILES_MATCHING PATTERN "*.h")

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pegmove)
install(EXPORT pegmove NAMESPACE pegmove:: DESTINATION ${package_dir} FILE pegmoveTargets.cmake
        COMPONENT client)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/pegmoveConfig.cmake.in
  ${CMAKE_BINARY_DIR}/pegmoveConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/pegmoveConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/pegmoveConfig.cmake ${CMAKE_BINARY_DIR}/pegmoveConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT client)
