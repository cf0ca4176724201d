# One static library, one test program and one benchmark program per line of src/LAYERS.
# A folder lives in src/, or beside it (sim, bench). Files are found by name:
#   x.cc  code   x_test.cc  unit test   x_benchmark.cc  micro-benchmark   x_fuzz.cc  libFuzzer target

# What nearly every file includes is compiled twice and not six hundred times: once as the code is
# compiled, once as its unit tests are. Without (as `make asan` builds), a missing #include is an
# error.
option(PENSTOCK_PRECOMPILE "Compile common headers once" ON)
if(PENSTOCK_FUZZ OR PENSTOCK_SANITIZE)
  set(PENSTOCK_PRECOMPILE OFF)
endif()
# How fast a test's own code runs, and its lines in a debugger, matter less than how long it takes to
# compile.
set(TEST_COMPILE_OPTIONS -O1)
if(NOT PENSTOCK_SANITIZE)
  list(APPEND TEST_COMPILE_OPTIONS -g0)
endif()

if(PENSTOCK_PRECOMPILE)
  set(COMMON_HEADERS <algorithm> <array> <atomic> <chrono> <cstdint> <deque> <functional> <map>
    <memory> <optional> <set> <span> <string> <string_view> <unordered_map> <utility> <vector>
    <absl/container/flat_hash_map.h> <absl/status/statusor.h> <absl/strings/str_cat.h>
    <fmt/format.h>)
  file(CONFIGURE OUTPUT common_headers.cc CONTENT "")
  foreach(name common_headers common_test_headers)
    add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/common_headers.cc)
    target_link_libraries(${name} PRIVATE ${EXTERNAL_base})
    target_precompile_headers(${name} PRIVATE ${COMMON_HEADERS})
  endforeach()
  target_compile_options(common_test_headers PRIVATE ${TEST_COMPILE_OPTIONS})
  target_link_libraries(common_test_headers PRIVATE GTest::gmock GTest::gtest_main)
  target_precompile_headers(common_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
endif()
function(use_precompiled target headers)
  if(PENSTOCK_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${headers})
  endif()
endfunction()

file(STRINGS ${CMAKE_SOURCE_DIR}/src/LAYERS LAYER_LINES REGEX "^[a-z]+:")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/LAYERS)

set(TESTS_WITH_DATA "scheduling|config|http|inference|exchange|collect|cli|sim")
foreach(line IN LISTS LAYER_LINES)
  string(REGEX MATCH "^([a-z]+):(.*)$" _ "${line}")
  set(folder ${CMAKE_MATCH_1})
  string(STRIP "${CMAKE_MATCH_2}" deps)
  separate_arguments(deps)
  if(IS_DIRECTORY ${CMAKE_SOURCE_DIR}/src/${folder})
    set(dir ${CMAKE_SOURCE_DIR}/src/${folder})
  else()
    set(dir ${CMAKE_SOURCE_DIR}/${folder})
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  set(benchmarks ${sources})
  set(fuzzers ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER benchmarks INCLUDE REGEX "_benchmark\\.cc$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|benchmark|fuzz)\\.cc$|/main\\.cc$")

  set(links "")
  foreach(dep IN LISTS deps)
    if(TARGET gw_${dep})
      list(APPEND links gw_${dep})
    endif()
  endforeach()
  if(sources)
    add_library(gw_${folder} STATIC ${sources})
    target_include_directories(gw_${folder} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
    target_link_libraries(gw_${folder} PUBLIC ${links} ${EXTERNAL_${folder}} PRIVATE ${EXTERNAL_PRIVATE_${folder}})
    use_precompiled(gw_${folder} common_headers)
  else()
    add_library(gw_${folder} INTERFACE)
    target_include_directories(gw_${folder} INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
    target_link_libraries(gw_${folder} INTERFACE ${links} ${EXTERNAL_${folder}})
  endif()

  if(tests AND NOT PENSTOCK_FUZZ)
    add_executable(${folder}_test ${tests})
    target_link_libraries(${folder}_test PRIVATE gw_${folder} ${EXTERNAL_PRIVATE_${folder}} GTest::gmock GTest::gtest_main)
    # For those that read files of the tree: of the others a compiler's cache serves every clone.
    if(folder MATCHES "^(${TESTS_WITH_DATA})$")
      target_compile_definitions(${folder}_test PRIVATE PENSTOCK_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    endif()
    target_compile_options(${folder}_test PRIVATE ${TEST_COMPILE_OPTIONS})
    use_precompiled(${folder}_test common_test_headers)
    add_test(NAME unit/${folder} COMMAND ${folder}_test)
    set_tests_properties(unit/${folder} PROPERTIES TIMEOUT 600)
    set_property(GLOBAL APPEND PROPERTY PENSTOCK_UNIT_TESTS ${folder}_test)
    # Once more over streams that behave like TLS (net/awkward_stream.h), but for the tests that
    # want to know when sockets are full or how a response was cut into chunks, and the one of what
    # is answered at the very end, when nobody waits until a stream has taken the rest of it.
    if(folder MATCHES "^(client|collect|dataplane|admin|sim)$")
      add_test(NAME unit/${folder}_awkward COMMAND ${folder}_test)
      set_tests_properties(unit/${folder}_awkward PROPERTIES TIMEOUT 600 ENVIRONMENT
        "PENSTOCK_AWKWARD_STREAMS=1;GTEST_FILTER=-*NobodyTakes*:*StoppingAnswersWhat*:*TakesNothing*:*AStreamThatStalls*:*ReadsSlowly*:*AKeptConnectionThatTheServerClosed*:ClientPoolTlsTest.*:ScrapeAccessTest.*:EndpointAccessTest.*OverTls*")
    endif()
    # And with endpoints that speak TLS, but for the tests whose few milliseconds a handshake on a
    # busy machine may take.
    if(folder MATCHES "^(client|dataplane)$")
      add_test(NAME unit/${folder}_tls COMMAND ${folder}_test)
      set_tests_properties(unit/${folder}_tls PROPERTIES TIMEOUT 600 ENVIRONMENT
        "PENSTOCK_TLS_ENDPOINTS=1;GTEST_FILTER=-*AModelListThatNobodyTells*:*AClientThatTakesNothingWhile*:*AClientThatSendsInstead*")
    endif()
  endif()
  if(benchmarks AND NOT PENSTOCK_FUZZ)
    add_executable(${folder}_benchmark EXCLUDE_FROM_ALL ${benchmarks})
    target_link_libraries(${folder}_benchmark PRIVATE gw_${folder} ${EXTERNAL_PRIVATE_${folder}} benchmark::benchmark_main)
    target_compile_definitions(${folder}_benchmark PRIVATE PENSTOCK_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set_property(GLOBAL APPEND PROPERTY PENSTOCK_BENCHMARKS ${folder}_benchmark)
  endif()
  foreach(fuzzer IN LISTS fuzzers)
    get_filename_component(name ${fuzzer} NAME_WE)
    if(PENSTOCK_FUZZ)
      add_executable(${name} ${fuzzer})
      target_link_libraries(${name} PRIVATE gw_${folder} ${EXTERNAL_PRIVATE_${folder}} -fsanitize=fuzzer)
    else()
      # Without libFuzzer: what a target once had trouble with is replayed as a test.
      add_executable(${name} ${fuzzer} ${CMAKE_SOURCE_DIR}/test/fuzz/replay.cc)
      target_link_libraries(${name} PRIVATE gw_${folder} ${EXTERNAL_PRIVATE_${folder}})
      add_test(NAME fuzz/${name} COMMAND ${name} ${CMAKE_SOURCE_DIR}/test/fuzz/${name})
      set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 120)
    endif()
    set_property(GLOBAL APPEND PROPERTY PENSTOCK_FUZZERS ${name})
  endforeach()
endforeach()

# Targets of many: unit_tests, benchmarks, fuzzers.
foreach(group UNIT_TESTS BENCHMARKS FUZZERS)
  get_property(members GLOBAL PROPERTY PENSTOCK_${group})
  string(TOLOWER ${group} target)
  add_custom_target(${target} DEPENDS ${members})
endforeach()

if(EXISTS ${CMAKE_SOURCE_DIR}/src/cli/main.cc)
  add_executable(penstock ${CMAKE_SOURCE_DIR}/src/cli/main.cc)
  target_link_libraries(penstock PRIVATE gw_cli)
endif()
