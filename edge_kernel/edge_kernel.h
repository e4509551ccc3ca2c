// Compiled core of the Python readers: numbers of a text dump, and the pairs of directed edges.
//
// A plain C interface, called by python/e3d_lmp/edges/kernel.py through ctypes: nothing here knows Python, so one library
// serves every version of it, and calls run without its lock. No function throws or keeps memory of its caller.
#pragma once

#include <cstdint>

#define E3D_KERNEL extern "C" __attribute__((visibility("default")))

// Grows by one whenever a signature or a struct below changes; the caller compares it with its own.
inline constexpr std::int32_t e3d_kernel_version = 1;

// ---- rows of a text dump (row_text.cpp)

// What a column holds, and the type of what is written for it.
enum e3d_column : std::int32_t {
  e3d_column_word = 0,      // any word; nothing is written
  e3d_column_number = 1,    // a finite number; nothing is written
  e3d_column_id = 2,        // int64, a whole number from 1 to 2^53
  e3d_column_type = 3,      // int32, a whole number from 1 to 2^31 - 1
  e3d_column_real = 4,      // double, a finite number
  e3d_column_symbol = 5,    // char[8], a word of at most 8 bytes, padded with zeros
};

struct e3d_columns {
  std::int32_t count;
  const std::int32_t *kind;      // (count,)
  void *const *target;           // (count,) where row 0 of each column is written; ignored where nothing is
  const std::int64_t *stride;    // (count,) bytes from one row to the next
};

// Why reading stopped.
enum e3d_stop : std::int32_t {
  e3d_stop_done = 0,           // all rows that were asked for are read
  e3d_stop_end = 1,            // the text ends; what follows the last whole row may become a row
  e3d_stop_header = 2,         // "ITEM:" comes before the last row; `used` is where it stands
  e3d_stop_row = 3,            // a row does not hold `count` words of these kinds; it starts at `used`
  e3d_stop_not_whole = 4,      // a column of ids or types holds another number there
  e3d_stop_lost_digits = 5,    // an id is printed with fewer digits than it has, as 1.23457e+06
};

struct e3d_row_report {
  std::int64_t rows;    // whole rows read
  std::int64_t used;    // bytes up to the end of the last of them, or as `stop` says
  std::int32_t stop;
  std::int32_t column;    // of the word that is wrong
};

// Reads up to `rows` rows from the text and writes them from row `first` of the targets on.
E3D_KERNEL void e3d_read_rows(const char *text, std::int64_t size, std::int64_t first, std::int64_t rows,
                              const e3d_columns *columns, e3d_row_report *report);

// ---- pairs of directed edges (edge_pairs.cpp)

struct e3d_edges {
  std::int64_t count;
  const std::int64_t *i, *j;              // ids of centre and neighbour
  const std::int32_t *type_i, *type_j;    // from 1 to n_types
  const double *vec;                      // (count, 3) r_j - r_i, angstrom
  const double *eps;
  const double *eps_back;    // energies of the partners, where they come along; else null
};

struct e3d_pair_rules {
  std::int32_t n_types;
  const std::int32_t *rank;     // (n_types,) place of each type's element in the order of pair labels
  const std::int32_t *label;    // (n_types, n_types)
  const double *bond;           // (n_types, n_types) angstrom, bond cutoffs; null: no limit
  const double *model;    // (n_types, n_types) angstrom, directed cutoffs; null: all edges have partners
  double tolerance;       // angstrom, largest distance between r_ij and -r_ji
};

struct e3d_pairs {
  std::int64_t capacity;    // rows that there is room for
  std::int32_t *label;
  std::int64_t *i, *j;              // first and second atom
  std::int32_t *type_i, *type_j;    // from 1
  double *vec;                      // (capacity, 3)
  double *e12, *e21, *D, *A;
};

enum e3d_pair_error : std::int32_t {
  e3d_pair_ok = 0,
  e3d_pair_bad_type = 1,    // a type is not from 1 to n_types
  e3d_pair_twice = 2,       // `bad_count` edges occur more than once, the first between bad_i and bad_j
  e3d_pair_swapped = 3,     // with eps_back: `bad_count` pairs whose first atom is not that of their label
  e3d_pair_memory = 4,
};

struct e3d_pair_report {
  std::int64_t pairs;       // may exceed the capacity; then the rows beyond it are not written
  std::int64_t beyond;      // pairs whose second edge is beyond its directed cutoff
  std::int64_t unpaired;    // edges left out, the first of them bad_i -> bad_j at bad_distance
  std::int64_t bad_count, bad_i, bad_j;
  double bad_distance;
  std::int32_t error;
  std::int32_t low_type, high_type;
};

// The pairs within the bond cutoff, ordered by the ids of first and second atom, then by images.
E3D_KERNEL void e3d_pair_edges(const e3d_edges *edges, const e3d_pair_rules *rules, const e3d_pairs *pairs,
                               e3d_pair_report *report);

E3D_KERNEL std::int32_t e3d_kernel_get_version();
