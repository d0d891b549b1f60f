/**
 * Matrix product in single precision: C = op(A)·op(B) [+ bias], row by row in memory. The shape is that of Goto and van de Geijn, "Anatomy of
 * high-performance matrix multiplication" (2008), as in BLIS: slices of K, both factors copied ("packed") into the order in which the
 * innermost kernel reads them, and that kernel holding a ROWS × COLUMNS tile of C in registers. A transposed factor differs only in how
 * it is packed. A value of C is summed in the same order whatever the number of threads.
 */
#pragma once
#include <algorithm>

#include "parallel.h"
#include "vector.h"

/** A tile of C: ROWS × COLUMN_VECTORS accumulators, one broadcast and a row of B fit the registers (16 with AVX2, 32 with AVX-512). */
constexpr int ROWS = LANES == 16 ? 12 : LANES == 8 ? 6 : 4;
constexpr int COLUMN_VECTORS = 2;
constexpr int COLUMNS = COLUMN_VECTORS * LANES;
/** Depth of a slice: ROWS × SLICE of A and SLICE × COLUMNS of B stay in the first-level cache. */
constexpr int64_t SLICE = 256;
/** Rows and columns of one piece of work: its parts of A and B stay in the second-level cache. */
constexpr int64_t PIECE_ROWS = 48;
constexpr int64_t PIECE_COLUMNS = 192;
/** From so many columns of C on it pays to pack rows of A too: read where they lie, a stride apart, they crowd the first-level cache. */
constexpr int64_t MANY_COLUMNS = 384;
/** Up to so many rows B is packed piece by piece: a slice of all rows of A fits the second-level cache. */
constexpr int64_t FEW_ROWS = 512;

/** A matrix in memory: value (i, j) at data[i·row + j·column]; one of the two is 1. */
struct Matrix {
  const float* data;
  int64_t row;
  int64_t column;
};

static inline int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/**
 * `count` ≤ WIDTH neighbours, `step` apart, side by side for every k, `along` apart: out[k·WIDTH + i] = from[i·step + k·along], zeros where
 * i ≥ count. Either `step` or `along` is 1.
 */
template <int WIDTH>
static inline void pack_panel(const float* from, int64_t step, int64_t along, int64_t count, int64_t depth, float* out) {
  constexpr int PART = WIDTH < LANES ? WIDTH : LANES;
  static_assert(WIDTH % PART == 0);
  int64_t packed = 0;
  if (count == WIDTH && step == 1)
    for (; packed < depth; packed++) std::memcpy(out + packed * WIDTH, from + packed * along, 4 * WIDTH);
  if (count == WIDTH && along == 1)
    for (; packed + LANES <= depth; packed += LANES)
      for (int first = 0; first < WIDTH; first += PART) {
        Vec rows[LANES];
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) rows[i] = load(from + (first + (i < PART ? i : 0)) * step + packed);
        transpose(rows);
#pragma GCC unroll 16
        for (int k = 0; k < LANES; k++) std::memcpy(out + (packed + k) * WIDTH + first, &rows[k], 4 * PART);
      }
  for (int64_t k = packed; k < depth; k++)
    for (int64_t i = 0; i < WIDTH; i++) out[k * WIDTH + i] = i < count ? from[i * step + k * along] : 0;
}

/** What happens to C: its first slice is stored, later ones are added; a bias comes with the first. */
struct Target {
  float* data;
  int64_t row;
  const float* bias;
  bool adds;
};

/** Accumulators of one tile to where they belong. A whole tile takes the way without conditions. */
static inline __attribute__((always_inline)) void store_tile(const Vec (&sums)[ROWS][COLUMN_VECTORS], const Target& c, int64_t rows,
                                                             int64_t columns) {
  const bool is_whole = columns == COLUMNS;
#pragma GCC unroll 12
  for (int i = 0; i < ROWS; i++) {
    if (i >= rows) break;
#pragma GCC unroll 2
    for (int j = 0; j < COLUMN_VECTORS; j++) {
      const int64_t left = is_whole ? LANES : columns - j * LANES;
      if (left <= 0) break;
      float* to = c.data + i * c.row + j * LANES;
      const float* other = c.adds ? to : c.bias ? c.bias + j * LANES : nullptr;
      store_upto(to, other ? sums[i][j] + load_upto(other, left) : sums[i][j], left);
    }
  }
}

/** One tile of C from A, whose value (i, k) is at a[i·a_row + k·a_depth], and a packed panel of B. PACKED: `a` is a packed panel too. */
template <bool PACKED>
static inline void tile(const float* a, int64_t a_row, int64_t a_depth, const float* b, int64_t depth, const Target& c, int64_t rows,
                        int64_t columns) {
  Vec sums[ROWS][COLUMN_VECTORS] = {};
  const float* from[ROWS];
  for (int i = 0; i < ROWS; i++) from[i] = a + (i < rows ? i * a_row : 0);
  for (int64_t k = 0; k < depth; k++, b += COLUMNS) {
    Vec line[COLUMN_VECTORS];
#pragma GCC unroll 2
    for (int j = 0; j < COLUMN_VECTORS; j++) line[j] = load(b + j * LANES);
#pragma GCC unroll 12
    for (int i = 0; i < ROWS; i++) {
      const Vec value = splat(PACKED ? a[k * ROWS + i] : from[i][k * a_depth]);
#pragma GCC unroll 2
      for (int j = 0; j < COLUMN_VECTORS; j++) sums[i][j] += value * line[j];
    }
  }
  store_tile(sums, c, rows, columns);
}

/** The factors of one product as the pieces of work read them. */
struct Factors {
  int64_t m;
  int64_t n;
  int64_t depth;
  Matrix a;
  Matrix b;
  const float* bias;
  float* c;
  /** All panels of A; null: its rows are read where they lie. */
  const float* packed_a;

  int64_t slice() const {
    const int64_t slices = std::max<int64_t>(1, (depth + SLICE - 1) / SLICE);
    return (depth + slices - 1) / slices;
  }

  /** Columns j0 … j1 of one slice of B, panel after panel. Rows that lie in one piece are read as far as they go: a page after the other. */
  void pack_b(int64_t j0, int64_t j1, int64_t k0, int64_t k, float* out) const {
    const int64_t whole = b.column == 1 ? (j1 - j0) / COLUMNS * COLUMNS : 0;
    const float* from = b.data + j0 * b.column + k0 * b.row;
    for (int64_t depth = 0; whole > 0 && depth < k; depth++)
      for (int64_t j = 0; j < whole; j += COLUMNS) std::memcpy(out + j * k + depth * COLUMNS, from + depth * b.row + j, 4 * COLUMNS);
    for (int64_t j = whole; j < j1 - j0; j += COLUMNS)
      pack_panel<COLUMNS>(from + j * b.column, b.column, b.row, std::min<int64_t>(COLUMNS, n - j0 - j), k, out + j * k);
  }

  /** Rows i0 … i1 of one panel of columns, for one slice. */
  void column(int64_t i0, int64_t i1, int64_t j, int64_t k0, int64_t k, const float* panel) const {
    for (int64_t i = i0; i < i1; i += ROWS) {
      const Target target = {c + i * n + j, n, bias ? bias + j : nullptr, k0 > 0};
      const int64_t rows = std::min<int64_t>(ROWS, m - i), columns = std::min<int64_t>(COLUMNS, n - j);
      if (packed_a) tile<true>(packed_a + i * depth + k0 * ROWS, 1, ROWS, panel, k, target, rows, columns);
      else tile<false>(a.data + i * a.row + k0, a.row, 1, panel, k, target, rows, columns);
    }
  }
};

/** Few rows: every part of B is used by all rows at once, so it is packed where it is used and never leaves the cache. */
static void multiply_few_rows(const Factors& f) {
  Pool::get().run((f.n + PIECE_COLUMNS - 1) / PIECE_COLUMNS, [&](int64_t piece) {
    static thread_local Scratch scratch;
    const int64_t slice = f.slice(), j0 = piece * PIECE_COLUMNS, j1 = std::min(f.n, j0 + PIECE_COLUMNS);
    float* part = scratch.take((PIECE_COLUMNS + COLUMNS) * slice);
    for (int64_t k0 = 0; k0 == 0 || k0 < f.depth; k0 += slice) {
      const int64_t k = std::min(slice, f.depth - k0);
      f.pack_b(j0, j1, k0, k, part);
      for (int64_t j = j0; j < j1; j += COLUMNS) f.column(0, f.m, j, k0, k, part + (j - j0) * k);
    }
  });
}

/** Many rows: B is packed as a whole, once for all pieces. */
static void multiply_many_rows(const Factors& f) {
  static thread_local Scratch scratch;
  const int64_t b_panels = (f.n + COLUMNS - 1) / COLUMNS, slice = f.slice();
  float* packed = scratch.take(b_panels * COLUMNS * f.depth);
  for_ranges(b_panels, 4, [&](int64_t begin, int64_t end) {
    f.pack_b(begin * COLUMNS, std::min(f.n, end * COLUMNS), 0, f.depth, packed + begin * COLUMNS * f.depth);
  });
  const int64_t row_pieces = (f.m + PIECE_ROWS - 1) / PIECE_ROWS, column_pieces = (f.n + PIECE_COLUMNS - 1) / PIECE_COLUMNS;
  Pool::get().run(row_pieces * column_pieces, [&](int64_t piece) {
    const int64_t i0 = piece % row_pieces * PIECE_ROWS, i1 = std::min(f.m, i0 + PIECE_ROWS);
    const int64_t j0 = piece / row_pieces * PIECE_COLUMNS, j1 = std::min(f.n, j0 + PIECE_COLUMNS);
    for (int64_t k0 = 0; k0 == 0 || k0 < f.depth; k0 += slice) {
      const int64_t k = std::min(slice, f.depth - k0);
      for (int64_t j = j0; j < j1; j += COLUMNS) f.column(i0, i1, j, k0, k, packed + j * f.depth + k0 * COLUMNS);
    }
  });
}

/** C `[m, n]` = A `[m, depth]`·B `[depth, n]` + bias `[n]` (or null) on all threads. */
static void multiply(int64_t m, int64_t n, int64_t depth, Matrix a, Matrix b, const float* bias, float* c) {
  static thread_local Scratch scratch;
  Factors f = {m, n, depth, a, b, bias, c, nullptr};
  if (a.column != 1 || n >= MANY_COLUMNS) {
    const int64_t panels = (m + ROWS - 1) / ROWS;
    float* packed = scratch.take(panels * ROWS * depth);
    for_ranges(panels, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * ROWS; i < std::min(m, end * ROWS); i += ROWS)
        pack_panel<ROWS>(a.data + i * a.row, a.row, a.column, std::min<int64_t>(ROWS, m - i), depth, packed + i * depth);
    });
    f.packed_a = packed;
  }
  const bool has_pieces = n >= 2 * PIECE_COLUMNS * Pool::get().threads();
  if (m <= FEW_ROWS && has_pieces) multiply_few_rows(f);
  else multiply_many_rows(f);
}
