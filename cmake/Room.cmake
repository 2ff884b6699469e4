# tangra_room(NAME SOURCES ... HEADERS ... USES room... [LIBRARIES public...] [PRIVATE_LIBRARIES ...])
#
# A room is one folder of src/ and one static library, tangra_NAME. Its headers are included as
# "tangra/NAME/x.h" through a folder made for this room alone, so a room sees the headers of the rooms in
# USES (and of the rooms that those use) and of no others: an include against the arrows does not compile.
function(tangra_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "SOURCES;HEADERS;USES;LIBRARIES;PRIVATE_LIBRARIES")
  set(include_root "${PROJECT_BINARY_DIR}/include/${name}")
  file(MAKE_DIRECTORY "${include_root}/tangra")
  file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${include_root}/tangra/${name}" SYMBOLIC)

  set(target tangra_${name})
  add_library(${target} STATIC ${room_SOURCES})
  add_library(tangra::${name} ALIAS ${target})
  list(TRANSFORM room_HEADERS PREPEND "${include_root}/tangra/${name}/" OUTPUT_VARIABLE header_files)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS "${include_root}" FILES ${header_files})
  list(TRANSFORM room_USES PREPEND "tangra_" OUTPUT_VARIABLE used_rooms)
  target_link_libraries(${target} PUBLIC ${used_rooms} ${room_LIBRARIES}
                        PRIVATE $<BUILD_INTERFACE:tangra_compile> ${room_PRIVATE_LIBRARIES})
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_property(GLOBAL APPEND PROPERTY TANGRA_ROOMS ${target})
endfunction()

# tangra_room_test(NAME SOURCES ... [ROOMS room...] [LIBRARIES ...]): the tests of one room, or of a theme across rooms, as
# one program.
function(tangra_room_test name)
  cmake_parse_arguments(PARSE_ARGV 1 test "" "" "SOURCES;ROOMS;LIBRARIES")
  set(target test_${name})
  add_executable(${target} ${test_SOURCES})
  list(TRANSFORM test_ROOMS PREPEND "tangra::" OUTPUT_VARIABLE rooms)
  if(TARGET tangra::${name})
    list(APPEND rooms tangra::${name})
  endif()
  target_link_libraries(${target} PRIVATE ${rooms} ${test_LIBRARIES} tangra_test_support tangra_compile)
  gtest_discover_tests(${target} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
endfunction()
