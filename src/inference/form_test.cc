#include "inference/form.h"

#include <gtest/gtest.h>

namespace gw {
namespace {

FormOutcome Model(std::string_view content_type, std::string_view form) {
  FormField field;
  return FindFormField(content_type, form, "model", &field);
}

std::string Part(std::string_view heads, std::string_view content = "m") {
  return "--b\r\n" + std::string(heads) + "\r\n\r\n" + std::string(content) + "\r\n";
}
constexpr char kMultipart[] = "multipart/form-data; boundary=b";
constexpr char kUrlEncoded[] = "application/x-www-form-urlencoded";
constexpr char kModel[] = "Content-Disposition: form-data; name=\"model\"";
constexpr char kOther[] = "Content-Disposition: form-data; name=\"other\"";

TEST(FindFormField, FindsTheOnlyOne) {
  EXPECT_EQ(Model(kMultipart, Part(kModel) + "--b--"), FormOutcome::kFound);
  EXPECT_EQ(Model(kMultipart, "\r\n" + Part(kModel) + "--b--\r\nepilogue"), FormOutcome::kFound);
  EXPECT_EQ(Model(kMultipart, Part(kOther) + "--b--"), FormOutcome::kAbsent);
  EXPECT_EQ(Model(kMultipart, "--b--"), FormOutcome::kAbsent);
  EXPECT_EQ(Model(kUrlEncoded, "a=b"), FormOutcome::kAbsent);
  EXPECT_EQ(Model(kUrlEncoded, ""), FormOutcome::kAbsent);
  EXPECT_EQ(Model(kUrlEncoded, "model="), FormOutcome::kFound);
}

TEST(FindFormField, DoesNotChooseBetweenTwo) {
  EXPECT_EQ(Model(kMultipart, Part(kModel) + Part(kModel) + "--b--"), FormOutcome::kUnclear);
  EXPECT_EQ(Model(kUrlEncoded, "model=a&x=y&m%6fdel=b"), FormOutcome::kUnclear);
}

TEST(FindFormField, IsUnclearWhereParsersDiffer) {
  for (const char* form : {"x=1;model=m", "model=m;x=1", "model", "x&model&y"}) {
    EXPECT_EQ(Model(kUrlEncoded, form), FormOutcome::kUnclear) << form;
  }
  const std::string end = "--b--\r\n";
  for (const std::string& form : {
           std::string("preamble\r\n") + Part(kModel) + end,
           Part(kModel),                                      // without an end
           Part(std::string(kModel) + "; name=\"x\"") + end,  // two names
           Part(std::string(kOther) + "; name*=utf-8''model") + end,
           Part(std::string(kOther) + "\r\n" + kModel) + end,                 // two dispositions
           Part("Content-Type: text/plain") + end,                            // none
           Part("Content-Disposition: form-data;\r\n name=\"model\"") + end,  // folded
           Part("Content-Disposition: form-data; x=\"a\\\"; name=\"model\"") + end,
           Part("Content-Disposition: attachment; name=\"model\"") + end,
           Part(std::string(kModel) + "\r\nContent-Transfer-Encoding: base64") + end,
           std::string("--b \r\n") + kModel + "\r\n\r\nm\r\n" + end,
           std::string("--b\n") + kModel + "\n\nm\n--b--\n",
           std::string("--b\r\n") + kModel + "\r\n\r\n--b--",  // no line end of its own
           std::string(""),
       }) {
    EXPECT_EQ(Model(kMultipart, form), FormOutcome::kUnclear) << form;
  }
  const std::string form = Part(kModel) + end;
  for (const char* type : {"multipart/form-data", "multipart/form-data; boundary=",
                           "multipart/form-data; boundary=b; boundary=c",
                           "multipart/form-data; boundary=b; charset=utf-16",
                           "multipart/form-data; boundary=\"b", "multipart/form-data; boundary"}) {
    EXPECT_EQ(Model(type, form), FormOutcome::kUnclear) << type;
  }
}

TEST(FormText, IsWrittenAsTheFormWantsIt) {
  EXPECT_EQ(FormText(FormKind::kUrlEncoded, "a-Z_0.~ /%&\xC3\xA9"), "a-Z_0.~%20%2F%25%26%C3%A9");
  EXPECT_EQ(FormText(FormKind::kMultipart, "a b/c"), "a b/c");
}

}  // namespace
}  // namespace gw
