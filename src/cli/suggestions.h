// What was probably meant by a word on the command line that there is not.

#pragma once

#include <string>

#include "cli/command_help.h"

namespace gw {

// "penstock: unknown command "serv", did you mean "serve"? ..."; "" if the first word is a command
// or a flag.
std::string UnknownCommand(const ProgramHelp& program, int argc, char** argv);

// A line for each long flag that the command has not and that is nearly one of its own.
std::string MeantFlags(const ProgramHelp& program, int argc, char** argv);

}  // namespace gw
