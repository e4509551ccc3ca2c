// Files that are written whole or not at all, and through no link.
#include "check.h"
#include "support/whole_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

using namespace E3D;
namespace fs = std::filesystem;

namespace {

const std::string FOLDER = "test_whole_file.folder";    // beside the program of that name
const std::string PATH = FOLDER + "/map.txt";
const std::string TEMPORARY = FOLDER + "/.map.txt." + std::to_string(getpid());

std::string content(const std::string &path)
{
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

int num_files()
{
  int count = 0;
  for (const auto &entry : fs::directory_iterator(FOLDER)) count += !entry.path().empty();
  return count;
}

void test_old_or_new_and_nothing_else()
{
  CHECK(write_whole_file(PATH, "first\n").empty());
  CHECK(content(PATH) == "first\n");
  {
    WholeFile file(PATH);
    file.write("second\n");
    CHECK(content(PATH) == "first\n");
    CHECK_EQUAL(num_files(), 2);
  }
  CHECK(content(PATH) == "first\n");    // it was not committed
  CHECK_EQUAL(num_files(), 1);
  CHECK(write_whole_file(PATH, "second\n").empty());
  CHECK(content(PATH) == "second\n");
  CHECK_EQUAL(num_files(), 1);

  WholeFile file(PATH);
  file.write("third\n");
  std::FILE *fp = file.commit_and_keep_open();
  std::fputs("and more\n", fp);
  std::fclose(fp);
  CHECK(content(PATH) == "third\nand more\n");
  CHECK_EQUAL(num_files(), 1);
}

void test_permissions_are_those_of_the_mask()
{
  const mode_t before = umask(027);
  CHECK(write_whole_file(PATH, "x").empty());
  umask(before);
  struct stat status;
  CHECK(stat(PATH.c_str(), &status) == 0);
  CHECK_EQUAL(status.st_mode & 0777, 0640u);
}

void test_a_temporary_name_that_is_taken()
{
  // by a link to a file that must stay as it is, and by what a killed run left
  const std::string victim = FOLDER + "/victim";
  std::ofstream(victim) << "mine";
  fs::create_symlink("victim", TEMPORARY);
  std::ofstream(TEMPORARY + "-1") << "left";
  CHECK(why_not_writable(PATH).empty());
  CHECK(write_whole_file(PATH, "new").empty());
  CHECK(content(PATH) == "new");
  CHECK(content(victim) == "mine");
  CHECK(fs::is_symlink(TEMPORARY));
  CHECK(content(TEMPORARY + "-1") == "left");
  CHECK_EQUAL(num_files(), 4);
  for (const std::string &path : {victim, TEMPORARY, TEMPORARY + "-1"}) fs::remove(path);
}

void test_a_link_that_has_the_name_is_replaced()
{
  const std::string victim = FOLDER + "/victim";
  std::ofstream(victim) << "mine";
  fs::remove(PATH);
  fs::create_symlink("victim", PATH);
  CHECK(write_whole_file(PATH, "new").empty());
  CHECK(!fs::is_symlink(PATH));
  CHECK(content(PATH) == "new");
  CHECK(content(victim) == "mine");
  fs::remove(victim);
}

void test_reasons()
{
  CHECK(why_not_writable(FOLDER) == "it is a folder");
  CHECK(why_not_writable(FOLDER + "/") == "it is a folder");
  CHECK(why_not_writable("nowhere/map.txt") == "No such file or directory");
  CHECK(write_whole_file("nowhere/map.txt", "x") == "No such file or directory");
  CHECK(!write_whole_file(FOLDER, "x").empty());
  CHECK(!fs::exists("." + FOLDER + "." + std::to_string(getpid())));
  CHECK_MESSAGE(WholeFile("nowhere/map.txt"), "No such file or directory");
}

}    // namespace

int main()
{
  fs::remove_all(FOLDER);
  fs::create_directory(FOLDER);
  test_old_or_new_and_nothing_else();
  test_permissions_are_those_of_the_mask();
  test_a_temporary_name_that_is_taken();
  test_a_link_that_has_the_name_is_replaced();
  test_reasons();
  fs::remove_all(FOLDER);
  return check::failures() == 0 ? 0 : 1;
}
