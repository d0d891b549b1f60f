/**
 * LayerNorm over rows of length D (arXiv 1607.06450) and its gradient. A row is read from memory once and then lies in the cache:
 *   x̂ = (x − μ)/σ,  y = x̂·weight + bias,  h = g·weight,
 *   dx = (h − mean(h) − x̂·mean(h·x̂))/σ,  dweight = Σ g·x̂,  dbias = Σ g.
 */
#pragma once
#include <cmath>

#include "parallel.h"
#include "vector.h"

/** Rows per piece of work, and per partial sum of the weight's gradient. */
constexpr int64_t NORM_ROWS = 64;

/** y `[rows, d]`; `mean` and `inverse_std` `[rows]` for the backward pass. */
static void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t rows, int64_t d, float* y, float* mean,
                       float* inverse_std) {
  for_ranges(rows, NORM_ROWS, [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* from = x + row * d;
      const float centre = reduce_sum(d, [=](int64_t i, int64_t left) { return load_upto(from + i, left); }) / d;
      const float square = reduce_sum(d, [=](int64_t i, int64_t left) {
        const Vec apart = load_upto(from + i, left) - first_lanes(splat(centre), left);
        return apart * apart;
      });
      const float scale = 1 / std::sqrt(square / d + eps);
      mean[row] = centre;
      inverse_std[row] = scale;
      for (int64_t i = 0; i < d; i += LANES) {
        const int64_t left = d - i;
        const Vec normal = (load_upto(from + i, left) - centre) * scale;
        store_upto(y + row * d + i, normal * load_upto(weight + i, left) + load_upto(bias + i, left), left);
      }
    }
  });
}

/**
 * dx `[rows, d]`, which may be `g`; where `sums` is not null also dweight and dbias, `[2, d]`. The sums over rows are taken block by block and the
 * blocks added in order, so that they do not depend on who did what.
 */
static void layer_norm_gradient(const float* g, const float* x, const float* mean, const float* inverse_std, const float* weight,
                                int64_t rows, int64_t d, float* dx, float* sums) {
  static thread_local Scratch scratch;
  const int64_t blocks = (rows + NORM_ROWS - 1) / NORM_ROWS;
  float* partial = sums ? scratch.take(blocks * 2 * d) : nullptr;
  if (partial) std::memset(partial, 0, 4 * blocks * 2 * d);
  for_ranges(rows, NORM_ROWS, [=](int64_t begin, int64_t end) {
    float* own = partial ? partial + begin / NORM_ROWS * 2 * d : nullptr;
    for (int64_t row = begin; row < end; row++) {
      const float *slope = g + row * d, *from = x + row * d;
      const float centre = mean[row], scale = inverse_std[row];
      const float h_mean = reduce_sum(d, [=](int64_t i, int64_t left) { return load_upto(slope + i, left) * load_upto(weight + i, left); }) / d;
      // Past the end of the row the slope is 0, whatever x − μ is there.
      const float along = reduce_sum(d, [=](int64_t i, int64_t left) {
        return load_upto(slope + i, left) * load_upto(weight + i, left) * ((load_upto(from + i, left) - centre) * scale);
      }) / d;
      for (int64_t i = 0; i < d; i += LANES) {
        const int64_t left = d - i;
        const Vec value = load_upto(slope + i, left);
        const Vec normal = (load_upto(from + i, left) - centre) * scale;
        if (own) {
          store_upto(own + i, load_upto(own + i, left) + value * normal, left);
          store_upto(own + d + i, load_upto(own + d + i, left) + value, left);
        }
        store_upto(dx + row * d + i, (value * load_upto(weight + i, left) - h_mean - normal * along) * scale, left);
      }
    }
  });
  if (!sums) return;
  for_ranges(2 * d, 1024, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += LANES) {
      Vec sum = {};
      for (int64_t block = 0; block < blocks; block++) sum += load_upto(partial + block * 2 * d + i, end - i);
      store_upto(sums + i, sum, end - i);
    }
  });
}
