// argv -> one command. The only user of the command line library.

#pragma once

namespace gw {

// Runs the command that argv names and returns the exit status of the process.
int RunCommand(int argc, char** argv);

}  // namespace gw
