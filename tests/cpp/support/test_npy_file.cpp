// Arrays in numpy's format that grow: headers, commits, what a killed or a full disk leaves, what is refused.
#include "check.h"
#include "support/npy_file.h"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <sys/resource.h>

using namespace E3D;

namespace {

const std::string PATH = "test_npy_file.npy";
const std::string DTYPE = "[('a', '<i8'), ('b', '<f8')]";

struct Row {
  int64_t a;
  double b;
};

std::string content()
{
  std::ostringstream text;
  text << std::ifstream(PATH, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<Row> rows(int count, int64_t first = 0)
{
  std::vector<Row> made;
  for (int k = 0; k < count; k++) made.push_back({first + k, 0.5 * static_cast<double>(first + k)});
  return made;
}

void append(NpyFile &file, const std::vector<Row> &what)
{
  file.append(what.data(), what.size() * sizeof(Row));
}

void test_layout()
{
  std::filesystem::remove(PATH);
  NpyFile file(PATH, DTYPE, sizeof(Row));
  const std::string empty = content();
  CHECK_EQUAL(empty.size() % 64, 0U);
  CHECK(empty.compare(0, 8, std::string("\x93NUMPY\x01\x00", 8)) == 0);
  const std::size_t text = static_cast<unsigned char>(empty[8]) + 256U * static_cast<unsigned char>(empty[9]);
  CHECK_EQUAL(text + 10, empty.size());
  CHECK(empty.compare(10, 9, "{'descr':") == 0 && empty.back() == '\n');
  CHECK(empty.find("'fortran_order': False, 'shape': (0,), }") != std::string::npos);

  append(file, rows(3));
  append(file, rows(2, 3));
  CHECK(content().compare(0, empty.size(), empty) == 0);    // not before the commit
  CHECK_EQUAL(content().size(), empty.size() + 5 * sizeof(Row));
  file.commit();
  CHECK(content().find("'shape': (5,), }") != std::string::npos);
  CHECK_EQUAL(file.rows(), 5);
  CHECK_EQUAL(file.bytes(), static_cast<int64_t>(content().size()));
  Row last;
  std::memcpy(&last, content().data() + content().size() - sizeof(Row), sizeof(Row));
  CHECK(last.a == 4 && last.b == 2.0);
}

void test_going_on()
{
  std::filesystem::remove(PATH);
  {
    NpyFile file(PATH, DTYPE, sizeof(Row));
    append(file, rows(4));
    file.commit();
    append(file, rows(2, 4));    // of a writer that is killed now
  }
  NpyFile file(PATH, sizeof(Row));
  CHECK_EQUAL(file.rows(), 4);
  std::vector<Row> found(2);
  file.read(2, 2, found.data());
  CHECK(found[0].a == 2 && found[1].a == 3);
  file.shorten(3);
  CHECK_EQUAL(static_cast<int64_t>(content().size()), file.bytes());
  append(file, rows(1, 77));
  file.commit();
  file.read(3, 1, found.data());
  CHECK(found[0].a == 77 && file.rows() == 4);
  CHECK_MESSAGE(file.read(4, 1, found.data()), "it is cut off");
  file.shorten(0);
  CHECK(content().find("'shape': (0,), }") != std::string::npos);
}

void test_a_write_that_fails()
{
  std::filesystem::remove(PATH);
  NpyFile file(PATH, DTYPE, sizeof(Row));
  append(file, rows(10));
  file.commit();
  const std::string before = content();

  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit limit = old;
  limit.rlim_cur = before.size() + 100 * sizeof(Row) + 7;    // in the middle of a row
  setrlimit(RLIMIT_FSIZE, &limit);
  append(file, rows(60, 10));
  CHECK_MESSAGE(append(file, rows(60, 70)), "cannot write test_npy_file.npy: File too large");
  setrlimit(RLIMIT_FSIZE, &old);
  CHECK(content() == before);    // rows since the commit are gone, and no others
  CHECK_EQUAL(file.rows(), 10);
  append(file, rows(1, 10));
  file.commit();
  CHECK_EQUAL(NpyFile(PATH, sizeof(Row)).rows(), 11);
}

void test_refusals()
{
  CHECK_MESSAGE(NpyFile(PATH, DTYPE, sizeof(Row)), "cannot write test_npy_file.npy: File exists");
  CHECK_MESSAGE(NpyFile("nowhere/x.npy", DTYPE, sizeof(Row)), "cannot write nowhere/x.npy: No such file");
  CHECK_MESSAGE(NpyFile("nowhere/x.npy", sizeof(Row)), "cannot write nowhere/x.npy: No such file");

  const std::string whole = content();
  const auto refused = [](const std::string &bytes, const std::string &reason) {
    std::ofstream(PATH, std::ios::binary) << bytes;
    CHECK_MESSAGE(NpyFile(PATH, sizeof(Row)), reason);
  };
  refused("", "it is no .npy file");
  refused("some text that is long enough", "it is no .npy file");
  refused(whole.substr(0, 60), "its header is cut off");
  refused(whole.substr(0, whole.size() - 1), "rows of its header are not there");
  std::string other = whole;
  other.replace(other.find("'shape'"), 7, "'SHAPE'");
  refused(other, "its header is not the one of this plugin");
  std::string many = whole;
  many.replace(many.find("(11,), }"), 12, "(99999999,),");
  refused(many, "rows of its header are not there");

  // a link in the place of the file is not written through
  const std::string target = "test_npy_file_other.npy";
  std::ofstream(target) << "mine";
  std::filesystem::remove(PATH);
  std::filesystem::create_symlink(target, PATH);
  CHECK_MESSAGE(NpyFile(PATH, DTYPE, sizeof(Row)), "cannot write test_npy_file.npy: ");
  CHECK_MESSAGE(NpyFile(PATH, sizeof(Row)), "cannot write test_npy_file.npy: ");
  CHECK_EQUAL(std::filesystem::file_size(target), 4U);
  std::filesystem::remove(target);
  std::filesystem::remove(PATH);
}

}    // namespace

int main()
{
  test_layout();
  test_going_on();
  test_a_write_that_fails();
  test_refusals();
  return check::failures() == 0 ? 0 : 1;
}
