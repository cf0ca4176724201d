#include "prefix/run_table.h"

#include <gtest/gtest.h>

#include <unordered_map>
#include <vector>

#include "base/random.h"

namespace gw::internal {
namespace {

// Against a map, at all loads up to the most, in tables so small that rows of slots meet each other
// and their ends.
TEST(RunTable, FindsWhatIsInItAndNothingElse) {
  for (const size_t slots : {size_t{2}, size_t{3}, size_t{16}, size_t{100}, size_t{1000}}) {
    Random random(slots);
    CellPool cells;
    cells.Reserve(slots);
    RunTable table;
    table.Reserve(slots, &cells);
    std::unordered_map<uint64_t, uint32_t> wanted;
    std::vector<uint64_t> names;
    size_t most = 0;
    for (int step = 0; step < 20'000; ++step) {
      // Now it fills, now it empties.
      const bool adds = random.Below(10) < (step / 4000 % 2 == 0 ? 7u : 3u);
      if (adds && table.unused() > 0) {
        const uint64_t name = random.Below(3) == 0 ? static_cast<uint64_t>(step) : random.Next();
        if (wanted.contains(name)) continue;
        const uint32_t cell = cells.Allocate();
        cells[cell].run.name = name;
        table.PrefetchSlot(name);
        table.Put(name, cell);
        wanted[name] = cell;
        names.push_back(name);
        most = std::max(most, names.size());
      } else if (!adds && !names.empty()) {
        std::swap(names[random.Below(names.size())], names.back());
        table.Erase(names.back(), wanted[names.back()]);
        cells.Free(wanted[names.back()]);
        wanted.erase(names.back());
        names.pop_back();
      }
      ASSERT_EQ(table.Find(random.Next()), 0u);
      for (int i = 0; i < 3 && !names.empty(); ++i) {
        const uint64_t name = names[random.Below(names.size())];
        table.PrefetchRun(name);
        ASSERT_EQ(table.Find(name), wanted[name]) << slots << " slots, step " << step;
      }
    }
    EXPECT_EQ(most, slots * 7 / 8);
    for (const auto& [name, cell] : wanted) EXPECT_EQ(table.Find(name), cell);
  }
}

}  // namespace
}  // namespace gw::internal
