#include "cli/flags.h"

int main(int argc, char** argv) { return gw::RunCommand(argc, argv); }
