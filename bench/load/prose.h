// Prose: text for prompts, of as many tokens as are wanted, that is the same whenever it is made.
//
// Each token is a blank and a common English word of three letters. So a text has exactly four
// characters for each token, as gateways and simulated model servers reckon, and about as many
// tokens as were meant to a real one, whose vocabulary holds such words with their blanks. There
// are 128 words, so that blocks of 16 tokens of different texts differ but for one in 2^112.

#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "bench/workload.h"

namespace gw::bench {

// One part after the other. Equal ids are equal text; of different lengths, the shorter one begins
// the longer one.
std::string ProseOf(std::span<const Part> parts);

// An id that no other seed, kind and number has, but for chance: runs with different seeds share no
// text, so that none finds in a cache what another has left there.
uint64_t ProseId(uint64_t seed, uint64_t kind, uint64_t number);

}  // namespace gw::bench
