// Rows of text to numbers: every malformation, numbers at their limits, texts that end anywhere.
#include "check.h"
#include "edge_kernel.h"
#include "edge_kernel/exact_memory.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace {

using Kinds = std::vector<std::int32_t>;

constexpr double UNTOUCHED = -77.0;

// What reading a text gave; columns by their kind, in their order.

struct Result {
  std::int64_t rows = 0, used = 0;
  std::int32_t stop = 0, column = 0;
  std::vector<double> reals;
  std::vector<std::int64_t> ids;
  std::vector<std::int32_t> types;
  std::vector<std::string> symbols;

  auto all() const { return std::tie(rows, used, stop, column, reals, ids, types, symbols); }
};

Result read_from(const char *text, std::size_t size, const Kinds &kinds, std::int64_t rows)
{
  // one block for each column, just as long as the rows that are asked for
  std::vector<ExactArray<double>> reals;
  std::vector<ExactArray<std::int64_t>> ids;
  std::vector<ExactArray<std::int32_t>> types;
  std::vector<ExactArray<char>> symbols;
  std::vector<void *> targets;
  std::vector<std::int64_t> strides;
  for (const std::int32_t kind : kinds) {
    const auto add = [&](auto &columns, std::size_t width, auto filler) {
      columns.emplace_back(width * rows, filler);
      targets.push_back(columns.back().data());
      strides.push_back(width * sizeof(filler));
    };
    switch (kind) {
      case e3d_column_real: add(reals, 1, UNTOUCHED); break;
      case e3d_column_id: add(ids, 1, std::int64_t(-77)); break;
      case e3d_column_type: add(types, 1, std::int32_t(-77)); break;
      case e3d_column_symbol: add(symbols, 8, '?'); break;
      default:    // nothing is written
        targets.push_back(nullptr);
        strides.push_back(0);
    }
  }

  const ExactArray<std::int32_t> exact_kinds(kinds);
  const ExactArray<void *> exact_targets(targets);
  const ExactArray<std::int64_t> exact_strides(strides);
  const e3d_columns columns = {static_cast<std::int32_t>(kinds.size()), exact_kinds.data(),
                               exact_targets.data(), exact_strides.data()};
  e3d_row_report report;
  e3d_read_rows(text, static_cast<std::int64_t>(size), 0, rows, &columns, &report);

  CHECK(report.rows >= 0 && report.rows <= rows);
  CHECK(report.used >= 0 && report.used <= static_cast<std::int64_t>(size));
  Result result{report.rows, report.used, report.stop, report.column, {}, {}, {}, {}};
  for (std::int64_t row = 0; row < report.rows; row++) {
    for (const auto &column : reals) result.reals.push_back(column[row]);
    for (const auto &column : ids) result.ids.push_back(column[row]);
    for (const auto &column : types) result.types.push_back(column[row]);
    for (const auto &column : symbols) result.symbols.emplace_back(column.data() + 8 * row, 8);
  }
  // rows behind the one that is wrong are as they were
  for (std::int64_t row = report.rows + 1; row < rows; row++) {
    for (const auto &column : reals) CHECK(column[row] == UNTOUCHED);
    for (const auto &column : ids) CHECK(column[row] == -77);
    for (const auto &column : types) CHECK(column[row] == -77);
    for (const auto &column : symbols) CHECK(column[8 * row] == '?');
  }
  return result;
}

// the same from memory of each kind that ends with the text

Result read(const std::string &text, const Kinds &kinds, std::int64_t rows)
{
  const ExactArray<char> exact(std::vector<char>(text.begin(), text.end()));
  const Result result = read_from(exact.data(), text.size(), kinds, rows);
  for (const auto place : {GuardedText::AT_START, GuardedText::AT_END}) {
    const GuardedText guarded(text, place);
    CHECK(read_from(guarded.data(), text.size(), kinds, rows).all() == result.all());
  }
  return result;
}

void check_stop(const Result &result, e3d_stop stop, std::int64_t rows, std::int64_t used,
                std::int32_t column)
{
  CHECK_EQUAL(result.stop, stop);
  CHECK_EQUAL(result.rows, rows);
  CHECK_EQUAL(result.used, used);
  CHECK_EQUAL(result.column, column);
}

std::string padded(std::string symbol)
{
  symbol.resize(8, '\0');
  return symbol;
}

/* ---------------------------------------------------------------------- */

void test_rows_of_every_kind()
{
  const Kinds kinds = {e3d_column_id,     e3d_column_word, e3d_column_type,
                       e3d_column_symbol, e3d_column_real, e3d_column_number};
  const std::string text = "12 any-thing 3 Si -1.5e-3 7\n"
                           "  13\tx\t1   C 2.5 \t -.5  \r\n"
                           "14 # 2147483647 12345678 .25 +1.e1\n";
  const Result result = read(text, kinds, 3);
  check_stop(result, e3d_stop_done, 3, text.size(), -1);
  CHECK(result.ids == std::vector<std::int64_t>({12, 13, 14}));
  CHECK(result.types == std::vector<std::int32_t>({3, 1, 2147483647}));
  CHECK(result.symbols == std::vector<std::string>({padded("Si"), padded("C"), "12345678"}));
  CHECK(result.reals == std::vector<double>({-1.5e-3, 2.5, 0.25}));

  // fewer rows than there are, and none
  check_stop(read(text, kinds, 1), e3d_stop_done, 1, text.find('\n') + 1, -1);
  check_stop(read(text, kinds, 0), e3d_stop_done, 0, 0, -1);
  check_stop(read(text, kinds, 4), e3d_stop_end, 3, text.size(), -1);
}

void test_rows_from_some_row_on_and_strides()
{
  // two columns of one array of records, written from its second record on
  struct Record {
    std::int64_t id;
    double value;
  };
  ExactArray<Record> records(4, {-1, -1.0});
  const std::int32_t kinds[] = {e3d_column_id, e3d_column_real};
  void *const targets[] = {&records.data()->id, &records.data()->value};
  const std::int64_t strides[] = {sizeof(Record), sizeof(Record)};
  const e3d_columns columns = {2, kinds, targets, strides};
  e3d_row_report report;
  const std::string text = "5 0.5\n6 0.25\n";
  e3d_read_rows(text.data(), text.size(), 1, 2, &columns, &report);
  CHECK_EQUAL(report.rows, 2);
  CHECK(records[0].id == -1 && records[3].id == -1 && records[3].value == -1.0);
  CHECK(records[1].id == 5 && records[1].value == 0.5 && records[2].id == 6 && records[2].value == 0.25);
}

void test_rows_that_are_passed_over()
{
  check_stop(read("a b c\n\n?\n", {}, 3), e3d_stop_done, 3, 9, -1);
  check_stop(read("a b c\nno end", {}, 2), e3d_stop_end, 1, 6, -1);
  check_stop(read("a\nb ITEM: TIMESTEP\n", {}, 2), e3d_stop_header, 1, 4, -1);
}

/* ----------------------------------------------------------------------
   words that are no numbers, or no finite ones, and where they stand
------------------------------------------------------------------------- */

std::vector<std::string> words_of(const std::string &text)
{
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

void test_words_that_are_no_numbers()
{
  std::vector<std::string> words = words_of(
      "nan -nan NaN inf -inf +inf Inf infinity INFINITY nan(1) x - + . -. +. e5 .e5 -e5 1e 1e+ 1e- 1E 1.e "
      "--1 ++1 +-1 -+1 1- 1+ 1.2.3 1..2 1e5.0 1e5e5 0x10 0x1p3 1,5 1_000 1d5 1f 1.0f 1e5x 5% # NULL \"1\" "
      "'1' (1) 12345678x 1.2345678x 1.23456781234567: 1.1234567/ \xff 1\xff \xc2\xa0 1\xc2\xa0 \xef\xbc\x91 "
      "123456781234567\xb9");
  for (const char *word : {"1\v", "\f1"}) words.emplace_back(word);    // no blanks to LAMMPS
  for (const auto &word : {std::string("1\0", 2), std::string("\0", 1), std::string("\0001", 2)})
    words.push_back(word);
  for (const std::string &word : words)
    for (const std::int32_t kind : {e3d_column_real, e3d_column_number, e3d_column_id, e3d_column_type}) {
      const Result result = read("7 1\n8 " + word + "\n", {e3d_column_id, kind}, 2);
      check_stop(result, e3d_stop_row, 1, 4, 1);
    }
}

void test_rows_with_too_few_or_too_many_words()
{
  const Kinds kinds = {e3d_column_id, e3d_column_real, e3d_column_real};
  const std::string good = "1 2 3\n";
  for (const auto &[bad, column] : std::vector<std::pair<std::string, int>>{
           {"4 5", 2}, {"4", 1}, {"", 0}, {"   \t ", 0}, {"\r", 0}, {"4 5 6 7", 3}, {"4 5 6 x", 3}}) {
    const std::string text = good + bad + "\n" + good;
    check_stop(read(text, kinds, 3), e3d_stop_row, 1, 6, column);
  }
  check_stop(read("1 2 3  \t\r\n", kinds, 1), e3d_stop_done, 1, 10, -1);

  // symbols: up to 8 bytes
  check_stop(read("123456789\n", {e3d_column_symbol}, 1), e3d_stop_row, 0, 0, 0);
  check_stop(read("\n", {e3d_column_symbol}, 1), e3d_stop_row, 0, 0, 0);
  check_stop(read("\n", {e3d_column_word}, 1), e3d_stop_row, 0, 0, 0);
}

/* ----------------------------------------------------------------------
   numbers at their limits; strtod is the judge of what they are
------------------------------------------------------------------------- */

void test_reals_at_their_limits()
{
  const std::string digits(400, '9'), zeros(400, '0'), many(5000, '7');
  std::vector<std::string> words = words_of(
      "0 -0 +0 0.0 00 007 0.1 1e22 1e23 123456789012345678901234567890 1.7976931348623157e308 "
      "-1.7976931348623157e+308 1.7976931348623158e308 2.2250738585072014e-308 2.2250738585072011e-308 "
      "4.9406564584124654e-324 -4.9406564584124654e-324 2.4703282292062328e-324 8.5e-323 9007199254740993 "
      "9007199254740992.9999999999999999 0e99999 -0e99999 0e-99999");
  for (const std::string &word : {"0." + zeros + "1e400", digits + "e-400", "0." + many, "1." + many})
    words.push_back(word);
  for (const std::string &word :
       {many.substr(0, 308), "0." + zeros, "-0." + zeros, zeros, zeros + ".5", zeros + "1"})
    words.push_back(word);
  for (const std::string &word : words) {
    for (const char *sign : {"", "-"}) {
      if (*sign && !std::isdigit(word[0])) continue;
      const std::string signed_word = sign + word;
      const Result one = read(signed_word + "\n", {e3d_column_real}, 1);
      const double expected = std::strtod(signed_word.c_str(), nullptr);
      CHECK_EQUAL(one.stop, e3d_stop_done);
      CHECK(one.rows == 1 && one.reals[0] == expected);
      CHECK(one.rows == 1 && std::signbit(one.reals[0]) == std::signbit(expected));
      CHECK_EQUAL(read(signed_word + "\n", {e3d_column_number}, 1).stop, e3d_stop_done);
    }
  }

  // too small: 0 with its sign
  for (const std::string word : {"1e-400", "2e-324", "1e-99999999999999999999", "0.0001e-400"}) {
    const Result small = read(word + " -" + word + "\n", {e3d_column_real, e3d_column_real}, 1);
    CHECK_EQUAL(small.stop, e3d_stop_done);
    CHECK(small.rows == 1 && small.reals[0] == 0.0 && !std::signbit(small.reals[0]));
    CHECK(small.rows == 1 && small.reals[1] == 0.0 && std::signbit(small.reals[1]));
    CHECK_EQUAL(read(word + "\n", {e3d_column_number}, 1).stop, e3d_stop_done);
  }
  CHECK_EQUAL(read("0." + zeros + "1\n", {e3d_column_real}, 1).stop, e3d_stop_done);

  // too large
  for (const std::string &word :
       std::vector<std::string>{"1.8e308", "1e309", "1e400", "1e99999999999999999999", digits, "1" + zeros,
                                "0.0001e400", digits + "." + digits, "1." + zeros + "e400"})
    for (const char *sign : {"", "-", "+"})
      for (const std::int32_t kind : {e3d_column_real, e3d_column_number})
        check_stop(read(sign + word + "\n", {kind}, 1), e3d_stop_row, 0, 0, 0);
}

void test_reals_come_back_to_the_last_bit()
{
  std::mt19937_64 random(1);
  std::string text;
  std::vector<double> expected;
  while (expected.size() < 3000) {
    double value;
    const std::uint64_t bits = random();
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    char word[64];
    std::snprintf(word, sizeof word, expected.size() % 2 ? "%.17g\n" : "%.20e\n", value);
    text += word;
    expected.push_back(value);
  }
  const Result result = read(text, {e3d_column_real}, expected.size());
  check_stop(result, e3d_stop_done, expected.size(), text.size(), -1);
  CHECK(result.reals == expected);
}

void test_whole_numbers_at_their_limits()
{
  const auto of_kind = [](std::int32_t kind, const std::string &word) {
    return read(word + "\n", {kind}, 1);
  };
  for (const auto &[word, number] :
       std::vector<std::pair<std::string, std::int64_t>>{{"1", 1},
                                                         {"0001", 1},
                                                         {"1.0", 1},
                                                         {"+1", 1},
                                                         {"1.e0", 1},
                                                         {"9007199254740992", 9007199254740992},
                                                         {"9007199254740991", 9007199254740991},
                                                         {"9007199254740992.0", 9007199254740992},
                                                         {"1234567.000000", 1234567},
                                                         {"1.234567e+06", 1234567},
                                                         {"1.2345670e6", 1234567},
                                                         {"9.007199254740992e15", 9007199254740992},
                                                         {"00000000000000000000000000000012", 12},
                                                         {"123456789012345", 123456789012345}}) {
    const Result result = of_kind(e3d_column_id, word);
    CHECK_EQUAL(result.stop, e3d_stop_done);
    CHECK(result.ids == std::vector<std::int64_t>({number}));
  }
  for (const char *word :
       {"0", "-1", "-0", "1.5", "0.5", "9007199254740993", "9007199254740994", "999999999999999999",
        "1000000000000000000", "9223372036854775807", "9223372036854775808", "18446744073709551617",
        "99999999999999999999", "1e300", "1e-5", "-9223372036854775808", "1.0000000000000002"})
    check_stop(of_kind(e3d_column_id, word), e3d_stop_not_whole, 0, 0, 0);
  for (const char *word : {"1.23457e+06", "1e6", "1.e1", "1e15", "9e15"})
    check_stop(of_kind(e3d_column_id, word), e3d_stop_lost_digits, 0, 0, 0);
  for (const char *word : {"1e309", "1e99999999999999999999"})
    check_stop(of_kind(e3d_column_id, word), e3d_stop_row, 0, 0, 0);

  CHECK_EQUAL(of_kind(e3d_column_type, "2147483647").types.at(0), 2147483647);
  CHECK_EQUAL(of_kind(e3d_column_type, "2e0").types.at(0), 2);
  for (const char *word : {"2147483648", "0", "-1", "4294967297", "1.5"})
    check_stop(of_kind(e3d_column_type, word), e3d_stop_not_whole, 0, 0, 0);
}

/* ----------------------------------------------------------------------
   where a text ends, and where the header of another frame stands in it
------------------------------------------------------------------------- */

void test_texts_that_end_anywhere()
{
  const Kinds kinds = {e3d_column_id, e3d_column_symbol, e3d_column_real, e3d_column_number, e3d_column_word};
  const std::string text = "1 Si -1.25e-03 12345678.12345678 word\n22 C 2.5 1e5 IT\n333 H .125 1 ITEM\n";
  for (std::size_t size = 0; size <= text.size(); size++) {
    const std::string part = text.substr(0, size);
    const auto rows = static_cast<std::int64_t>(std::count(part.begin(), part.end(), '\n'));
    const auto used = static_cast<std::int64_t>(part.rfind('\n') + 1);    // 0 where there is none
    check_stop(read(part, kinds, 9), e3d_stop_end, rows, used, -1);
  }
  const e3d_columns none = {0, nullptr, nullptr, nullptr};
  e3d_row_report report;
  e3d_read_rows(nullptr, 0, 0, 5, &none, &report);
  CHECK(report.rows == 0 && report.used == 0 && report.stop == e3d_stop_end);
}

void test_headers()
{
  const Kinds kinds = {e3d_column_id, e3d_column_real};
  check_stop(read("1 2\nITEM: TIMESTEP\n5\n", kinds, 3), e3d_stop_header, 1, 4, 0);
  check_stop(read("1 2\n3 ITEM: TIMESTEP\n", kinds, 3), e3d_stop_header, 1, 6, 1);
  check_stop(read("1 2\n3 4.5ITEM: TIMESTEP\n", kinds, 3), e3d_stop_header, 1, 9, 1);
  check_stop(read("1 2\n3 4 ITEM: TIMESTEP\n", kinds, 3), e3d_stop_header, 1, 8, 2);
  check_stop(read("1 2\n3 4.5ITEM: TIME", kinds, 3), e3d_stop_header, 1, 9, -1);    // without its end
  check_stop(read("ITEM:", kinds, 3), e3d_stop_header, 0, 0, -1);
  check_stop(read("1 2\nITEM", kinds, 3), e3d_stop_end, 1, 4, -1);    // may become one
  check_stop(read("1 wordITEM: x\n", {e3d_column_id, e3d_column_word}, 1), e3d_stop_header, 0, 6, 1);
  check_stop(read("1 CITEM: x\n", {e3d_column_id, e3d_column_symbol}, 1), e3d_stop_header, 0, 3, 1);
  // letters of it are words as others
  check_stop(read("1 ITEM\n2 I\n3 IITEM\n", {e3d_column_id, e3d_column_word}, 3), e3d_stop_done, 3, 19, -1);
}

/* ----------------------------------------------------------------------
   texts that something has happened to: nothing beyond them is read, and what is said of them is consistent
------------------------------------------------------------------------- */

void test_damaged_texts()
{
  const Kinds kinds = {e3d_column_id,   e3d_column_type,   e3d_column_symbol,
                       e3d_column_real, e3d_column_number, e3d_column_word};
  const std::string alphabet = "0123456789+-.eE \t\r\nITEM:naif\xff\0x";
  std::mt19937 random(2);
  const auto below = [&random](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  std::int64_t read_rows = 0;
  for (int trial = 0; trial < 4000; trial++) {
    std::ostringstream rows;
    for (int row = 0; row < 3; row++)
      rows << 1 + below(1000000) << ' ' << 1 + below(4) << " Si " << std::scientific << -1e-3 * below(100000)
           << ' ' << 0.5 * below(100) << " w\n";
    std::string text = rows.str();
    for (std::size_t change = below(4); change > 0; change--) {
      const std::size_t at = below(text.size());
      switch (below(3)) {
        case 0: text[at] = alphabet[below(alphabet.size())]; break;
        case 1: text.erase(at, 1 + below(8)); break;
        default: text.insert(at, 1 + below(40), alphabet[below(alphabet.size())]);
      }
      if (text.empty()) text = "\n";
    }
    const Result result = read(text, kinds, 5);
    read_rows += result.rows;
    // what was read is read again from that part alone
    const Result again = read(text.substr(0, result.used), kinds, result.rows);
    CHECK_EQUAL(again.rows, result.rows);
    CHECK(again.reals == result.reals && again.ids == result.ids && again.symbols == result.symbols);
    CHECK(result.stop != e3d_stop_done);
    for (const double real : result.reals) CHECK(std::isfinite(real));
    for (const std::int64_t id : result.ids) CHECK(id >= 1 && id <= std::int64_t(1) << 53);
    for (const std::int32_t type : result.types) CHECK(type >= 1);
  }
  CHECK(read_rows > 4000);    // most trials leave some rows whole
}

}    // namespace

int main()
{
  CHECK_EQUAL(e3d_kernel_get_version(), e3d_kernel_version);
  test_rows_of_every_kind();
  test_rows_from_some_row_on_and_strides();
  test_rows_that_are_passed_over();
  test_words_that_are_no_numbers();
  test_rows_with_too_few_or_too_many_words();
  test_reals_at_their_limits();
  test_reals_come_back_to_the_last_bit();
  test_whole_numbers_at_their_limits();
  test_texts_that_end_anywhere();
  test_headers();
  test_damaged_texts();
  return check::failures() == 0 ? 0 : 1;
}
