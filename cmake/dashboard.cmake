# Puts the files of dashboard/dist into the binary: a source with their bytes and the list of
# src/server/dashboard.h. They are built by `make dashboard` and kept in the tree.
set(dist ${CMAKE_SOURCE_DIR}/dashboard/dist)
file(GLOB_RECURSE dashboard_files CONFIGURE_DEPENDS RELATIVE ${dist} ${dist}/*)
if(NOT "index.html" IN_LIST dashboard_files)
  message(FATAL_ERROR "dashboard/dist/index.html is missing: `make dashboard` builds it")
endif()

set(bytes "")
set(entries "")
set(depends "")
foreach(file IN LISTS dashboard_files)
  string(MAKE_C_IDENTIFIER "dashboard_${file}" symbol)
  set(path /${file})
  if(file STREQUAL "index.html")
    set(path /)
  endif()
  string(APPEND bytes "asm(R\"(.pushsection .rodata
.global ${symbol}
.global ${symbol}_end
${symbol}:
.incbin \"${dist}/${file}\"
${symbol}_end:
.byte 0
.popsection)\");
extern \"C\" const char ${symbol}[];
extern \"C\" const char ${symbol}_end[];
")
  string(APPEND entries
    "    {\"${path}\", {${symbol}, static_cast<size_t>(${symbol}_end - ${symbol})}},\n")
  list(APPEND depends ${dist}/${file})
endforeach()
set(dashboard_source ${CMAKE_BINARY_DIR}/dashboard_files.cc)
file(CONFIGURE OUTPUT ${dashboard_source} CONTENT "#include \"server/dashboard.h\"

${bytes}
namespace gw {

std::span<const DashboardFile> DashboardFiles() {
  static const DashboardFile kFiles[] = {
${entries}  };
  return kFiles;
}

}  // namespace gw
" @ONLY)
target_sources(gw_server PRIVATE ${dashboard_source})
set_source_files_properties(${dashboard_source} PROPERTIES OBJECT_DEPENDS "${depends}")
