// CommandHelp: what the command line takes, as a value. Made from the same declarations that parse
// it (cli/flags.cc), so that manual pages and completions cannot say anything else.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gw {

struct OptionHelp {
  std::vector<std::string> names;  // "-f", "--file"; of a positional its name alone: "ID"
  std::string value;               // what it takes: "PATH"; empty for a switch
  std::string text;
  std::string default_value;         // empty: none
  std::vector<std::string> choices;  // the values that it may have, if they can be listed
  bool positional = false;
  bool required = false;
  bool repeatable = false;
};

struct CommandHelp {
  std::string name;
  std::string text;
  std::vector<OptionHelp> options;
  std::string footer;  // preformatted, as --help prints it
};

struct ProgramHelp {
  std::string name;
  std::string text;
  std::vector<CommandHelp> commands;
};

// man(7) source of the program's page, or of the page of `command` ("penstock-serve").
// REQUIRES: `command` is empty or a command's name
std::string ManualPage(const ProgramHelp& program, std::string_view command);
// `penstock manual`: prints that page or, with a folder, writes all of them into it. The exit
// status.
int RunManual(const ProgramHelp& program, std::string_view command, const std::string& folder);

// The shells for which CompletionScript has an answer: "bash", "zsh".
const std::vector<std::string>& CompletionShells();
// A script that completes commands, options, their values and file names.
// REQUIRES: `shell` is one of CompletionShells()
std::string CompletionScript(const ProgramHelp& program, std::string_view shell);

}  // namespace gw
