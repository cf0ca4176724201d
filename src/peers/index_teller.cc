#include "peers/index_teller.h"

#include "peers/message.h"

namespace gw::peers {

IndexTeller::IndexTeller(PrefixIndex& index) : index_(index), names_(index.RunNames(kBlocksMax)) {}

// A mark is of use where its run is: those come first.
bool IndexTeller::Next(size_t bytes, std::string* out) {
  const size_t end = out->size() + bytes;
  MessageWriter writer(out);
  while (next_name_ < names_.size()) {
    if (out->size() >= end) return false;
    if (index_.CopyRun(names_[next_name_++], &run_) && !run_.holders.empty()) writer.Run(run_);
  }
  while (next_part_ < kMarkParts) {
    if (out->size() >= end) return false;
    index_.CopyMarks(next_part_++, kMarkParts, &marks_);
    for (const MarkCopy& mark : marks_) writer.Mark(mark);
  }
  writer.EndOfIndex();
  return true;
}

}  // namespace gw::peers
