/**
 * AdamW (arXiv 1412.6980, 1711.05101) on one tensor in one pass: clip, decay, moments and step, where separate operations would go over the
 * parameters four times. Bias corrections are in `step_size` and `epsilon` (main/train/adamw.ts). Changes its arguments in place.
 */
#pragma once
#include "parallel.h"
#include "vector.h"

struct AdamWScalars {
  /** Factor on the gradient: the clip. */
  float clip;
  float beta1;
  float beta2;
  float step_size;
  float epsilon;
  float decay;
};

static inline Vec root_of(Vec x) {
  Vec root = {};
  for (int lane = 0; lane < LANES; lane++) root[lane] = __builtin_sqrtf(x[lane]);
  return root;
}

static void adamw(float* parameter, float* m, float* v, const float* gradient, int64_t count, const AdamWScalars& s) {
  const float kept = 1 - s.decay, fresh1 = 1 - s.beta1, fresh2 = 1 - s.beta2;
  for_ranges(count, 32768, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += LANES) {
      const int64_t left = end - i;
      const Vec g = load_upto(gradient + i, left) * s.clip;
      const Vec first = load_upto(m + i, left) * s.beta1 + g * fresh1;
      const Vec second = load_upto(v + i, left) * s.beta2 + g * g * fresh2;
      const Vec step = first * s.step_size / (root_of(second) + s.epsilon);
      store_upto(m + i, first, left);
      store_upto(v + i, second, left);
      store_upto(parameter + i, load_upto(parameter + i, left) * kept - step, left);
    }
  });
}
