#include "tangra/base/memory_needs.h"

#include <gtest/gtest.h>

namespace tangra {
namespace {

TEST(MemoryNeeds, AreThoseOfTheWorstMoment) {
  MemoryNeeds needs;
  needs.hold(100, "the kernel");
  needs.use(50, "factors", 80);
  EXPECT_EQ(needs.least(), 150U);
  EXPECT_EQ(needs.better(), 180U);
  needs.give_back(100);
  needs.use(120, "eigenvalues");
  EXPECT_EQ(needs.least(), 150U);
  EXPECT_EQ(needs.held(), 0);
  needs.use(151, "a copy");
  EXPECT_EQ(needs.least(), 151U);
}

TEST(MemoryNeeds, NameTheLargestThingOfThatMoment) {
  MemoryNeeds needs;
  needs.hold(100, "the kernel");
  needs.use(50, "factors");
  EXPECT_EQ(needs.what(), "the kernel");
  needs.use(200, "eigenvalues");
  EXPECT_EQ(needs.what(), "eigenvalues");
  needs.give_back(100);
  needs.use(350, "a copy");
  EXPECT_EQ(needs.what(), "a copy");
}

TEST(MemoryNeeds, AreToldRoundedUp) {
  EXPECT_EQ(enough_bytes(1), "1 B");
  EXPECT_EQ(enough_bytes(1024), "1.00 KiB");
  EXPECT_EQ(enough_bytes(1025), "1.01 KiB");
  EXPECT_EQ(enough_bytes((100U << 20U) + 1), "101 MiB");
}

}  // namespace
}  // namespace tangra
