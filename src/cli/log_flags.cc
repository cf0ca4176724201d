#include "cli/log_flags.h"

#include <span>

#include "base/suggest.h"

namespace gw {
namespace {

constexpr std::string_view kLevels[] = {"debug", "info", "warning", "error"};
constexpr std::string_view kFormats[] = {"json", "text"};
constexpr std::string_view kShares[] = {"all", "none", "errors"};

// One of a few words, whose names the error says.
CLI::Validator Word(std::span<const std::string_view> known) {
  return CLI::Validator(
      [known](std::string& argument) -> std::string {
        for (const std::string_view word : known) {
          if (CLI::detail::to_lower(argument) != word) continue;
          argument = word;
          return "";
        }
        std::string wanted;
        for (size_t i = 0; i < known.size(); ++i) {
          if (i > 0) wanted += i + 1 < known.size() ? ", " : " or ";
          wanted += known[i];
        }
        return "must be " + wanted + ", got \"" + argument + "\"" + DidYouMean(argument, known);
      },
      "");
}

}  // namespace

void AddLog(CLI::App& serve, LogFlags& flags) {
  serve.add_option("--log-level", flags.level, "debug, info, warning or error")
      ->capture_default_str()
      ->check(LogLevelWord())
      ->type_name("LEVEL");
  serve.add_option("--log-format", flags.format, "json or text")
      ->capture_default_str()
      ->check(Word(kFormats))
      ->type_name("FORMAT");
  serve
      .add_option("--log-file", flags.file,
                  "Log here, not on standard error; SIGUSR1 opens it anew")
      ->type_name("PATH");
  CLI::Option* const requests =
      serve
          .add_option("--request-log", flags.requests,
                      "Requests that have a log line: all, none, errors, or a ratio such as 0.01 "
                      "beside all errors; HTTPRoutes' penstock.dev/log-requests wins")
          ->capture_default_str()
          ->check(CLI::Validator(
              [](std::string& text) {
                if (ParseLogShare(text)) return std::string();
                return std::string(kLogShareWanted) + ", got \"" + text + "\"" +
                       DidYouMean(text, kShares);
              },
              ""))
          ->type_name("SHARE");
  serve
      .add_flag("--no-request-log", flags.no_requests,
                "No log line per request: the same as --request-log none")
      ->excludes(requests);
  serve.add_flag("--log-prompt-blocks", flags.prompt_blocks,
                 "Lines of requests have hashes of what their prompts begin with, no text: a log "
                 "that penstock bench can ask again");
}

CLI::Validator LogLevelWord() { return Word(kLevels); }

LogOptions LogOptionsOf(const LogFlags& flags) {
  return {.level = *LogLevelFromName(flags.level),
          .format = flags.format == "text" ? LogFormat::kText : LogFormat::kJson,
          .file = flags.file};
}

LogShare LogShareOf(const LogFlags& flags) {
  return flags.no_requests ? kLogNone : *ParseLogShare(flags.requests);
}

}  // namespace gw
