#include <fstream>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/version.h"
#include "cli/command_help.h"

namespace gw {
namespace {

// Text as roff takes it: no escapes of its own, no line that begins like a request, and a "-" that
// can be copied as one.
std::string Roff(const std::string& text) {
  std::string out = absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}});
  if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
  return out;
}

std::string Title(const std::string& page) {
  return absl::StrCat(".TH ", absl::AsciiStrToUpper(Roff(page)), " 1 \"\" \"penstock ",
                      std::string(Version().version), "\" \"User Commands\"\n");
}

// "\fB\-f\fR, \fB\-\-file\fR \fIPATH\fR"
std::string Term(const OptionHelp& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) {
    names.push_back(absl::StrCat(option.positional ? "\\fI" : "\\fB", Roff(name), "\\fR"));
  }
  std::string out = absl::StrJoin(names, ", ");
  if (!option.value.empty()) absl::StrAppend(&out, " \\fI", Roff(option.value), "\\fR");
  return out;
}

void AppendOption(const OptionHelp& option, std::string* out) {
  absl::StrAppend(out, ".TP\n", Term(option), "\n", Roff(option.text));
  if (option.required) absl::StrAppend(out, " (required)");
  if (!option.choices.empty()) {
    absl::StrAppend(out, "\n.br\nOne of: ", Roff(absl::StrJoin(option.choices, ", ")));
  }
  if (!option.default_value.empty()) {
    absl::StrAppend(out, "\n.br\nDefault: ", Roff(option.default_value));
  }
  absl::StrAppend(out, "\n");
}

std::string Synopsis(const std::string& program, const CommandHelp& command) {
  std::string out = absl::StrCat(".B ", Roff(program), " ", Roff(command.name), "\n");
  for (const OptionHelp& option : command.options) {
    const char* open = option.required ? "" : "[";
    const char* close = option.required ? "" : "]";
    absl::StrAppend(&out, open, Term(option), close, option.repeatable ? "...\n" : "\n");
  }
  return out;
}

void AppendFooter(const std::string& footer, std::string* out) {
  if (footer.empty()) return;
  absl::StrAppend(out, ".SH NAMES\n.nf\n");
  const std::vector<std::string> lines = absl::StrSplit(footer, '\n');
  for (const std::string& line : lines) {
    absl::StrAppend(out, Roff(line), "\n");
  }
  absl::StrAppend(out, ".fi\n");
}

std::string CommandPage(const ProgramHelp& program, const CommandHelp& command) {
  const std::string page = absl::StrCat(program.name, "-", command.name);
  std::string out = Title(page);
  absl::StrAppend(&out, ".SH NAME\n", Roff(page), " \\- ", Roff(command.text), "\n");
  absl::StrAppend(&out, ".SH SYNOPSIS\n", Synopsis(program.name, command), ".SH OPTIONS\n");
  for (const OptionHelp& option : command.options) AppendOption(option, &out);
  AppendFooter(command.footer, &out);
  absl::StrAppend(&out, ".SH SEE ALSO\n.BR ", Roff(program.name), " (1)\n");
  return out;
}

}  // namespace

std::string ManualPage(const ProgramHelp& program, std::string_view command) {
  for (const CommandHelp& candidate : program.commands) {
    if (candidate.name == command) return CommandPage(program, candidate);
  }
  std::string out = Title(program.name);
  absl::StrAppend(&out, ".SH NAME\n", Roff(program.name), " \\- ", Roff(program.text), "\n");
  absl::StrAppend(&out, ".SH SYNOPSIS\n.B ", Roff(program.name),
                  "\n.I COMMAND\n[options]\n.SH COMMANDS\n");
  std::vector<std::string> pages;
  for (const CommandHelp& each : program.commands) {
    absl::StrAppend(&out, ".TP\n.B ", Roff(each.name), "\n", Roff(each.text), "\n");
    pages.push_back(absl::StrCat(".BR ", Roff(absl::StrCat(program.name, "-", each.name)), " (1)"));
  }
  absl::StrAppend(&out, ".SH SEE ALSO\n", absl::StrJoin(pages, ",\n"), "\n");
  return out;
}

int RunManual(const ProgramHelp& program, std::string_view command, const std::string& folder) {
  if (folder.empty()) {
    std::cout << ManualPage(program, command);
    return 0;
  }
  const auto write = [&](const std::string& page, std::string_view of) {
    const std::string path = absl::StrCat(folder, "/", page, ".1");
    std::ofstream file(path);
    file << ManualPage(program, of) << std::flush;
    if (file) return true;
    std::cerr << "penstock: cannot write " << path << "\n";
    return false;
  };
  if (!write(program.name, "")) return 1;
  for (const CommandHelp& each : program.commands) {
    if (!write(absl::StrCat(program.name, "-", each.name), each.name)) return 1;
  }
  return 0;
}

}  // namespace gw
