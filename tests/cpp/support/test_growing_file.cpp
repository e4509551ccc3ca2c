// Files that a run appends to: begun anew, gone on with after a restart, refused.
#include "check.h"
#include "support/growing_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace E3D;

namespace {

const std::string PATH = "test_growing_file.txt";
const std::string HEADER = "format/1\nkey value\ncolumns step x\n";

std::string content()
{
  std::ostringstream text;
  text << std::ifstream(PATH).rdbuf();
  return text.str();
}

void test_begin_and_append()
{
  std::ofstream(PATH) << "something old\n";
  GrowingFile file;
  CHECK(!file.is_open());
  file.begin(PATH, HEADER);
  file.append("1 a\n2 b\n");
  CHECK(content() == HEADER + "1 a\n2 b\n");    // flushed
  CHECK(file.is_open() && file.path() == PATH);
}

void test_resume()
{
  std::ofstream(PATH) << HEADER << "5 a\n10 b\n10 c\n15 d\n20";
  GrowingFile file;
  CHECK(file.resume(PATH, HEADER, 10) == "10 c");
  file.append("12 e\n");
  CHECK(content() == HEADER + "5 a\n10 b\n10 c\n12 e\n");
  file.close();

  std::ofstream(PATH) << HEADER << "5 a\n1";    // the last line was cut off
  CHECK(file.resume(PATH, HEADER, 10) == "5 a");
  CHECK(content() == HEADER + "5 a\n");
  CHECK(file.resume(PATH, HEADER, 4).empty());
  CHECK(content() == HEADER);
  file.close();

  std::remove(PATH.c_str());
  CHECK(file.resume(PATH, HEADER, 10).empty());
  CHECK(content() == HEADER);
}

void test_refusals()
{
  GrowingFile file;
  for (const std::string other :
       {"format/1\nkey other\ncolumns step x\n5 a\n", "", "format/1\nkey value\n"}) {
    std::ofstream(PATH) << other;
    CHECK_MESSAGE(file.resume(PATH, HEADER, 10), "was not written with these settings");
    CHECK(content() == other);
  }
  CHECK_MESSAGE(file.begin("nowhere/file.txt", HEADER),
                "cannot write the file nowhere/file.txt: No such file");
  CHECK_MESSAGE(file.begin(".", HEADER), "cannot write the file .: ");
}

void test_rows_go_to_no_other_file()
{
  const std::string other = "test_growing_file_other.txt";
  const std::string old = HEADER + "5 a\n15 b\n";
  std::ofstream(other) << old;
  GrowingFile file;
  std::filesystem::remove(PATH);
  std::filesystem::create_symlink(other, PATH);
  CHECK(file.resume(PATH, HEADER, 10) == "5 a");    // what the link leads to is read, and stays as it is
  file.append("12 c\n");
  CHECK(content() == HEADER + "5 a\n12 c\n");
  CHECK(!std::filesystem::is_symlink(PATH));

  std::filesystem::remove(PATH);
  std::filesystem::create_symlink(other, PATH);
  file.begin(PATH, HEADER);
  // a link in the place of the file that is being written
  std::filesystem::remove(PATH);
  std::filesystem::create_symlink(other, PATH);
  file.append("1 a\n");
  std::ostringstream text;
  text << std::ifstream(other).rdbuf();
  CHECK(text.str() == old);
  std::filesystem::remove(other);
}

}    // namespace

int main()
{
  test_begin_and_append();
  test_resume();
  test_refusals();
  test_rows_go_to_no_other_file();
  std::remove(PATH.c_str());
  return check::failures() == 0 ? 0 : 1;
}
