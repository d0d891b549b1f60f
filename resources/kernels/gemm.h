/**
 * Matrix product in single precision: C = op(A)·op(B) [+ bias], row by row in memory. The shape is that of Goto and van de Geijn, "Anatomy of
 * high-performance matrix multiplication" (2008), as in BLIS: slices of K, both factors copied ("packed") into the order in which the
 * innermost kernel reads them, and that kernel holding a ROWS × COLUMNS tile of C in registers. A transposed factor differs only in how
 * it is packed. A value of C is summed in the same order whatever the number of threads.
 */
#pragma once
#include <algorithm>
#include <vector>

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

static inline int64_t count_of(int64_t size, int64_t part) { return (size + part - 1) / part; }

/** The size of each of the fewest equal parts that are at most `most`, in whole units. */
static inline int64_t even_part(int64_t size, int64_t most, int64_t unit) {
  const int64_t parts = std::max<int64_t>(1, count_of(size, most));
  return std::max(unit, round_up(count_of(size, parts), unit));
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
        for (int i = 0; i < LANES; i++) {
          const float* row = from + (first + (i < PART ? i : 0)) * step + packed;
          rows[i] = load(row);
          __builtin_prefetch(row + 2 * LANES);
        }
        transpose(rows);
#pragma GCC unroll 16
        for (int k = 0; k < LANES; k++) std::memcpy(out + (packed + k) * WIDTH + first, &rows[k], 4 * PART);
      }
  for (int64_t k = packed; k < depth; k++)
    for (int64_t i = 0; i < WIDTH; i++) out[k * WIDTH + i] = i < count ? from[i * step + k * along] : 0;
}

/** Any number of lines of a factor (rows of A, columns of B), panel after panel. Lines that are neighbours are read in the order of memory, and ahead. */
template <int WIDTH>
static void pack(const float* from, int64_t step, int64_t along, int64_t lines, int64_t depth, float* out) {
  const int64_t whole = step == 1 ? lines / WIDTH * WIDTH : 0;
  for (int64_t k = 0; whole > 0 && k < depth; k++)
    for (int64_t i = 0; i < whole; i += WIDTH) {
      const float* values = from + k * along + i;
      for (int j = 0; j < WIDTH; j += 16) __builtin_prefetch(values + 4 * along + j);  // 16 floats: a line of the cache
      std::memcpy(out + i * depth + k * WIDTH, values, 4 * WIDTH);
    }
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
 * One tile of C from ROWS rows of A and N vectors of columns of B. C's lines are fetched meanwhile, and, where `is_first`, the next ROWS rows of A are fetched meanwhile: nobody has
 * read them yet, and they lie as far from one another as the processor's own prefetching does not look.
 */
template <bool PACKED, int N>
static void tile(Rows a, Panel b, int64_t depth, const Target& c, int64_t rows, int64_t columns, bool is_first) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < N; j++) __builtin_prefetch(c.data + i * c.row + j * LANES, 1);
  Vec sums[ROWS][N] = {};
  const float* from[ROWS];
  for (int i = 0; i < ROWS; i++) from[i] = a.data + (i < rows ? i * a.row : 0);
  const float* next = !PACKED && is_first ? a.data + ROWS * a.row : nullptr;
  const float* values = b.data;
  for (int64_t k = 0; k < depth; k++, values += b.row) {
    Vec line[N];
    if (next && 2 * k < depth) __builtin_prefetch(next + k % ROWS * a.row + k / ROWS * LANES);
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

/** A second product onto the first, of little depth: what an adapter adds. */
struct SecondFactors {
  Matrix a;
  Matrix b;
  int64_t depth = 0;
};

/**
 * C `[m, n]` = A `[m, depth]`·B `[depth, n]` + A₂·B₂, plus `bias` `[n]` or `addend` `[m, n]` where one is not null; `addend` may be C itself.
 */
struct Product {
  int64_t m;
  int64_t n;
  int64_t depth;
  Matrix a;
  Matrix b;
  const float* bias;
  const float* addend;
  float* c;
  SecondFactors second = {};
};

/** How a product is cut into pieces of work, and whether its factors are packed. Sizes are of one piece; only `parts` decides about sums. */
struct Plan {
  int64_t rows;
  int64_t columns;
  /** Columns of the smallest piece, where pieces get smaller towards the end: nobody then waits long for a slower core. 0: all are alike. */
  int64_t least_columns;
  /** So many ranges of depth are summed apart, for a C too small to be shared out. */
  int64_t parts;
  /** Packed beforehand, for all pieces; else each piece packs what it needs. */
  bool shares_a;
  bool shares_b;
  /** Else rows of A are read where they lie. */
  bool packs_a;
};

/** Gradients of weights: few rows and columns, and all tokens to sum over. */
static Plan plan_for_depth(const Product& p) {
  constexpr int64_t ENOUGH_PIECES = 4;
  const int64_t rows = even_part(p.m, 192, ROWS), columns = even_part(p.n, 384, LANES);
  const int64_t wanted = ENOUGH_PIECES / (count_of(p.m, rows) * count_of(p.n, columns));
  return {rows, columns, 0, std::max<int64_t>(1, std::min(wanted, p.depth / SLICE)), false, false, true};
}

/** Many tokens times a weight: B is packed once. Rows read where they lie, a stride apart, crowd the first-level cache if there is much of B. */
static Plan plan_for_rows(const Product& p) {
  constexpr int64_t KEPT_VALUES = 160 * 1024, MANY_COLUMNS = 384;
  const int64_t most = std::max<int64_t>(COLUMNS, KEPT_VALUES / std::max<int64_t>(1, p.depth));
  const int64_t columns = even_part(p.n, most, COLUMNS);
  const bool packs_a = columns >= MANY_COLUMNS;
  return {packs_a ? 6 * ROWS : 12 * ROWS, columns, 0, 1, false, true, packs_a};
}

/** Few tokens times a large weight: A is packed once, each part of the weight where it is used. */
static Plan plan_for_weight(const Product& p) {
  constexpr int64_t MOST_COLUMNS = 192, LEAST_COLUMNS = 48;
  return {round_up(p.m, ROWS), MOST_COLUMNS, LEAST_COLUMNS, 1, true, false, true};
}

/** Sizes are measured: memory is read as seldom as the second-level cache allows. */
static Plan plan_of(const Product& p) {
  constexpr int64_t MANY_ROWS = 512;
  if (p.a.column != 1) return plan_for_depth(p);
  return p.m > MANY_ROWS ? plan_for_rows(p) : plan_for_weight(p);
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

/** Rows i0 … i1 and columns j0 … j1 of C, over one part of the depth. */
struct Piece {
  int64_t i0;
  int64_t i1;
  int64_t j0;
  int64_t j1;
  int64_t part;
};

static inline Matrix from(const Matrix& x, int64_t i, int64_t j) { return {x.data + i * x.row + j * x.column, x.row, x.column}; }

/**
 * Where pieces of columns begin, and n at the end. Pieces that may differ each take half a thread's share of what is left, after "guided
 * self-scheduling" (Polychronopoulos and Kuck, 1987).
 */
static std::vector<int64_t> column_cuts(const Plan& plan, int64_t n) {
  std::vector<int64_t> cuts = {0};
  while (cuts.back() < n) {
    const int64_t left = n - cuts.back(), share = round_up(left / (2 * Pool::get().threads()), COLUMNS);
    const int64_t size = plan.least_columns ? std::clamp(share, plan.least_columns, plan.columns) : plan.columns;
    cuts.push_back(std::min(n, cuts.back() + size));
  }
  return cuts;
}

/** One product on its way: its plan, its slices, what all pieces share. */
struct Work {
  const Product& p;
  const Plan plan;
  const int64_t slice;
  const int64_t slices;
  const std::vector<int64_t> cuts;
  /** All of a factor in slices, each in panels; null: pieces pack their own. */
  float* packed_a = nullptr;
  float* packed_b = nullptr;
  /** Sums of all parts but the first, each `[m, n]`. */
  float* sums = nullptr;

  explicit Work(const Product& product)
      : p(product),
        plan(plan_of(product)),
        slice(even_part(p.depth, SLICE, 1)),
        slices(std::max<int64_t>(1, count_of(p.depth, slice))),
        cuts(column_cuts(plan, p.n)) {}

  int64_t row_pieces() const { return count_of(p.m, plan.rows); }
  int64_t pieces() const { return row_pieces() * (static_cast<int64_t>(cuts.size()) - 1); }
  int64_t depth_at(int64_t k0) const { return std::min(slice, p.depth - k0); }

  /** Packs panels of `unit` lines, `lines` in all, of every slice: `pack_lines(first, count, k0, k, out)` does one. */
  template <class PackLines>
  void share(int64_t lines, int64_t unit, float* out, PackLines pack_lines) const {
    const int64_t panels = count_of(lines, unit), size = round_up(lines, unit == ROWS ? ROWS : LANES);
    for_ranges(slices * panels, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t k0 = i / panels * slice, first = i % panels * unit, k = depth_at(k0);
        pack_lines(first, std::min(unit, lines - first), k0, k, out + size * k0 + first * k);
      }
    });
  }

  void share_a(Scratch& scratch) {
    packed_a = scratch.take(round_up(p.m, ROWS) * p.depth);
    share(p.m, ROWS, packed_a, [&](int64_t i, int64_t count, int64_t k0, int64_t k, float* out) {
      pack<ROWS>(p.a.data + i * p.a.row + k0 * p.a.column, p.a.row, p.a.column, count, k, out);
    });
  }

  void share_b(Scratch& scratch) {
    packed_b = scratch.take(round_up(p.n, LANES) * p.depth);
    share(p.n, COLUMNS, packed_b, [&](int64_t j, int64_t count, int64_t k0, int64_t k, float* out) {
      pack_columns(from(p.b, k0, j), count, k, out);
    });
  }

  Piece piece_at(int64_t index, int64_t part) const {
    const int64_t i0 = index % row_pieces() * plan.rows, *cut = &cuts[index / row_pieces()];
    return {i0, std::min(p.m, i0 + plan.rows), cut[0], cut[1], part};
  }

  /** One piece of C, summed over one part of the depth. */
  void compute(const Piece& piece) const {
    static thread_local Scratch own_a, own_b;
    const auto [i0, i1, j0, j1, part] = piece;
    float* own_rows = plan.packs_a && !packed_a ? own_a.take(round_up(i1 - i0, ROWS) * slice) : nullptr;
    float* own_panels = packed_b ? nullptr : own_b.take(round_up(j1 - j0, LANES) * slice);
    const int64_t first = slices * part / plan.parts, end = slices * (part + 1) / plan.parts;
    for (int64_t s = first; s < end; s++) {
      const int64_t k0 = s * slice, k = depth_at(k0);
      const float* a = p.a.data + i0 * p.a.row + k0 * p.a.column;
      if (own_rows) pack<ROWS>(a, p.a.row, p.a.column, i1 - i0, k, own_rows);
      if (!packed_b) pack_columns(from(p.b, k0, j0), j1 - j0, k, own_panels);
      const float* rows = packed_a ? packed_a + round_up(p.m, ROWS) * k0 + i0 * k : own_rows;
      const float* b = packed_b ? packed_b + round_up(p.n, LANES) * k0 + j0 * k : own_panels;
      if (rows) add_slice<true>({rows, 0, 0}, b, k, piece, s == first);
      else add_slice<false>({a, p.a.row, 1}, b, k, piece, s == first);
    }
    if (part == 0) add_second(piece, own_b);
  }

  /** While the piece lies in the cache. */
  void add_second(const Piece& piece, Scratch& scratch) const {
    const auto& [a, b, depth] = p.second;
    for (int64_t k0 = 0; k0 < depth; k0 += SLICE) {
      const int64_t k = std::min(SLICE, depth - k0);
      float* panels = scratch.take(round_up(piece.j1 - piece.j0, LANES) * k);
      pack_columns(from(b, k0, piece.j0), piece.j1 - piece.j0, k, panels);
      add_slice<false>({a.data + piece.i0 * a.row + k0 * a.column, a.row, a.column}, panels, k, piece, false);
    }
  }

  template <bool PACKED>
  void add_slice(Rows a, const float* b, int64_t k, const Piece& piece, bool is_first) const {
    for (int64_t j = piece.j0; j < piece.j1; j += COLUMNS, b += COLUMNS * k) {
      const int64_t columns = std::min<int64_t>(COLUMNS, piece.j1 - j);
      const Target target = target_of(piece.i0, j, piece.part, is_first);
      panel<PACKED>(a, packed_panel(b, columns), k, target, piece.i1 - piece.i0, columns, j == piece.j0);
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
  static thread_local Scratch shared_a, shared_b, partial;
  Work work(p);
  if (work.plan.shares_a) work.share_a(shared_a);
  if (work.plan.shares_b) work.share_b(shared_b);
  if (work.plan.parts > 1) work.sums = partial.take((work.plan.parts - 1) * p.m * p.n);
  Pool::get().run(work.pieces() * work.plan.parts, [&](int64_t i) { work.compute(work.piece_at(i / work.plan.parts, i % work.plan.parts)); });
  if (work.plan.parts > 1) work.add_parts();
}
