/**
 * Exact GELU, x·Φ(x) (arXiv 1606.08415), and its gradient, one pass each. Φ(−|x|) = ½·erfc(z) = exp(−z²)·½·erfcx(z) with z = |x|/√2; ½·erfcx is a
 * polynomial in t = 1/(1 + z/2) (test/reference/erfcx_coefficients.py made the coefficients: error of Φ below 2e-7). The density
 * φ(x) = exp(−z²)/√(2π) of the gradient comes from the same exponential.
 */
#pragma once
#include "parallel.h"
#include "vector.h"

/** Values per piece of work. */
constexpr int64_t GELU_RANGE = 16384;

struct Normal {
  Vec cdf;
  Vec exponential;
};

static inline Normal normal_of(Vec x) {
  const Vec z = magnitude(x) * 0.707106781f;
  const Vec t = 1.f / (1.f + z * .5f);
  Vec tail = splat(-1.297956158e-02f);
  tail = tail * t + 1.078875473e-01f;
  tail = tail * t - 3.092707216e-01f;
  tail = tail * t + 3.405366327e-01f;
  tail = tail * t - 7.727762322e-02f;
  tail = tail * t + 1.790189562e-01f;
  tail = tail * t + 1.298605756e-01f;
  tail = tail * t + 1.422813235e-01f;
  tail = tail * t - 5.710285172e-05f;
  const Vec exponential = exp_of(z * -z);
  const Vec below = tail * exponential;
  return {x < 0.f ? below : 1.f - below, exponential};
}

static void gelu(const float* x, int64_t count, float* y) {
  for_ranges(count, GELU_RANGE, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += LANES) {
      const Vec value = load_upto(x + i, end - i);
      store_upto(y + i, value * normal_of(value).cdf, end - i);
    }
  });
}

/** dx = g·(Φ(x) + x·φ(x)); `dx` may be `g`. */
static void gelu_gradient(const float* g, const float* x, int64_t count, float* dx) {
  for_ranges(count, GELU_RANGE, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += LANES) {
      const Vec value = load_upto(x + i, end - i);
      const Normal normal = normal_of(value);
      const Vec slope = normal.cdf + value * normal.exponential * 0.398942280f;
      store_upto(dx + i, load_upto(g + i, end - i) * slope, end - i);
    }
  });
}
