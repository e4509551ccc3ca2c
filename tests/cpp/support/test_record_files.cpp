// Shards of a record: frames, rotation, what a restart keeps, what stays untouched.
#include "check.h"
#include "support/record_files.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

using namespace E3D;
namespace fs = std::filesystem;

namespace {

const std::string FOLDER = "test_record_files.d";
const std::string BASE = FOLDER + "/run";
const RecordedRows ROWS = {"edges", "[('a', '<i8')]", sizeof(int64_t)};

std::set<std::string> names()
{
  std::set<std::string> found;
  for (const auto &entry : fs::directory_iterator(FOLDER)) found.insert(entry.path().filename().string());
  return found;
}

void write_frame(RecordShards &shards, int64_t step, int rows)
{
  const std::vector<int64_t> values(static_cast<std::size_t>(rows), step);
  shards.begin_frame();
  shards.append(values.data(), values.size() * sizeof(int64_t));
  RecordedFrame frame{};
  frame.step = step;
  shards.end_frame(frame);
}

std::vector<int64_t> steps(const std::string &shard)
{
  NpyFile file(BASE + shard + ".frames.npy", sizeof(RecordedFrame));
  std::vector<RecordedFrame> index(static_cast<std::size_t>(file.rows()));
  file.read(0, file.rows(), index.data());
  NpyFile rows(BASE + shard + ".edges.npy", sizeof(int64_t));
  std::vector<int64_t> found;
  int64_t end = 0;
  for (const auto &frame : index) {
    CHECK_EQUAL(frame.first, end);
    end = frame.end;
    std::vector<int64_t> values(static_cast<std::size_t>(frame.end - frame.first));
    rows.read(frame.first, frame.end - frame.first, values.data());
    for (const int64_t value : values) CHECK_EQUAL(value, frame.step);
    found.push_back(frame.step);
  }
  CHECK_EQUAL(rows.rows(), end);
  return found;
}

void begin_anew()
{
  fs::remove_all(FOLDER);
  fs::create_directory(FOLDER);
}

void test_shards()
{
  begin_anew();
  RecordShards shards(BASE, 1, 2, 3, ROWS, 1000);
  CHECK(names().empty());    // not before the first frame
  for (int64_t step = 0; step < 8; step++) write_frame(shards, step, step == 3 ? 0 : 50);
  CHECK(steps(".p1.w0002of0003.s0001") == std::vector<int64_t>({0, 1, 2}));
  CHECK(steps(".p1.w0002of0003.s0002") == std::vector<int64_t>({3, 4, 5, 6}));    // 3 is empty
  CHECK(steps(".p1.w0002of0003.s0003") == std::vector<int64_t>({7}));
  CHECK_EQUAL(shards.rows(), 350);
  CHECK_EQUAL(shards.bytes(), 2800);
  CHECK_EQUAL(shards.files(), 3);

  // a frame that is larger than a shard
  RecordShards large(BASE, 1, 3, 3, ROWS, 1);
  write_frame(large, 0, 500);
  write_frame(large, 1, 500);
  CHECK_EQUAL(large.files(), 2);

  // a name that is taken: another fix, or another run
  RecordShards again(BASE, 1, 3, 3, ROWS, 1);
  CHECK_MESSAGE(again.begin_frame(), "File exists");
}

void test_a_frame_that_is_not_finished()
{
  begin_anew();
  RecordShards shards(BASE, 1, 1, 1, ROWS, 1 << 20);
  write_frame(shards, 0, 10);
  shards.begin_frame();
  const std::vector<int64_t> some(20, 1);
  shards.append(some.data(), some.size() * sizeof(int64_t));    // and the run is killed
  CHECK(steps(".p1.w0001of0001.s0001") == std::vector<int64_t>({0}));
  const auto size = fs::file_size(BASE + ".p1.w0001of0001.s0001.edges.npy");
  CHECK_EQUAL(resume_record(BASE, ROWS, 5), 2);
  CHECK_EQUAL(size - fs::file_size(BASE + ".p1.w0001of0001.s0001.edges.npy"), 160U);
  CHECK(steps(".p1.w0001of0001.s0001") == std::vector<int64_t>({0}));
}

void test_restart()
{
  begin_anew();
  for (int writer = 1; writer <= 2; writer++) {
    RecordShards shards(BASE, 1, writer, 2, ROWS, 500);
    for (int64_t step = 0; step < 60; step += 10) write_frame(shards, step, 40);
  }
  std::ofstream(FOLDER + "/run.p1.w0001of0002.s0009.edges.npy") << "killed before its index";
  std::ofstream(FOLDER + "/run.json") << "{}";
  std::ofstream(FOLDER + "/run.p1.w0001of0002.s0001.edges.npy.bak") << "mine";
  std::ofstream(FOLDER + "/running.p1.w0001of0001.s0001.edges.npy") << "another record";

  CHECK_EQUAL(resume_record(BASE, ROWS, 20), 2);
  for (const char *writer : {"1", "2"}) {
    const std::string stem = std::string(".p1.w000") + writer + "of0002.s000";
    CHECK(steps(stem + "1") == std::vector<int64_t>({0, 10}));
    CHECK(steps(stem + "2") == std::vector<int64_t>({20}));
    CHECK(!fs::exists(BASE + stem + "3.edges.npy") && !fs::exists(BASE + stem + "3.frames.npy"));
  }
  CHECK_EQUAL(names().size(), 8U + 3U);
  RecordShards next(BASE, 2, 1, 1, ROWS, 500);
  write_frame(next, 30, 5);
  CHECK_EQUAL(resume_record(BASE, ROWS, 30), 3);
  CHECK(steps(".p2.w0001of0001.s0001") == std::vector<int64_t>({30}));
  CHECK_EQUAL(resume_record(BASE, ROWS, 25), 3);    // the part is gone, its number is not used again
  CHECK(!fs::exists(BASE + ".p2.w0001of0001.s0001.edges.npy"));

  CHECK_MESSAGE(resume_record(BASE, {"bonds", "[('a', '<i8')]", 8}, 20),
                "it records bonds; give the fix another base");
  remove_record(BASE);
  CHECK(names() ==
        std::set<std::string>({"run.json", "run.p1.w0001of0002.s0001.edges.npy.bak",
                               "running.p1.w0001of0001.s0001.edges.npy"}));
  CHECK_MESSAGE(remove_record("nowhere/run"), "cannot read the folder nowhere/: No such file or directory");
  fs::remove_all(FOLDER);
}

void test_json_text()
{
  CHECK(json_text("a \"b\" \\ c") == "\"a \\\"b\\\" \\\\ c\"");
  CHECK(json_text("\n\x01 \xc3\xa4") == "\"\\u000a\\u0001 \xc3\xa4\"");
}

}    // namespace

int main()
{
  test_shards();
  test_a_frame_that_is_not_finished();
  test_restart();
  test_json_text();
  return check::failures() == 0 ? 0 : 1;
}
