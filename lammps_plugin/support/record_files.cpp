/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "support/record_files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <regex>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

namespace E3D {

namespace {

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  const std::string FRAME_DTYPE =
      "[('step', '<i8'), ('first', '<i8'), ('end', '<i8'), ('cell', '<f8', (3, 3)), ('origin', '<f8', (3,)), "
      "('pbc', '<i8', (3,))]";
#else
#error "records are little-endian"
#endif
  static_assert(sizeof(RecordedFrame) == 144, "no padding, as FRAME_DTYPE says");

  struct Shard {
    std::string path;    // without ".KIND.npy"
    int part;
    std::string kind;
  };

  // all files of this base

  std::vector<Shard> shards_of(const std::string &base)
  {
    const auto slash = base.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : base.substr(0, slash + 1);
    const std::string name = slash == std::string::npos ? base : base.substr(slash + 1);
    static const std::regex pattern(R"((\.p(\d{1,9})\.w\d+of\d+\.s\d+)\.(edges|bonds|frames)\.npy)");

    std::vector<Shard> shards;
    DIR *listing = ::opendir(folder.c_str());
    if (!listing) throw std::runtime_error("cannot read the folder " + folder + ": " + std::strerror(errno));
    while (const dirent *entry = ::readdir(listing)) {
      const std::string file = entry->d_name;
      std::smatch match;
      if (file.compare(0, name.size(), name) != 0) continue;
      const std::string rest = file.substr(name.size());
      if (!std::regex_match(rest, match, pattern)) continue;
      shards.push_back({base + match.str(1), std::stoi(match.str(2)), match.str(3)});
    }
    ::closedir(listing);
    return shards;
  }

  void remove_file(const std::string &path)
  {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      throw std::runtime_error("cannot remove " + path + ": " + std::strerror(errno));
  }

  int64_t bytes_of(const std::string &path)    // -1: no such file
  {
    struct stat status;
    return ::stat(path.c_str(), &status) == 0 ? static_cast<int64_t>(status.st_size) : -1;
  }

  // whether a writer was killed while it made the shard: no header in its index, and no row yet

  bool is_bare(const std::string &path, const RecordedRows &rows)
  {
    const std::string rows_path = path + "." + rows.kind + ".npy";
    return bytes_of(path + ".frames.npy") == 0 &&
        (bytes_of(rows_path) <= 0 || NpyFile(rows_path, rows.size).rows() == 0);
  }

  // keep the frames up to this step; the index is shortened first, so that it never says more than there is

  void trim(const std::string &path, const RecordedRows &rows, int64_t step)
  {
    NpyFile frames(path + ".frames.npy", sizeof(RecordedFrame));
    std::vector<RecordedFrame> index(static_cast<std::size_t>(frames.rows()));
    frames.read(0, frames.rows(), index.data());
    const auto behind =
        std::find_if(index.begin(), index.end(), [step](const auto &f) { return f.step > step; });
    const auto kept = static_cast<int64_t>(behind - index.begin());
    const std::string rows_path = path + "." + rows.kind + ".npy";
    if (kept == 0) {
      remove_file(frames.path());
      remove_file(rows_path);
      return;
    }
    frames.shorten(kept);
    NpyFile(rows_path, rows.size).shorten(index[static_cast<std::size_t>(kept - 1)].end);
  }

}    // namespace

/* ---------------------------------------------------------------------- */

RecordShards::RecordShards(const std::string &base, int part, int writer, int writers,
                           const RecordedRows &rows, int64_t shard_bytes) :
    layout_(rows), shard_bytes_(shard_bytes)
{
  char name[64];
  std::snprintf(name, sizeof(name), ".p%d.w%04dof%04d.s", part, writer, writers);
  prefix_ = base + name;
}

void RecordShards::begin_frame()
{
  if (!rows_ || rows_->bytes() >= shard_bytes_) {
    char number[32];
    std::snprintf(number, sizeof(number), "%04lld", static_cast<long long>(shard_ + 1));
    const std::string path = prefix_ + number + ".";
    auto rows = std::make_unique<NpyFile>(path + layout_.kind + ".npy", layout_.dtype, layout_.size);
    frames_ = std::make_unique<NpyFile>(path + "frames.npy", FRAME_DTYPE, sizeof(RecordedFrame));
    rows_ = std::move(rows);
    shard_++;
  }
  first_ = rows_->rows();
}

void RecordShards::append(const void *rows, std::size_t bytes)
{
  rows_->append(rows, bytes);
}

// rows first, the entry in the index last: whatever is killed in between, the index has whole frames only

void RecordShards::end_frame(RecordedFrame frame)
{
  frame.first = first_;
  frame.end = rows_->rows();
  frames_->append(&frame, sizeof(frame));
  rows_->commit();
  frames_->commit();
  num_rows_ += frame.end - frame.first;
}

/* ---------------------------------------------------------------------- */

void remove_record(const std::string &base)
{
  for (const auto &shard : shards_of(base)) remove_file(shard.path + "." + shard.kind + ".npy");
}

/* ---------------------------------------------------------------------- */

int resume_record(const std::string &base, const RecordedRows &rows, int64_t step)
{
  for (const auto &shard : shards_of(base))
    if (is_bare(shard.path, rows)) {
      remove_file(shard.path + ".frames.npy");
      remove_file(shard.path + "." + rows.kind + ".npy");
    }
  const std::vector<Shard> shards = shards_of(base);
  int part = 0;
  std::set<std::string> indexed;
  for (const auto &shard : shards) {
    part = std::max(part, shard.part);
    if (shard.kind == "frames") indexed.insert(shard.path);
  }
  std::set<std::string> complete;
  for (const auto &shard : shards) {
    if (shard.kind == "frames") continue;
    if (shard.kind != rows.kind)
      throw std::runtime_error("the restarted run cannot go on with " + shard.path + "." + shard.kind +
                               ".npy: it records " + rows.kind + "; give the fix another base");
    complete.insert(shard.path);
    if (indexed.count(shard.path))
      trim(shard.path, rows, step);
    else
      remove_file(shard.path + "." + shard.kind + ".npy");
  }
  for (const auto &path : indexed)
    if (!complete.count(path)) remove_file(path + ".frames.npy");
  return part + 1;
}

/* ---------------------------------------------------------------------- */

std::string json_text(const std::string &text)
{
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    if (static_cast<unsigned char>(letter) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof(code), "\\u%04x", letter);
      quoted += code;
    } else {
      quoted += letter;
    }
  }
  return quoted + "\"";
}

}    // namespace E3D
