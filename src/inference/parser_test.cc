#include "inference/parser.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "inference/body_edit.h"
#include "inference/json_bytes.h"
#include "inference/recorded.h"

namespace gw {
namespace {

// The bytes past the end are no part of the body, and must not be taken for it.
std::string Padded(std::string_view body) {
  std::string padded(body);
  padded += std::string(InferenceParser::kPadding, '"');
  return padded;
}

struct Parsed {
  ParseOutcome outcome;
  InferenceRequest request;
  std::string prompt;
  std::string detail;
  std::string model_bytes;
};

Parsed Parse(std::string_view body, ApiKind api = ApiKind::kChatCompletions,
             size_t chars_max = 1 << 20) {
  static InferenceParser parser;  // as on a worker: one for all requests
  const std::string padded = Padded(body);
  Parsed parsed;
  parsed.request.api = api;
  const std::string_view view(padded.data(), body.size());
  parsed.outcome = parser.Parse(view, chars_max, &parsed.request);
  parsed.prompt = parser.prompt().Joined();
  parsed.detail = parser.detail();
  const ByteRange at = parsed.request.model_value;
  parsed.model_bytes = view.substr(at.offset, at.length);
  return parsed;
}

TEST(InferenceParser, ReadsModelStreamAndSalt) {
  const Parsed parsed = Parse(R"({"model":"m","stream":true,"cache_salt":"s","messages":[]})");
  EXPECT_EQ(parsed.outcome, ParseOutcome::kOk);
  EXPECT_EQ(parsed.request.requested_model, "m");
  EXPECT_EQ(parsed.request.target_model, "m");
  EXPECT_TRUE(parsed.request.stream);
  EXPECT_EQ(parsed.request.cache_salt, "s");
}

TEST(InferenceParser, ALongModelNameIsRefusedAndNotKept) {
  const auto body = [](size_t bytes) {
    return R"({"model":")" + std::string(bytes, 'x') + R"(","messages":[]})";
  };
  EXPECT_EQ(Parse(body(InferenceParser::model_name_bytes_max)).outcome, ParseOutcome::kOk);
  const Parsed parsed = Parse(body(InferenceParser::model_name_bytes_max + 1));
  EXPECT_EQ(parsed.outcome, ParseOutcome::kModelTooLong);
  EXPECT_EQ(parsed.request.requested_model, "");
  EXPECT_EQ(MessageOf(parsed.outcome), "\"model\" in the request body is longer than 1024 bytes");
}

TEST(InferenceParser, ABodyMayBeNestedUpToALimit) {
  const auto body = [](int lists, std::string_view inside = "1") {
    std::string text = R"({"model":"m","x":)" + std::string(lists, '[');
    return text.append(inside) + std::string(lists, ']') + "}";
  };
  EXPECT_EQ(Parse(body(127)).outcome, ParseOutcome::kOk);
  EXPECT_EQ(Parse(body(128)).outcome, ParseOutcome::kTooDeep);
  EXPECT_EQ(Parse(body(100'000)).outcome, ParseOutcome::kTooDeep);
  EXPECT_EQ(Parse(body(127, "{}")).outcome, ParseOutcome::kOk);  // what holds nothing is no level
  EXPECT_EQ(Parse(body(127, R"({"y":[]})")).outcome, ParseOutcome::kTooDeep);
  // In strings and side by side they are no levels.
  EXPECT_EQ(Parse(body(1, '"' + std::string(1000, '{') + '"')).outcome, ParseOutcome::kOk);
  std::string beside;
  for (int i = 0; i < 300; ++i) beside += "[1],";
  EXPECT_EQ(Parse(body(1, beside + "1")).outcome, ParseOutcome::kOk);
  // Nor is a number that the first reading does not take a way around the limit.
  EXPECT_EQ(Parse(body(127, "1e999")).outcome, ParseOutcome::kOk);
  EXPECT_EQ(Parse(body(128, "1e999")).outcome, ParseOutcome::kTooDeep);
  EXPECT_EQ(Parse(body(1, "1e999," + body(127))).outcome, ParseOutcome::kTooDeep);
  EXPECT_EQ(Parse(body(128) + "]").outcome, ParseOutcome::kMalformedJson);
}

TEST(InferenceParser, ItsDepthIsAnOption) {
  const std::string body = Padded(R"({"x":[[1]]})");
  const std::string_view view(body.data(), body.size() - InferenceParser::kPadding);
  InferenceParser shallow(2);
  InferenceParser enough(3);
  InferenceRequest request;
  request.api = ApiKind::kCompletions;
  EXPECT_EQ(shallow.Parse(view, 100, &request), ParseOutcome::kTooDeep);
  EXPECT_EQ(enough.Parse(view, 100, &request), ParseOutcome::kOk);
  EXPECT_EQ(shallow.FindModel("application/json", view, &request), ParseOutcome::kTooDeep);
  EXPECT_EQ(shallow.FindModel("text/plain", view, &request), ParseOutcome::kTooDeep);
  EXPECT_EQ(enough.FindModel("application/json", view, &request), ParseOutcome::kOk);
}

TEST(InferenceParser, NothingStaysFromTheRequestBefore) {
  InferenceParser parser;
  InferenceRequest request;
  request.api = ApiKind::kCompletions;
  const std::string first = Padded(R"({"model":"m","stream":true,"cache_salt":"s","prompt":"p"})");
  const std::string second = Padded(R"({"model":"n"})");
  parser.Parse(std::string_view(first).substr(0, first.size() - 64), 100, &request);
  EXPECT_EQ(parser.prompt().Joined(), "p");
  const auto view = std::string_view(second).substr(0, second.size() - 64);
  EXPECT_EQ(parser.Parse(view, 100, &request), ParseOutcome::kOk);
  EXPECT_EQ(parser.prompt().Joined(), "");
  EXPECT_EQ(request.requested_model, "n");
  EXPECT_FALSE(request.stream);
  EXPECT_EQ(request.cache_salt, "");
  EXPECT_EQ(request.prompt_chars, 0u);
}

TEST(InferenceParser, TellsWhyItRefuses) {
  const struct {
    std::string body;
    ParseOutcome outcome;
    std::string detail = "";
  } cases[] = {
      {"", ParseOutcome::kMalformedJson},
      {" ", ParseOutcome::kMalformedJson},
      {"{", ParseOutcome::kMalformedJson},
      {R"({"model":"m",})", ParseOutcome::kMalformedJson},
      {R"({"model":"m"}x)", ParseOutcome::kMalformedJson},
      {R"({"model":"m"}{"model":"n"})", ParseOutcome::kMalformedJson},
      {R"({"model":"m","x":"\ud800"})", ParseOutcome::kMalformedJson},
      {R"({"model":"m","x":"\x"})", ParseOutcome::kMalformedJson},
      {R"({"model":"m","x":01})", ParseOutcome::kMalformedJson},
      {R"({"model":"m","x":nan})", ParseOutcome::kMalformedJson},
      {R"({"model":"m","x":[NaN,-Infinity,Infinity]})", ParseOutcome::kOk},
      {"{\"model\":\"m\",\"x\":\"\xff\"}", ParseOutcome::kMalformedJson},
      {"{\"model\":\"m\",\"x\":\"\n\"}", ParseOutcome::kMalformedJson},
      {"\xEF\xBB\xBF{\"model\":\"m\"}", ParseOutcome::kOk},
      {"\xEF\xBB\xBF\xEF\xBB\xBF{\"model\":\"m\"}", ParseOutcome::kMalformedJson},
      {"[]", ParseOutcome::kNotAnObject},
      {"\"model\"", ParseOutcome::kNotAnObject},
      {"17", ParseOutcome::kNotAnObject},
      {"{}", ParseOutcome::kOk},
      {R"({"model":""})", ParseOutcome::kOk},
      {R"({"model":null})", ParseOutcome::kOk},
      {R"({"x":{"model":"m"}})", ParseOutcome::kOk},
      {R"({"model":3})", ParseOutcome::kBadModel},
      {R"({"model":["m"]})", ParseOutcome::kBadModel},
      {R"({"model":"m","model":"m"})", ParseOutcome::kDuplicateKey},
      {R"({"model":null,"model":"m"})", ParseOutcome::kDuplicateKey},
      {R"({"model":"m","mod\u0065l":"n"})", ParseOutcome::kDuplicateKey},
      {R"({"model":"m","stream":true,"stream":false})", ParseOutcome::kDuplicateKey},
      {R"({"model":"m","stream":null,"\u0073tream":true})", ParseOutcome::kDuplicateKey},
      {R"({"model":"m","x":{"model":1,"model":2}})", ParseOutcome::kOk},
      {R"({"model":"m","stream":null})", ParseOutcome::kOk},
      {R"({"model":"m","cache_salt":7})", ParseOutcome::kBadField, "cache_salt"},
      {R"({"model":"m","cache_salt":null})", ParseOutcome::kOk},
      {R"({"model":"m","messages":"hi"})", ParseOutcome::kBadField, "messages"},
      {R"({"model":"m","messages":["hi"]})", ParseOutcome::kBadField, "messages"},
      {R"({"model":"m","messages":[{"content":7}]})", ParseOutcome::kBadField,
       "messages[].content"},
      {R"({"model":"m","messages":null})", ParseOutcome::kOk},
      {R"({"model":"m","messages":[{}]})", ParseOutcome::kOk},
  };
  for (const auto& c : cases) {
    const Parsed parsed = Parse(c.body);
    EXPECT_EQ(parsed.outcome, c.outcome) << c.body;
    EXPECT_EQ(parsed.detail, c.detail) << c.body;
    EXPECT_EQ(MessageOf(parsed.outcome).empty(), parsed.outcome == ParseOutcome::kOk) << c.body;
  }
}

TEST(InferenceParser, ABodyMayNameNoModel) {
  for (const char* body : {"{}", R"({"model":""})", R"({"messages":[],"model":null})",
                           R"({"x":{"model":"m"}})", R"({"tools":[1],"messages":[]})"}) {
    const Parsed parsed = Parse(body);
    EXPECT_EQ(parsed.outcome, ParseOutcome::kOk) << body;
    EXPECT_EQ(parsed.request.requested_model, "") << body;
    EXPECT_EQ(parsed.request.target_model, "") << body;
    EXPECT_EQ(parsed.model_bytes, "") << body;
  }
}

TEST(InferenceParser, ReadsStreamAsPydanticDoes) {
  for (const char* yes : {"true", "1", "1.0", R"("true")", R"("True")", R"("on")", R"("Y")"}) {
    EXPECT_TRUE(Parse(std::string(R"({"model":"m","stream":)") + yes + "}").request.stream) << yes;
  }
  for (const char* no : {"false", "0", "null", R"("false")", R"("")", "2", "[]", R"(" true")"}) {
    const Parsed parsed = Parse(std::string(R"({"model":"m","stream":)") + no + "}");
    EXPECT_EQ(parsed.outcome, ParseOutcome::kOk);
    EXPECT_FALSE(parsed.request.stream) << no;
  }
}

TEST(InferenceParser, FindsTheModelBehindAByteOrderMark) {
  const std::string body = "\xEF\xBB\xBF {\"model\": \"m\",\"messages\":[],\"tools\":[1]}";
  const Parsed parsed = Parse(body);
  EXPECT_EQ(parsed.model_bytes, "\"m\"");
  BodyEdit edit;
  edit.Begin(body);
  edit.Set({{{"model", "\"n\""}, {"stream", "true"}}});
  EXPECT_EQ(edit.ToString(),
            "\xEF\xBB\xBF {\"model\": \"n\",\"messages\":[],\"tools\":[1], "
            "\"stream\": true}");
}

struct Found {
  ParseOutcome outcome;
  std::string model;
  std::string with_other;  // the body with "a b/c" in its place
};

Found Find(std::string_view content_type, std::string_view body) {
  static InferenceParser parser;
  const std::string padded = Padded(body);
  const std::string_view view(padded.data(), body.size());
  InferenceRequest request;
  request.requested_model = "before";
  Found found;
  found.outcome = parser.FindModel(content_type, view, &request);
  found.model = request.requested_model;
  BodyEdit edit;
  edit.Begin(view);
  if (!found.model.empty()) {
    edit.Replace(request.model_value, ModelText(request.model_place, "a b/c"));
  }
  found.with_other = edit.ToString();
  return found;
}

TEST(FindModel, ReadsJsonOfAnyApi) {
  for (const char* type : {"application/json", "application/json; charset=utf-8", "", "text/plain",
                           "application/vnd.x+json", "application/x-www-form-urlencoded"}) {
    const Found found = Find(type, R"( {"query":"q","model" : "m","documents":["=&x;"]})");
    EXPECT_EQ(found.outcome, ParseOutcome::kOk) << type;
    EXPECT_EQ(found.model, "m") << type;
    EXPECT_EQ(found.with_other, R"( {"query":"q","model" : "a b/c","documents":["=&x;"]})");
  }
}

TEST(FindModel, NothingIsNamedByWhatNamesNothing) {
  for (const char* body : {"", "{}", "[]", R"({"model":null})", R"({"model":{"name":"x"}})", "7",
                           R"([{"model":"m"}])"}) {
    EXPECT_EQ(Find("application/json", body).outcome, ParseOutcome::kOk) << body;
    EXPECT_EQ(Find("application/json", body).model, "") << body;
  }
  for (const char* body : {"{\"model\":\"m\"}\n{\"model\":\"n\"}", "{binary", "RIFF{"}) {
    EXPECT_EQ(Find("application/octet-stream", body).outcome, ParseOutcome::kOk) << body;
    EXPECT_EQ(Find("application/octet-stream", body).model, "") << body;
  }
  EXPECT_EQ(Find("application/x-www-form-urlencoded", "models=m&x").model, "");
}

TEST(FindModel, RefusesWhatTwoServersCouldReadDifferently) {
  EXPECT_EQ(Find("application/json", "not json").outcome, ParseOutcome::kMalformedJson);
  EXPECT_EQ(Find("", R"({"model":"m")").outcome, ParseOutcome::kMalformedJson);
  EXPECT_EQ(Find("application/json", R"({"model":"m","model":"n"})").outcome,
            ParseOutcome::kDuplicateKey);
  EXPECT_EQ(Find("application/json", R"({"model":")" + std::string(1025, 'x') + "\"}").outcome,
            ParseOutcome::kModelTooLong);
  EXPECT_EQ(Find("application/x-www-form-urlencoded", R"({"model":"m","x":"&model=n&"})").outcome,
            ParseOutcome::kUnclearForm);
}

TEST(FindModel, ReadsForms) {
  const Found url = Find("application/x-www-form-urlencoded", "prompt=a%26b;c&mod%65l=x%2Fy+z&n=1");
  EXPECT_EQ(url.model, "x/y z");
  EXPECT_EQ(url.with_other, "prompt=a%26b;c&mod%65l=a%20b%2Fc&n=1");
  const std::string before =
      "--x.y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b.wav\"\r\n"
      "Content-Type: audio/wav\r\n\r\nRIFF\r\n--x.\r\n\r\n--x.y\r\n"
      "content-disposition: form-data; name=model\r\n\r\n";
  const std::string after = "\r\n--x.y--\r\n";
  for (const char* type : {"multipart/form-data; boundary=x.y",
                           "Multipart/Form-Data;charset=UTF-8 ; boundary=\"x.y\""}) {
    const Found form = Find(type, before + "whisper-1" + after);
    EXPECT_EQ(form.outcome, ParseOutcome::kOk) << type;
    EXPECT_EQ(form.model, "whisper-1");
    EXPECT_EQ(form.with_other, before + "a b/c" + after);
  }
}

TEST(InferenceParser, NumbersBeyondSixtyFourBitsAreNoReasonToRefuse) {
  const Parsed parsed = Parse(R"({"seed":123456789012345678901234567890,"x":[-1e999,2E+400,)"
                              R"(99999999999999999999],"model":"m","prompt":[1,2,3]})",
                              ApiKind::kCompletions);
  EXPECT_EQ(parsed.outcome, ParseOutcome::kOk);
  EXPECT_EQ(parsed.model_bytes, "\"m\"");
  EXPECT_EQ(parsed.prompt, std::string("\1\0\0\0\2\0\0\0\3\0\0\0", 12));
  EXPECT_EQ(Parse(R"({"model":"m","x":1e999,"y":1.})").outcome, ParseOutcome::kMalformedJson);
  EXPECT_EQ(Parse(R"({"model":"m","x":12345678901234567890123x})").outcome,
            ParseOutcome::kMalformedJson);
  EXPECT_EQ(Parse(R"({"model":"m","x":-,"y":1e999})").outcome, ParseOutcome::kMalformedJson);
}

TEST(InferenceParser, FindsTheModelsBytes) {
  const struct {
    std::string_view body, bytes, model;
  } cases[] = {
      {R"({"model":"m"})", R"("m")", "m"},
      {" \n{ \"model\"\t:\r\n \"m\" } ", R"("m")", "m"},
      {R"({"mod\u0065l":"\u006d\"\\"})", R"("\u006d\"\\")", "m\"\\"},
      {R"({"messages":[{"model":"x","content":"\"model\":\"y\""}],"model":"m"})", R"("m")", "m"},
      {R"({"model\"":"x","model":"m","model ":"y"})", R"("m")", "m"},
      {R"({"a":{"model":"x"},"b":["model","x"],"c":"model","model":"m"})", R"("m")", "m"},
      {R"({"a":-1.5e3,"b":true,"c":null,"d":{},"e":[],"model":"m","f":0})", R"("m")", "m"},
      {R"({"a":"\\","b":"\\\"","c":"}]","model":"模型"})", R"("模型")", "模型"},
  };
  for (const auto& c : cases) {
    const Parsed parsed = Parse(c.body);
    EXPECT_EQ(parsed.outcome, ParseOutcome::kOk) << c.body;
    EXPECT_EQ(parsed.model_bytes, c.bytes) << c.body;
    EXPECT_EQ(parsed.request.requested_model, c.model) << c.body;
  }
}

// Random JSON text with every kind of value, much white space and hostile strings.
class RandomJson {
 public:
  explicit RandomJson(uint64_t seed) : random_(seed) {}

  std::string Body() {
    const uint64_t before = random_.Below(5), after = random_.Below(4);
    std::string body = Space() + "{";
    for (uint64_t i = 0; i < before; ++i) body += Member(3) + ",";
    body += Space() + (random_.Below(3) ? "\"model\"" : "\"m\\u006fdel\"") + Space() + ":" +
            Space() + String() + Space();
    for (uint64_t i = 0; i < after; ++i) body += "," + Member(3);
    return body + "}" + Space();
  }

 private:
  std::string Space() {
    static constexpr const char* kSpaces[] = {"", "", "", " ", "\n", "\t ", "\r\n"};
    return kSpaces[random_.Below(7)];
  }
  std::string String() {
    static constexpr const char* kPieces[] = {
        "x", "model",   "\\\"",       "\\\\", "{", "}",        "[",      "]",       ",",
        ":", "\\u0022", "long text ", "\\n",  "é", "\\\\\\\"", "stream", "\\u005c", "1e5"};
    std::string text = "\"x";
    for (uint64_t i = random_.Below(12); i > 0; --i) text += kPieces[random_.Below(18)];
    return text + "\"";
  }
  std::string Value(int depth) {
    static constexpr const char* kScalars[] = {
        "0", "-17", "1.25e-3", "true", "false", "null", "{}", "[]", "18446744073709551615"};
    const uint64_t kind = random_.Below(depth > 0 ? 6 : 4);
    if (kind < 2) return String();
    if (kind < 4) return kScalars[random_.Below(9)];
    std::string text = kind == 4 ? "[" : "{";
    for (uint64_t i = random_.Below(4); i > 0; --i) {
      text += kind == 4 ? Value(depth - 1) + Space() : Member(depth - 1, true);
      if (i > 1) text += "," + Space();
    }
    return text + Space() + (kind == 4 ? "]" : "}");
  }
  std::string Member(int depth, bool nested = false) {
    const std::string key = nested && random_.Below(2) ? "\"model\"" : String();
    return Space() + key + Space() + ":" + Space() + Value(depth) + Space();
  }

  Random random_;
};

TEST(InferenceParser, AgreesWithAnotherParserOnWhereTheModelIs) {
  simdjson::ondemand::parser oracle;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const std::string body = RandomJson(seed).Body();
    const Parsed parsed = Parse(body);
    ASSERT_EQ(parsed.outcome, ParseOutcome::kOk) << body;
    const simdjson::padded_string padded(body);
    auto document = oracle.iterate(padded);
    std::string_view token;
    for (auto field : document.get_object()) {
      if (field.unescaped_key().value() == "model") {
        token = field.value().raw_json_token().value();
        break;
      }
    }
    while (token.ends_with(' ') || token.ends_with('\n') || token.ends_with('\r') ||
           token.ends_with('\t')) {
      token.remove_suffix(1);  // the oracle's tokens keep the space after them
    }
    ASSERT_EQ(parsed.model_bytes, token) << body;
    ASSERT_EQ(parsed.request.model_value.offset, static_cast<size_t>(token.data() - padded.data()))
        << body;
  }
}

TEST(InferenceParser, ALargeBodyIsReadAndItsMemoryGivenBack) {
  const std::string text(5 << 20, 'x');
  const Parsed parsed =
      Parse("{\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}],\"model\":\"m\"}",
            ApiKind::kChatCompletions, 1000);
  EXPECT_EQ(parsed.outcome, ParseOutcome::kOk);
  EXPECT_EQ(parsed.prompt.size(), 1000u);
  EXPECT_EQ(parsed.request.prompt_chars, text.size() + 28);
  EXPECT_EQ(parsed.model_bytes, "\"m\"");
  EXPECT_EQ(Parse(R"({"model":"after"})").request.requested_model, "after");
}

TEST(QuoteJson, EscapesWhatMustBeAndReplacesWhatIsNotUtf8) {
  EXPECT_EQ(QuoteJson(""), "\"\"");
  EXPECT_EQ(QuoteJson("a/b é 名 \U0001F600"), "\"a/b é 名 \U0001F600\"");
  EXPECT_EQ(QuoteJson("\"\\\n\t\x01\x1f\x7f"), "\"\\\"\\\\\\n\\u0009\\u0001\\u001f\x7f\"");
  EXPECT_EQ(QuoteJson(std::string_view("\0", 1)), "\"\\u0000\"");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(QuoteJson("a\xff"
                      "b"),
            "\"a" + bad + "b\"");
  EXPECT_EQ(QuoteJson("\xc3"), "\"" + bad + "\"");                      // cut off
  EXPECT_EQ(QuoteJson("\xc0\xaf"), "\"" + bad + bad + "\"");            // overlong
  EXPECT_EQ(QuoteJson("\xed\xa0\x80"), "\"" + bad + bad + bad + "\"");  // surrogate
  EXPECT_EQ(QuoteJson("\xf4\x90\x80\x80"), "\"" + bad + bad + bad + bad + "\"");
}

TEST(QuoteJson, IsReadBackAsItWasByAParser) {
  simdjson::dom::parser parser;
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  const simdjson::padded_string quoted(QuoteJson(all));
  EXPECT_EQ(parser.parse(quoted).get_string().value(), all);
}

TEST(InferenceParser, APromptOfAMillionTokensIsRenderedWhole) {
  const std::string text(4'000'000, 'x');
  std::string body = R"({"prompt":")" + text + R"("})";
  const size_t size = body.size();
  body.append(InferenceParser::kPadding, ' ');
  InferenceParser parser;
  InferenceRequest request{.api = ApiKind::kCompletions};
  EXPECT_EQ(parser.Parse({body.data(), size}, SIZE_MAX, &request), ParseOutcome::kOk);
  EXPECT_TRUE(parser.prompt().Joined() == text);
  parser.DropPrompt();
  EXPECT_EQ(parser.prompt().size(), 0u);
}

TEST(RecordedRequests, AreRead) {
  for (const std::string version : {"vllm-0.32.0/", "vllm-0.14.1/"}) {
    const auto read = [&version](const char* name, ApiKind api) {
      const Parsed parsed = Parse(internal::RecordedBody(version + name + ".request"), api);
      EXPECT_EQ(parsed.outcome, ParseOutcome::kOk) << version << name;
      EXPECT_EQ(parsed.model_bytes, '"' + parsed.request.requested_model + '"') << name;
      return parsed;
    };
    const Parsed chat = read("chat_stream", ApiKind::kChatCompletions);
    EXPECT_EQ(chat.request.requested_model, "/models/Qwen3-32B");
    EXPECT_TRUE(chat.request.stream);
    EXPECT_TRUE(chat.prompt.starts_with("<|im_start|>system\nYou are a helpful assistant"));
    EXPECT_FALSE(read("chat_nostream", ApiKind::kChatCompletions).request.stream);
    EXPECT_EQ(read("chat_lora", ApiKind::kChatCompletions).request.requested_model, "sql-lora");
    EXPECT_FALSE(read("chat_cache_salt", ApiKind::kChatCompletions).request.cache_salt.empty());
    const Parsed batch = read("completion_batch", ApiKind::kCompletions);
    EXPECT_EQ(batch.request.prompts, 2u);
    EXPECT_EQ(batch.prompt, "import os");
    const Parsed ids = read("completion_token_ids", ApiKind::kCompletions);
    EXPECT_EQ(ids.request.prompt_tokens_estimate, 80u);
    EXPECT_EQ(read("responses_nostream", ApiKind::kResponses).prompt,
              "<|im_start|>user\nhello<|im_end|>\n");
    EXPECT_EQ(read("messages_stream", ApiKind::kMessages).prompt,
              "<|im_start|>user\nhello<|im_end|>\n");
  }
}

}  // namespace
}  // namespace gw
