#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/check.h"
#include "cli/command_help.h"

namespace gw {
namespace {

bool TakesFile(const OptionHelp& option) { return option.value == "PATH" || option.value == "DIR"; }

// Inside single quotes of a shell.
std::string Quoted(const std::string& text) { return absl::StrReplaceAll(text, {{"'", "'\\''"}}); }

// Inside the brackets and between the colons of zsh's _arguments.
std::string ZshText(const std::string& text) {
  return Quoted(
      absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}}));
}

// The case of one command: what follows an option that takes a value, then everything else.
void AppendBashCommand(const CommandHelp& command, std::string* out) {
  absl::StrAppend(out, "    ", command.name, ")\n      case \"$previous\" in\n");
  std::string words;
  bool files = false;
  for (const OptionHelp& option : command.options) {
    if (option.positional) {
      if (!option.choices.empty()) absl::StrAppend(&words, absl::StrJoin(option.choices, " "), " ");
      files = files || TakesFile(option);
      continue;
    }
    absl::StrAppend(&words, absl::StrJoin(option.names, " "), " ");
    if (option.value.empty()) continue;
    absl::StrAppend(out, "        ", absl::StrJoin(option.names, "|"), ") ");
    if (!option.choices.empty()) {
      absl::StrAppend(out, "words='", Quoted(absl::StrJoin(option.choices, " ")), "' ;;\n");
    } else {
      absl::StrAppend(out, TakesFile(option) ? "files=1 ;;\n" : ";;\n");
    }
  }
  absl::StrAppend(out, "        *) words='", Quoted(words), "--help'", files ? "; files=1" : "",
                  " ;;\n      esac ;;\n");
}

std::string BashScript(const ProgramHelp& program) {
  std::vector<std::string> names;
  for (const CommandHelp& command : program.commands) names.push_back(command.name);
  std::string out =
      absl::StrCat("# bash completion of ", program.name, "; written by `", program.name,
                   " completion bash`\n_", program.name, "() {\n",
                   R"(  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local words='' files=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    words=')",
                   absl::StrJoin(names, " "), R"( --help --version'
  else
    case "${COMP_WORDS[1]}" in
)");
  for (const CommandHelp& command : program.commands) AppendBashCommand(command, &out);
  absl::StrAppend(&out, R"(    esac
  fi
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(
    compgen -W "$words" -- "$current"
    [ -z "$files" ] || compgen -f -- "$current")
  # A value is still to come behind NAME= and a folder may go on.
  if [ "${#COMPREPLY[@]}" -eq 1 ]; then
    case "${COMPREPLY[0]}" in *=) compopt -o nospace 2>/dev/null ;; esac
    [ -d "${COMPREPLY[0]}" ] && [ -n "$files" ] && compopt -o filenames 2>/dev/null
  fi
  return 0
}
complete -F _)",
                  program.name, " ", program.name, "\n");
  return out;
}

std::string ZshArgument(const OptionHelp& option) {
  std::string action;
  if (!option.choices.empty()) {
    action = absl::StrCat("(", ZshText(absl::StrJoin(option.choices, " ")), ")");
  } else if (TakesFile(option)) {
    action = "_files";
  }
  const std::string text = ZshText(option.text);
  if (option.positional) {
    return absl::StrCat("'", option.repeatable ? "*" : "", ":", ZshText(option.names[0]), ":",
                        action, "'");
  }
  std::string names = option.names[0];
  if (option.names.size() > 1) names = absl::StrCat("'{", absl::StrJoin(option.names, ","), "}'");
  std::string out = absl::StrCat("'", option.repeatable ? "*" : "", names, "[", text, "]");
  if (!option.value.empty()) absl::StrAppend(&out, ":", ZshText(option.value), ":", action);
  return absl::StrCat(out, "'");
}

std::string ZshScript(const ProgramHelp& program) {
  std::string out = absl::StrCat("#compdef ", program.name, "\n# written by `", program.name,
                                 " completion zsh`\n_", program.name, "() {\n",
                                 "  local -a commands\n  commands=(\n");
  for (const CommandHelp& command : program.commands) {
    absl::StrAppend(&out, "    '", command.name, ":", ZshText(command.text), "'\n");
  }
  absl::StrAppend(&out,
                  "  )\n  if (( CURRENT == 2 )); then\n"
                  "    _describe command commands\n"
                  "    _arguments '--help[Print the help and end]' '--version[Print the version]'\n"
                  "    return\n  fi\n  local command=$words[2]\n"
                  "  shift words\n  (( CURRENT-- ))\n  case $command in\n");
  for (const CommandHelp& command : program.commands) {
    absl::StrAppend(&out, "    ", command.name, ")\n      _arguments -s '--help[Print the help]'");
    for (const OptionHelp& option : command.options) {
      absl::StrAppend(&out, " \\\n        ", ZshArgument(option));
    }
    absl::StrAppend(&out, " ;;\n");
  }
  absl::StrAppend(&out, "  esac\n}\n_", program.name, " \"$@\"\n");
  return out;
}

}  // namespace

const std::vector<std::string>& CompletionShells() {
  static const std::vector<std::string> shells = {"bash", "zsh"};
  return shells;
}

std::string CompletionScript(const ProgramHelp& program, std::string_view shell) {
  if (shell == "bash") return BashScript(program);
  CHECK(shell == "zsh");
  return ZshScript(program);
}

}  // namespace gw
