/** Products of one thread, inside kernels that share out something larger: B is packed once and used for many rows. */
#pragma once
#include "gemm.h"

/** A factor of a small product, packed once and used for many: [depth, n] in panels. */
struct Packed {
  const float* data;
  int64_t depth;
  int64_t n;
};

static inline int64_t packed_size(int64_t depth, int64_t n) { return round_up(n, LANES) * depth; }

static Packed packed(Matrix b, int64_t depth, int64_t n, float* out) {
  pack_columns(b, n, depth, out);
  return {out, depth, n};
}

/** C = A·B or C += A·B on this thread; A is read where it lies, ahead where nobody `has_read` it yet. */
static void small_product(Matrix a, int64_t m, const Packed& b, float* c, int64_t c_row, bool adds, bool has_read = true) {
  for (int64_t j = 0; j < b.n; j += COLUMNS) {
    const int64_t columns = std::min<int64_t>(COLUMNS, b.n - j);
    const Target target = {c + j, c_row, adds ? c + j : nullptr, c_row};
    panel<false>({a.data, a.row, a.column}, packed_panel(b.data + j * b.depth, columns), b.depth, target, m, columns, !has_read && j == 0);
  }
}
