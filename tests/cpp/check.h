// e3d-lmp: the two checks that the C++ unit tests use. A failed check prints where and what, and the
// test's main() returns failures().
#ifndef E3D_TESTS_CHECK_H
#define E3D_TESTS_CHECK_H

#include <cmath>
#include <cstdio>
#include <exception>
#include <string>
#include <type_traits>

namespace check {

inline int &failures()
{
  static int count = 0;
  return count;
}

inline void fail(const char *file, int line, const std::string &what)
{
  std::printf("%s:%d: %s\n", file, line, what.c_str());
  failures()++;
}

// the message of the exception that a call throws, empty if it throws none
template <typename Call> std::string thrown(Call call)
{
  try {
    call();
  } catch (const std::exception &e) {
    return e.what();
  }
  return "";
}

}    // namespace check

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) check::fail(__FILE__, __LINE__, "not true: " #condition); \
  } while (false)

#define CHECK_EQUAL(actual, expected)                                                                    \
  do {                                                                                                   \
    const auto actual_ = (actual);                                                                       \
    const auto expected_ = static_cast<std::decay_t<decltype(actual)>>(expected);                        \
    if (!(actual_ == expected_))                                                                         \
      check::fail(__FILE__, __LINE__,                                                                    \
                  #actual " is " + std::to_string(actual_) + ", expected " + std::to_string(expected_)); \
  } while (false)

#define CHECK_MESSAGE(call, part)                                                                   \
  do {                                                                                              \
    const std::string message_ = check::thrown([&] { (void) (call); });                             \
    if (message_.find(part) == std::string::npos)                                                   \
      check::fail(__FILE__, __LINE__, #call " said '" + message_ + "', expected '" + (part) + "'"); \
  } while (false)

#endif
