# `make install`: the binary, its manual pages and completions (written by the binary itself, so that they are of this
# version), the systemd unit, examples and documents. Honours CMAKE_INSTALL_PREFIX and DESTDIR.
include(GNUInstallDirs)

install(TARGETS penstock RUNTIME)
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.json"
  PATTERN curves EXCLUDE)
install(FILES deploy/systemd/penstock.socket DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/systemd)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(CODE "set(penstock \"$<TARGET_FILE:penstock>\")
set(share \"${CMAKE_INSTALL_FULL_DATADIR}\")
set(man \"${CMAKE_INSTALL_FULL_MANDIR}\")
set(binary \"${CMAKE_INSTALL_FULL_BINDIR}/penstock\")
set(unit_source \"${CMAKE_SOURCE_DIR}/deploy/systemd/penstock.service\")
set(default_prefix \"${CMAKE_INSTALL_PREFIX}\")")
install(CODE [[
# `cmake --install --prefix` may differ from the prefix at configure time.
foreach(path IN ITEMS share man binary)
  string(REPLACE "${default_prefix}/" "${CMAKE_INSTALL_PREFIX}/" ${path} "${${path}}")
endforeach()
set(root "$ENV{DESTDIR}")
function(write_output file)
  execute_process(COMMAND ${penstock} ${ARGN} OUTPUT_FILE ${file} COMMAND_ERROR_IS_FATAL ANY)
  message(STATUS "Installing: ${file}")
endfunction()
file(MAKE_DIRECTORY ${root}${man}/man1 ${root}${share}/bash-completion/completions
  ${root}${share}/zsh/vendor-completions)
execute_process(COMMAND ${penstock} manual --all ${root}${man}/man1 COMMAND_ERROR_IS_FATAL ANY)
message(STATUS "Installing: ${root}${man}/man1/penstock*.1")
write_output(${root}${share}/bash-completion/completions/penstock completion bash)
write_output(${root}${share}/zsh/vendor-completions/_penstock completion zsh)
# systemd looks below /usr/lib, /usr/local/lib and /etc.
set(unit ${root}${CMAKE_INSTALL_PREFIX}/lib/systemd/system/penstock.service)
file(READ ${unit_source} text)
string(REPLACE "@BINARY@" "${binary}" text "${text}")
file(WRITE ${unit} "${text}")
message(STATUS "Installing: ${unit}")
]])
