# Tests that are Python programs: those of the real binary in test/integration/, and tools/tidy with its own test (standard
# library only), and those of what deploy/ holds in test/deploy/ (python3-yaml). Each file is one ctest, each has a deadline.
find_program(PYTHON3 python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(NOT PYTHON3)
  find_program(PYTHON3 python3 REQUIRED)
endif()

file(GLOB INTEGRATION_TESTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/integration/*_test.py)
foreach(test IN LISTS INTEGRATION_TESTS)
  get_filename_component(name ${test} NAME_WE)
  string(REGEX REPLACE "_test$" "" name ${name})
  # The harness is tested without the gateway; everything else waits for the binary to exist.
  if(TARGET penstock OR name STREQUAL "harness")
    add_test(NAME integration/${name} COMMAND ${PYTHON3} -B ${test})
    set_tests_properties(integration/${name} PROPERTIES TIMEOUT 300)
    if(TARGET penstock)
      set_tests_properties(integration/${name} PROPERTIES ENVIRONMENT "PENSTOCK=$<TARGET_FILE:penstock>")
    endif()
  endif()
endforeach()

# What can go wrong with a connection goes wrong over TLS, too: these run once more with clients that
# come by TLS, and HTTPS listeners in the place of those of HTTP.
set(TESTS_OVER_TLS streams stream_ends faults keepalive connections bodies coded_body proxy refusals
  drain reload takeover)
if(TARGET penstock)
  foreach(name IN LISTS TESTS_OVER_TLS)
    add_test(NAME integration/${name}_tls
             COMMAND ${PYTHON3} -B ${CMAKE_SOURCE_DIR}/test/integration/${name}_test.py)
    set_tests_properties(integration/${name}_tls PROPERTIES TIMEOUT 300
      ENVIRONMENT "PENSTOCK=$<TARGET_FILE:penstock>;HARNESS_TLS=1")
  endforeach()
endif()

file(GLOB DEPLOY_TESTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/deploy/*_test.py)
if(TARGET penstock)
  foreach(test IN LISTS DEPLOY_TESTS)
    get_filename_component(name ${test} NAME_WE)
    string(REGEX REPLACE "_test$" "" name ${name})
    add_test(NAME deploy/${name} COMMAND ${PYTHON3} -B ${test})
    set_tests_properties(deploy/${name} PROPERTIES TIMEOUT 300
      ENVIRONMENT "PENSTOCK=$<TARGET_FILE:penstock>")
  endforeach()
endif()

foreach(tool tidy tidy_test)
  if(EXISTS ${CMAKE_SOURCE_DIR}/tools/${tool})
    add_test(NAME ${tool} COMMAND ${PYTHON3} -B ${CMAKE_SOURCE_DIR}/tools/${tool})
    set_tests_properties(${tool} PROPERTIES TIMEOUT 120)
  endif()
endforeach()
