# Which source this binary is built from: the project's version (CMakeLists.txt) and, where the tree is a git checkout,
# its commit. Looked up at every build rather than at configure time, so that the commit is never an old one; the file is
# written only when it changes. Run as a script by the target below.
if(CMAKE_SCRIPT_MODE_FILE)
  set(commit "unknown")
  find_program(GIT git)
  if(GIT)
    execute_process(
      COMMAND ${GIT} -c safe.directory=* -C ${SOURCE_DIR} describe --always --dirty --exclude=* --abbrev=12
      OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      set(commit "${described}")
    endif()
  endif()
  file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#define PENSTOCK_VERSION "@VERSION@"
#define PENSTOCK_COMMIT "@commit@"
]])
  return()
endif()

set(VERSION_HEADER ${CMAKE_BINARY_DIR}/generated/build_version.h)
set(VERSION_COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
  -DOUTPUT=${VERSION_HEADER} -P ${CMAKE_CURRENT_LIST_FILE})
execute_process(COMMAND ${VERSION_COMMAND})
add_custom_target(build_version COMMAND ${VERSION_COMMAND} BYPRODUCTS ${VERSION_HEADER})
add_dependencies(gw_base build_version)
set_property(SOURCE ${CMAKE_SOURCE_DIR}/src/base/version.cc APPEND PROPERTY INCLUDE_DIRECTORIES
  ${CMAKE_BINARY_DIR}/generated)
