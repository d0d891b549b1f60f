/**
 * Gradients of a LoRA pair from what passes its linear layer: with h = γ·x·A and u = γ·g·Bᵀ,  dA = xᵀ·u,  dB = hᵀ·g  (main/lora/layer.ts). As four
 * products each of x and g would be read twice from memory and most of every register would lie idle at ranks below its width; here a few rows
 * at a time pass through all four while they lie in the cache, and the long side fills the registers. Sums are taken in PARTS ranges of rows,
 * whatever the number of threads.
 */
#pragma once
#include "small_product.h"

struct AdapterShape {
  int64_t rows;
  int64_t inputs;
  int64_t outputs;
  int64_t rank;
  /** γ. */
  float scaling;
};

/** Ranges of rows that are summed apart. */
constexpr int64_t ADAPTER_PARTS = 8;
/** Rows that pass through all four products at once. */
constexpr int64_t ADAPTER_ROWS = 64;

/** C = Sᵀ·X or C += Sᵀ·X for S `[depth, rank]` and X `[depth, width]`, both read where they lie; `scratch` takes depth × LANES values. */
static void add_outer(const float* s, const float* x, int64_t depth, int64_t rank, int64_t width, float* c, bool adds, float* scratch) {
  const int64_t whole = width / LANES * LANES;
  const Rows rows = {s, 1, rank};
  for (int64_t j = 0; j < whole; j += COLUMNS)
    panel<false>(rows, {x + j, width}, depth, {c + j, width, adds ? c + j : nullptr, width}, rank, std::min<int64_t>(COLUMNS, whole - j), false);
  if (whole == width) return;
  pack_columns({x + whole, width, 1}, width - whole, depth, scratch);
  panel<false>(rows, {scratch, LANES}, depth, {c + whole, width, adds ? c + whole : nullptr, width}, rank, width - whole, false);
}

/** dA `[inputs, rank]`, dB `[rank, outputs]` for x `[rows, inputs]`, g `[rows, outputs]`, A and B. */
static void adapter_gradient(const float* x, const float* g, const float* a, const float* b, const AdapterShape& s, float* da, float* db) {
  static thread_local Scratch shared;
  const int64_t a_size = s.rank * s.inputs, b_size = s.rank * s.outputs;
  const int64_t panels = packed_size(s.inputs + s.outputs, s.rank);
  float* sums = shared.take(ADAPTER_PARTS * (a_size + b_size) + panels);
  float* factors = sums + ADAPTER_PARTS * (a_size + b_size);
  const Packed down = packed({a, s.rank, 1}, s.inputs, s.rank, factors);
  const Packed up = packed({b, 1, s.outputs}, s.outputs, s.rank, factors + packed_size(s.inputs, s.rank));
  for (int64_t i = 0; i < panels; i++) factors[i] *= s.scaling;
  Pool::get().run(ADAPTER_PARTS, [&](int64_t part) {
    static thread_local Scratch own;
    float* h = own.take(ADAPTER_ROWS * (2 * s.rank + LANES));
    float *u = h + ADAPTER_ROWS * s.rank, *rest = u + ADAPTER_ROWS * s.rank;
    float *da_sum = sums + part * (a_size + b_size), *db_sum = da_sum + a_size;
    const int64_t begin = s.rows * part / ADAPTER_PARTS, end = s.rows * (part + 1) / ADAPTER_PARTS;
    if (begin == end) std::memset(da_sum, 0, 4 * (a_size + b_size));
    for (int64_t row = begin; row < end; row += ADAPTER_ROWS) {
      const int64_t rows = std::min(ADAPTER_ROWS, end - row);
      const float *x_rows = x + row * s.inputs, *g_rows = g + row * s.outputs;
      small_product({x_rows, s.inputs, 1}, rows, down, h, s.rank, false, false);
      small_product({g_rows, s.outputs, 1}, rows, up, u, s.rank, false, false);
      add_outer(u, x_rows, rows, s.rank, s.inputs, da_sum, row > begin, rest);
      add_outer(h, g_rows, rows, s.rank, s.outputs, db_sum, row > begin, rest);
    }
  });
  for (int64_t part = 1; part < ADAPTER_PARTS; part++)
    for (int64_t i = 0; i < a_size + b_size; i++) sums[i] += sums[part * (a_size + b_size) + i];
  for (int64_t i = 0; i < s.inputs; i++)
    for (int64_t r = 0; r < s.rank; r++) da[i * s.rank + r] = sums[r * s.inputs + i];
  std::memcpy(db, sums + a_size, 4 * b_size);
}
