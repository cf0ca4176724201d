#include <gtest/gtest.h>

#include <set>

#include "http/http_test_util.h"
#include "http/smuggling_vectors.h"

namespace gw::http {
namespace {

std::string VerdictOf(const Transcript& transcript) {
  return std::string(transcript.error == HeadError::kNone ? "harmless" : NameOf(transcript.error));
}

TEST(Smuggling, EveryVectorHasItsVerdict) {
  const std::vector<SmugglingVector> vectors = ReadSmugglingVectors();
  ASSERT_GE(vectors.size(), 100u);
  std::set<std::string> names;
  for (const SmugglingVector& vector : vectors) {
    EXPECT_TRUE(names.insert(vector.name).second) << vector.name << " stands there twice";
    const Transcript transcript = ReadRequests({vector.bytes});
    EXPECT_EQ(VerdictOf(transcript), vector.verdict) << vector.name;
    EXPECT_EQ(transcript.ended, vector.requests) << vector.name;
    std::string bodies;
    for (const std::string& body : transcript.bodies) bodies += body;
    if (vector.verdict == "harmless") {
      EXPECT_EQ(bodies, vector.bodies) << vector.name;
      EXPECT_EQ(transcript.heads.size(), vector.requests) << vector.name;
    }
  }
}

TEST(Smuggling, NoVerdictDependsOnHowTheBytesAreCut) {
  for (const SmugglingVector& vector : ReadSmugglingVectors()) {
    const Transcript whole = ReadRequests({vector.bytes});
    EXPECT_EQ(ReadRequests(CutInBytes(vector.bytes)), whole) << vector.name;
    for (size_t at = 0; at <= vector.bytes.size(); ++at) {
      EXPECT_EQ(ReadRequests(CutInTwo(vector.bytes, at)), whole) << vector.name << " at " << at;
    }
  }
}

TEST(Smuggling, NoRefusedVectorGivesAnExchangeThatEnds) {
  for (const SmugglingVector& vector : ReadSmugglingVectors()) {
    if (vector.verdict == "harmless") continue;
    EXPECT_EQ(ReadRequests({vector.bytes}).ended, 0u) << vector.name;
    EXPECT_EQ(vector.requests, 0u) << vector.name;
  }
}

TEST(Smuggling, NothingInAVectorAsksForSmuggled) {
  for (const SmugglingVector& vector : ReadSmugglingVectors()) {
    for (const std::string& head : ReadRequests({vector.bytes}).heads) {
      EXPECT_EQ(head.find(" /smuggled "), std::string::npos) << vector.name;
    }
  }
}

}  // namespace
}  // namespace gw::http
