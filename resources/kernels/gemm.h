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

/** A tile of C: ROWS × VECTORS accumulators, a row of B and one broadcast fit the registers (16 with AVX2, 32 with AVX-512). */
constexpr int ROWS = LANES == 16 ? 8 : LANES == 8 ? 6 : 4;
constexpr int VECTORS = LANES == 16 ? 3 : 2;
constexpr int COLUMNS = VECTORS * LANES;
/** Most of a slice's depth: so much of ROWS rows of A and of COLUMNS columns of B stays in the first-level cache. */
constexpr int64_t SLICE = 200;

/** A matrix in memory: value (i, j) at data[i·row + j·column]; one of the two is 1. */
struct Matrix {
  const float* data;
  int64_t row;
  int64_t column;
};

static inline int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

/** The size of each of the fewest equal parts that are at most `most`, in whole units. */
static inline int64_t even_part(int64_t size, int64_t most, int64_t unit) {
  const int64_t parts = std::max<int64_t>(1, (size + most - 1) / most);
  return std::max(unit, round_up((size + parts - 1) / parts, unit));
}

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

/** Any number of lines of a factor (rows of A, columns of B), panel after panel. Lines that are neighbours are read in the order of memory. */
template <int WIDTH>
static void pack(const float* from, int64_t step, int64_t along, int64_t lines, int64_t depth, float* out) {
  const int64_t whole = step == 1 ? lines / WIDTH * WIDTH : 0;
  for (int64_t k = 0; whole > 0 && k < depth; k++)
    for (int64_t i = 0; i < whole; i += WIDTH) std::memcpy(out + i * depth + k * WIDTH, from + k * along + i, 4 * WIDTH);
  for (int64_t i = whole; i < lines; i += WIDTH)
    pack_panel<WIDTH>(from + i * step, step, along, std::min<int64_t>(WIDTH, lines - i), depth, out + i * depth);
}

/** The first `columns` columns of B in panels; a last one that needs fewer vectors than the others is narrower. */
static void pack_columns(Matrix b, int64_t columns, int64_t depth, float* out) {
  const int64_t vectors = (columns + LANES - 1) / LANES, narrow = vectors % VECTORS;
  const int64_t wide = narrow ? (vectors - narrow) * LANES : columns;
  const float* last = b.data + wide * b.column;
  pack<COLUMNS>(b.data, b.column, b.row, wide, depth, out);
  if (narrow == 1) pack<LANES>(last, b.column, b.row, columns - wide, depth, out + wide * depth);
  if (narrow == 2) pack<2 * LANES>(last, b.column, b.row, columns - wide, depth, out + wide * depth);
}

/** Columns of B as a tile reads them: value (k, j) at data[k·row + j]. */
struct Panel {
  const float* data;
  int64_t row;
};

/** A panel as `pack_columns` leaves it: as wide as it must be. */
static inline Panel packed_panel(const float* data, int64_t columns) { return {data, round_up(columns, LANES)}; }

/** What becomes of a tile's sums: `other` (null: nothing), whose rows lie `other_row` apart, is added. */
struct Target {
  float* data;
  int64_t row;
  const float* other;
  int64_t other_row;
};

/** Accumulators of one tile to where they belong. A whole tile takes the way without conditions. */
template <int N>
static inline __attribute__((always_inline)) void store_tile(const Vec (&sums)[ROWS][N], const Target& c, int64_t rows, int64_t columns) {
  const bool is_whole = columns == N * LANES;
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++) {
    if (i >= rows) break;
#pragma GCC unroll 3
    for (int j = 0; j < N; j++) {
      const int64_t left = is_whole ? LANES : columns - j * LANES;
      if (left <= 0) break;
      const float* other = c.other ? c.other + i * c.other_row + j * LANES : nullptr;
      store_upto(c.data + i * c.row + j * LANES, other ? sums[i][j] + load_upto(other, left) : sums[i][j], left);
    }
  }
}

/** Rows of A as a tile reads them: value (i, k) at data[i·row + k·along]; packed ones lie in panels, and the strides mean nothing. */
struct Rows {
  const float* data;
  int64_t row;
  int64_t along;
};

/**
 * One tile of C from ROWS rows of A and N vectors of columns of B. Where `is_first`, the next ROWS rows of A are fetched meanwhile: nobody has
 * read them yet, and they lie as far from one another as the processor's own prefetching does not look.
 */
template <bool PACKED, int N>
static void tile(Rows a, Panel b, int64_t depth, const Target& c, int64_t rows, int64_t columns, bool is_first) {
  Vec sums[ROWS][N] = {};
  const float* from[ROWS];
  for (int i = 0; i < ROWS; i++) from[i] = a.data + (i < rows ? i * a.row : 0);
  const float* next = !PACKED && is_first ? a.data + ROWS * a.row : nullptr;
  const float* values = b.data;
  for (int64_t k = 0; k < depth; k++, values += b.row) {
    Vec line[N];
    if (next) __builtin_prefetch(next + k % ROWS * a.row + k / ROWS * LANES);
#pragma GCC unroll 3
    for (int j = 0; j < N; j++) line[j] = load(values + j * LANES);
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++) {
      const Vec value = splat(PACKED ? a.data[k * ROWS + i] : from[i][k * a.along]);
#pragma GCC unroll 3
      for (int j = 0; j < N; j++) sums[i][j] += value * line[j];
    }
  }
  store_tile(sums, c, rows, columns);
}

/** C `[m, n]` = A `[m, depth]`·B `[depth, n]`, plus `bias` `[n]` or `addend` `[m, n]` where one is not null; `addend` may be C itself. */
struct Product {
  int64_t m;
  int64_t n;
  int64_t depth;
  Matrix a;
  Matrix b;
  const float* bias;
  const float* addend;
  float* c;
};


/** How a product is cut into pieces of work, and whether its factors are packed. Sizes are of one piece; only `parts` decides about sums. */
struct Plan {
  int64_t rows;
  int64_t columns;
  /** So many ranges of depth are summed apart, for a C too small to be shared out. */
  int64_t parts;
  /** B is packed beforehand, for all pieces; else each packs what it needs. */
  bool shares_b;
  bool packs_a;
};

/** Up to so many rows B is packed piece by piece: a slice of all rows of A fits the second-level cache. */
constexpr int64_t FEW_ROWS = 512;
/** From so many columns on it pays to pack rows of A too: read where they lie, a stride apart, they crowd the first-level cache. */
constexpr int64_t MANY_COLUMNS = 384;
/** Values of B that the second-level cache keeps beside the rest of a piece. */
constexpr int64_t KEPT_VALUES = 160 * 1024;
/** As many pieces make a product worth sharing out as it is. */
constexpr int64_t ENOUGH_PIECES = 4;

/**
 * Sizes are measured. Three kinds of product come: gradients of weights, whose depth is all tokens; many tokens times a weight; few tokens times a
 * large weight. Memory is read as seldom as the second-level cache allows, and a C too small for all threads is cut along the depth.
 */
static Plan plan_of(const Product& p) {
  const bool is_deep = p.a.column != 1, shares_b = !is_deep && p.m > FEW_ROWS;
  Plan plan = {0, 0, 1, shares_b, is_deep};
  if (shares_b) {
    plan.columns = even_part(p.n, std::max<int64_t>(COLUMNS, KEPT_VALUES / std::max<int64_t>(1, p.depth)), COLUMNS);
    plan.packs_a = plan.columns >= MANY_COLUMNS;
    plan.rows = plan.packs_a ? 6 * ROWS : 12 * ROWS;
    return plan;
  }
  plan.rows = even_part(p.m, is_deep ? 192 : FEW_ROWS, ROWS);
  plan.columns = even_part(p.n, is_deep ? 384 : 192, LANES);
  const int64_t pieces = (p.m + plan.rows - 1) / plan.rows * ((p.n + plan.columns - 1) / plan.columns);
  plan.parts = std::max<int64_t>(1, std::min(ENOUGH_PIECES / pieces, p.depth / SLICE));
  return plan;
}

/** `rows` rows of one panel of N vectors, for one slice. */
template <bool PACKED, int N>
static void panel_of(Rows a, Panel b, int64_t depth, Target c, int64_t rows, int64_t columns, bool is_first) {
  for (int64_t i = 0; i < rows; i += ROWS) {
    const int64_t count = std::min<int64_t>(ROWS, rows - i);
    const Target target = {c.data + i * c.row, c.row, c.other ? c.other + i * c.other_row : nullptr, c.other_row};
    tile<PACKED, N>({a.data + i * (PACKED ? depth : a.row), a.row, a.along}, b, depth, target, count, columns, is_first && i + 2 * ROWS <= rows);
  }
}

template <bool PACKED>
static void panel(Rows a, Panel b, int64_t depth, Target c, int64_t rows, int64_t columns, bool is_first) {
  if (columns <= LANES) panel_of<PACKED, 1>(a, b, depth, c, rows, columns, is_first);
  else if (columns <= 2 * LANES) panel_of<PACKED, 2>(a, b, depth, c, rows, columns, is_first);
  else panel_of<PACKED, VECTORS>(a, b, depth, c, rows, columns, is_first);
}

/** One product on its way: its plan, its slices, what all pieces share. */
struct Work {
  const Product& p;
  const Plan plan;
  const int64_t slice;
  const int64_t slices;
  /** All of B in slices, each in panels; null: pieces pack their own. */
  float* packed_b = nullptr;
  /** Sums of all parts but the first, each `[m, n]`. */
  float* sums = nullptr;

  explicit Work(const Product& product)
      : p(product), plan(plan_of(product)), slice(even_part(p.depth, SLICE, 1)), slices(std::max<int64_t>(1, (p.depth + slice - 1) / slice)) {}

  int64_t row_pieces() const { return (p.m + plan.rows - 1) / plan.rows; }
  int64_t pieces() const { return row_pieces() * ((p.n + plan.columns - 1) / plan.columns); }
  Matrix b_from(int64_t k0, int64_t j) const { return {p.b.data + k0 * p.b.row + j * p.b.column, p.b.row, p.b.column}; }
  int64_t depth_at(int64_t k0) const { return std::min(slice, p.depth - k0); }

  void share_b(Scratch& scratch) {
    const int64_t panels = (p.n + COLUMNS - 1) / COLUMNS, width = round_up(p.n, LANES);
    packed_b = scratch.take(width * p.depth);
    for_ranges(slices * panels, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t k0 = i / panels * slice, j = i % panels * COLUMNS, k = depth_at(k0);
        pack_columns(b_from(k0, j), std::min<int64_t>(COLUMNS, p.n - j), k, packed_b + width * k0 + j * k);
      }
    });
  }

  /** One piece of C, summed over one part of the depth. */
  void piece(int64_t index, int64_t part) const {
    static thread_local Scratch own_a, own_b;
    const int64_t i0 = index % row_pieces() * plan.rows, i1 = std::min(p.m, i0 + plan.rows);
    const int64_t j0 = index / row_pieces() * plan.columns, j1 = std::min(p.n, j0 + plan.columns);
    float* packed_a = plan.packs_a ? own_a.take(round_up(i1 - i0, ROWS) * slice) : nullptr;
    float* own_panels = packed_b ? nullptr : own_b.take(round_up(j1 - j0, LANES) * slice);
    const int64_t first = slices * part / plan.parts, end = slices * (part + 1) / plan.parts;
    for (int64_t s = first; s < end; s++) {
      const int64_t k0 = s * slice, k = depth_at(k0);
      const float* a = p.a.data + i0 * p.a.row + k0 * p.a.column;
      if (packed_a) pack<ROWS>(a, p.a.row, p.a.column, i1 - i0, k, packed_a);
      if (!packed_b) pack_columns(b_from(k0, j0), j1 - j0, k, own_panels);
      const float* b = packed_b ? packed_b + round_up(p.n, LANES) * k0 + j0 * k : own_panels;
      for (int64_t j = j0; j < j1; j += COLUMNS, b += COLUMNS * k) {
        const int64_t columns = std::min<int64_t>(COLUMNS, j1 - j);
        const Target target = target_of(i0, j, part, s == first);
        if (packed_a) panel<true>({packed_a, 0, 0}, packed_panel(b, columns), k, target, i1 - i0, columns, false);
        else panel<false>({a, p.a.row, 1}, packed_panel(b, columns), k, target, i1 - i0, columns, j == j0);
      }
    }
  }

  /** What a part's first slice is added to: the first part's to the bias or the addend, others' to nothing. */
  Target target_of(int64_t i0, int64_t j, int64_t part, bool is_first) const {
    const int64_t at = i0 * p.n + j;
    float* c = (part == 0 ? p.c : sums + (part - 1) * p.m * p.n) + at;
    if (!is_first) return {c, p.n, c, p.n};
    if (part > 0) return {c, p.n, nullptr, 0};
    return p.bias ? Target{c, p.n, p.bias + j, 0} : Target{c, p.n, p.addend ? p.addend + at : nullptr, p.n};
  }

  void add_parts() const {
    const int64_t size = p.m * p.n;
    for_ranges(size, 1 << 14, [&](int64_t begin, int64_t end) {
      for (int64_t part = 1; part < plan.parts; part++)
        for (int64_t i = begin; i < end; i++) p.c[i] += sums[(part - 1) * size + i];
    });
  }
};

/** Computes the product on all threads. */
static void multiply(const Product& p) {
  static thread_local Scratch shared, partial;
  Work work(p);
  if (work.plan.shares_b) work.share_b(shared);
  if (work.plan.parts > 1) work.sums = partial.take((work.plan.parts - 1) * p.m * p.n);
  Pool::get().run(work.pieces() * work.plan.parts, [&](int64_t i) { work.piece(i / work.plan.parts, i % work.plan.parts); });
  if (work.plan.parts > 1) work.add_parts();
}
