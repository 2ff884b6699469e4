// The project as it stands keeps its own rules.
#include <gtest/gtest.h>

#include "rules.h"

namespace tangra::house {
namespace {

const std::filesystem::path project = TANGRA_PROJECT;

void expect_none(const Faults& faults) {
  for (const std::string& fault : faults) ADD_FAILURE() << fault;
}

TEST(House, RoomsFollowTheArrows) {
  expect_none(arrow_faults(project));
}
TEST(House, LibrariesStayInTheirRooms) {
  expect_none(library_faults(project));
}
TEST(House, OnlyBaseMakesThreadsAndOnlyCliPrints) {
  expect_none(behaviour_faults(project));
}
TEST(House, FilesAndFoldersAreSmall) {
  expect_none(size_faults(project));
}
TEST(House, NoPathOfAMachine) {
  expect_none(machine_path_faults(project));
}
TEST(House, OneVersionNumber) {
  expect_none(version_faults(project, TANGRA_CONFIGURED_VERSION));
}

}  // namespace
}  // namespace tangra::house
