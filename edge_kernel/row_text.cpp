// Rows of blank-separated words to columns of exact numbers.

#include "edge_kernel.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>

namespace {

constexpr std::int64_t max_exact_id = std::int64_t(1) << 53;    // LAMMPS hands ids on as doubles
constexpr int symbol_bytes = 8;

inline bool is_digit(char c)
{
  return static_cast<unsigned char>(c - '0') < 10;
}
inline bool is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}
inline bool ends_word(char c)
{
  return c == '\n' || is_blank(c);
}

// All scanners below rely on a '\n' at or behind the place where they start.

// Behind the digits that start at p, eight at a time.
inline const char *skip_digits(const char *p, const char *limit)
{
  while (limit - p >= 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, p, sizeof bytes);
    // A byte is a digit if its upper half is 3, and still is when 6 is added to it.
    const std::uint64_t upper = 0xf0f0f0f0f0f0f0f0u, threes = 0x3030303030303030u;
    if ((bytes & upper) != threes || ((bytes + 0x0606060606060606u) & upper) != threes) break;
    p += 8;
  }
  while (is_digit(*p)) ++p;
  return p;
}

struct Shape {
  const char *end;    // behind the word, null if it is not a plain number
  bool is_suspect;    // may be beyond the range of a double
};

// [+-] digits [. digits] [e [+-] digits], with at least one digit in front of the exponent
Shape number_shape(const char *p, const char *limit)
{
  const char *const start = p;
  if (*p == '-' || *p == '+') ++p;
  const char *const digits = p;
  while (is_digit(*p)) ++p;
  std::ptrdiff_t count = p - digits;
  if (*p == '.') {
    const char *const fraction = ++p;
    p = skip_digits(p, limit);
    count += p - fraction;
  }
  if (count == 0) return {nullptr, false};
  bool is_suspect = p - start > 100;
  if (*p == 'e' || *p == 'E') {
    ++p;
    if (*p == '-' || *p == '+') ++p;
    const char *const exponent = p;
    while (is_digit(*p)) ++p;
    if (p == exponent) return {nullptr, false};
    is_suspect = is_suspect || p - exponent > 2;
  }
  return {ends_word(*p) ? p : nullptr, is_suspect};
}

// Whether a plain number that no double can hold is too small (and not too large): the sign of its exponent when
// it is written with one digit, not 0, in front of the point.
bool is_tiny(const char *p, const char *end)
{
  if (*p == '-' || *p == '+') ++p;
  std::ptrdiff_t before = 0, zeros = 0;
  bool in_fraction = false, is_leading = true;
  for (; p < end && *p != 'e' && *p != 'E'; ++p) {
    if (*p == '.') {
      in_fraction = true;
    } else {
      is_leading = is_leading && *p == '0';
      before += !in_fraction && !is_leading;
      zeros += in_fraction && is_leading;
    }
  }
  const bool no_digit_left = is_leading;
  long exponent = 0;
  if (p < end) {
    ++p;
    const bool is_negative = *p == '-';
    if (*p == '-' || *p == '+') ++p;
    if (std::from_chars(p, end, exponent).ec != std::errc())
      exponent = std::numeric_limits<std::int32_t>::max();
    if (is_negative) exponent = -exponent;
  }
  return no_digit_left || exponent + (before > 0 ? before - 1 : -zeros - 1) < 0;
}

// The number in front of p; returns the end of its word, null if it is not finite or no plain number.
inline const char *read_real(const char *p, const char *limit, double &value)
{
  const char *start = p;
  if (*p == '-') ++p;
  if (!is_digit(*p)) {    // so that no "nan" and no "inf" comes through
    const Shape shape = number_shape(start, limit);
    if (!shape.end) return nullptr;
    if (*start == '+') ++start;
  }
  const std::from_chars_result found = std::from_chars(start, limit, value);
  if (!ends_word(*found.ptr)) return nullptr;
  if (found.ec == std::errc::result_out_of_range) {
    if (!is_tiny(start, found.ptr)) return nullptr;
    value = *start == '-' ? -0.0 : 0.0;
  } else if (found.ec != std::errc() || !std::isfinite(value)) {
    return nullptr;
  }
  return found.ptr;
}

// Whether a whole number in scientific notation has fewer digits in front of the exponent than it takes to write it.
bool has_lost_digits(const char *p, const char *end)
{
  std::int64_t digits = 0, exponent = 0;
  for (; p < end && *p != 'e' && *p != 'E'; ++p) digits += is_digit(*p);
  if (p == end) return false;
  ++p;
  if (*p == '+') ++p;
  std::from_chars(p, end, exponent);
  return digits <= exponent;
}

struct Whole {
  const char *end;
  std::int64_t number;
  e3d_stop problem;
};

// A whole number from 1 to `largest`.
inline Whole read_whole(const char *p, const char *limit, std::int64_t largest, bool is_id)
{
  const char *const start = p;
  std::int64_t number = 0;
  while (is_digit(*p) && p - start < 18) number = 10 * number + (*p++ - '0');
  if (p > start && ends_word(*p)) {
    if (number < 1 || number > largest) return {p, 0, e3d_stop_not_whole};
    return {p, number, e3d_stop_done};
  }
  double value = 0.0;    // as %f and %e print it
  p = read_real(start, limit, value);
  if (!p) return {nullptr, 0, e3d_stop_row};
  if (!(value >= 1.0 && value <= static_cast<double>(largest) && value == std::floor(value)))
    return {p, 0, e3d_stop_not_whole};
  if (is_id && has_lost_digits(start, p)) return {p, 0, e3d_stop_lost_digits};
  return {p, static_cast<std::int64_t>(value), e3d_stop_done};
}

// End of any word; null if a header starts inside it, as where a killed run was gone on with.
inline const char *skip_word(const char *p)
{
  const char *const start = p;
  for (; !ends_word(*p); ++p)
    if (*p == 'I' && std::strncmp(p, "ITEM:", 5) == 0) return nullptr;
  return p > start ? p : nullptr;
}

const char *find_header(const char *p, const char *end)
{
  for (; (p = static_cast<const char *>(std::memchr(p, 'I', end - p))); ++p)
    if (end - p >= 5 && std::memcmp(p, "ITEM:", 5) == 0) return p;
  return nullptr;
}

}    // namespace

void e3d_read_rows(const char *text, std::int64_t size, std::int64_t first, std::int64_t rows,
                   const e3d_columns *columns, e3d_row_report *report)
{
  const std::int32_t count = columns->count;
  const char *limit = text + size;    // behind the last '\n'
  while (limit > text && limit[-1] != '\n') --limit;

  const char *line = text;
  *report = {0, 0, e3d_stop_done, -1};
  const auto stop = [&](e3d_stop why, std::int32_t column) {
    // A row that is cut off by the header of another frame is no damaged row.
    const char *const end = static_cast<const char *>(std::memchr(line, '\n', limit - line));
    const char *const header = find_header(line, end);
    report->used = (header ? header : line) - text;
    report->stop = header ? e3d_stop_header : why;
    report->column = column;
  };

  std::int64_t row = 0;
  for (; row < rows; ++row) {
    if (line >= limit) {
      // The rest may hold a header already: then the row in front of it is cut off.
      const char *const header = size ? find_header(line, text + size) : nullptr;
      report->used = (header ? header : line) - text;
      report->stop = header ? e3d_stop_header : e3d_stop_end;
      report->rows = row;
      return;
    }
    const char *p = line;
    if (count == 0) {    // only passed over
      p = static_cast<const char *>(std::memchr(line, '\n', limit - line));
      if (find_header(line, p)) {
        report->rows = row;
        return stop(e3d_stop_header, -1);
      }
      line = p + 1;
      continue;
    }
    for (std::int32_t k = 0; k < count; ++k) {
      while (is_blank(*p)) ++p;
      char *const target = static_cast<char *>(columns->target[k]) + (first + row) * columns->stride[k];
      const char *end = nullptr;
      switch (columns->kind[k]) {
        case e3d_column_word: end = skip_word(p); break;
        case e3d_column_number: {
          const Shape shape = number_shape(p, limit);
          double value;
          end = shape.is_suspect && shape.end ? read_real(p, limit, value) : shape.end;
          break;
        }
        case e3d_column_real: {
          double value;
          if ((end = read_real(p, limit, value))) std::memcpy(target, &value, sizeof value);
          break;
        }
        case e3d_column_id:
        case e3d_column_type: {
          const bool is_id = columns->kind[k] == e3d_column_id;
          const Whole whole =
              read_whole(p, limit, is_id ? max_exact_id : std::numeric_limits<std::int32_t>::max(), is_id);
          if (whole.problem != e3d_stop_done) {
            report->rows = row;
            return stop(whole.problem, k);
          }
          end = whole.end;
          if (is_id) {
            std::memcpy(target, &whole.number, sizeof whole.number);
          } else {
            const auto number = static_cast<std::int32_t>(whole.number);
            std::memcpy(target, &number, sizeof number);
          }
          break;
        }
        case e3d_column_symbol:
          end = skip_word(p);
          if (end && end - p > symbol_bytes) end = nullptr;
          if (end) {
            std::memset(target, 0, symbol_bytes);
            std::memcpy(target, p, end - p);
          }
          break;
      }
      if (!end) {
        report->rows = row;
        return stop(e3d_stop_row, k);
      }
      p = end;
    }
    while (is_blank(*p)) ++p;
    if (*p != '\n') {
      report->rows = row;
      return stop(e3d_stop_row, count);
    }
    line = p + 1;
  }
  report->rows = row;
  report->used = line - text;
}

std::int32_t e3d_kernel_get_version()
{
  return e3d_kernel_version;
}
