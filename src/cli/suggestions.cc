#include "cli/suggestions.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/suggest.h"

namespace gw {
namespace {

bool Contains(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string UnknownCommand(const ProgramHelp& program, int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "-";
  std::vector<std::string_view> names;
  for (const CommandHelp& command : program.commands) names.push_back(command.name);
  if (word.starts_with('-') || Contains(names, word)) return "";
  std::string text = "penstock: unknown command \"" + std::string(word) + "\"";
  text += DidYouMean(word, names) + "\nCommands:";
  for (const std::string_view name : names) text.append(" ").append(name);
  return text + "\nRun with --help for more information.\n";
}

std::string MeantFlags(const ProgramHelp& program, int argc, char** argv) {
  std::vector<std::string_view> known = {"--help"};
  for (const CommandHelp& command : program.commands) {
    if (argc < 2 || command.name != argv[1]) continue;
    for (const OptionHelp& option : command.options) {
      known.insert(known.end(), option.names.begin(), option.names.end());
    }
  }
  std::string text;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::string_view flag = argument.substr(0, argument.find('='));
    if (!flag.starts_with("--") || Contains(known, flag)) continue;
    const std::string meant = DidYouMean(flag, known);
    if (!meant.empty()) text += std::string(flag) + ": " + meant.substr(2) + "\n";
  }
  return text;
}

}  // namespace gw
