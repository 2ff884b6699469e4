# What `cmake --install` puts where: one static library for each room, the public headers under include/tangra/ROOM, and
# the files by which find_package(tangra) and pkg-config find them.
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY TANGRA_ROOMS)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tangra")

# tangra_linalg is tangra::linalg for a program that uses the installed package, as it is in the build.
foreach(target ${rooms})
  string(REGEX REPLACE "^tangra_" "" room "${target}")
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${room})
endforeach()
install(TARGETS ${rooms} tangra EXPORT tangra
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT tangra NAMESPACE tangra:: FILE tangraTargets.cmake DESTINATION "${package_dir}")

configure_package_config_file(cmake/tangraConfig.cmake.in "${PROJECT_BINARY_DIR}/package/tangraConfig.cmake"
  INSTALL_DESTINATION "${package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 every minor version may change what programs rely on.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/tangraConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/package/tangraConfig.cmake"
              "${PROJECT_BINARY_DIR}/package/tangraConfigVersion.cmake" DESTINATION "${package_dir}")

# A linker reads static libraries from left to right: rooms that use others come before them.
set(room_flags "")
foreach(target ${rooms})
  string(PREPEND room_flags " -l${target}")
endforeach()
# From the file's own folder, so that an installed tree can be moved.
file(RELATIVE_PATH up_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/tangra.pc.in "${PROJECT_BINARY_DIR}/package/tangra.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/tangra.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/tangra")
# The pictures that are built in have a licence of their own, which asks to be named.
install(FILES src/data/DIGITS.md DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/tangra")
