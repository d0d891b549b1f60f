/**
 * Vectors of floats as wide as the processor's registers, written with the compiler's own vector types (GCC, Clang), and the few functions
 * on them that the kernels share. Everything here gives the same bits whatever the number of threads.
 */
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float Vec __attribute__((vector_size(4 * LANES)));
typedef int32_t IntVec __attribute__((vector_size(4 * LANES)));

template <int FIRST, int... LANE>
static inline Vec interleaved(Vec a, Vec b, std::integer_sequence<int, LANE...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, (FIRST + LANE / 2 + LANE % 2 * LANES)...);
#else
  return __builtin_shuffle(a, b, IntVec{(FIRST + LANE / 2 + LANE % 2 * LANES)...});
#endif
}

/** LANES rows of LANES values to as many columns, by log2(LANES) perfect shuffles (Stone, "Parallel processing with the perfect shuffle", 1971). */
static inline __attribute__((always_inline)) void transpose(Vec (&rows)[LANES]) {
  const auto lanes = std::make_integer_sequence<int, LANES>{};
#pragma GCC unroll 4
  for (int round = 1; round < LANES; round *= 2) {
    Vec shuffled[LANES];
#pragma GCC unroll 8
    for (int i = 0; i < LANES / 2; i++) {
      shuffled[2 * i] = interleaved<0>(rows[i], rows[i + LANES / 2], lanes);
      shuffled[2 * i + 1] = interleaved<LANES / 2>(rows[i], rows[i + LANES / 2], lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) rows[i] = shuffled[i];
  }
}

/** Minus zero, because 0 + x would be an addition: it turns −0 into 0. */
static inline Vec splat(float value) { return value - Vec{}; }

static inline Vec load(const float* from) {
  Vec value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

static inline void store(float* to, Vec value) { std::memcpy(to, &value, sizeof value); }

/** The first `count` values, zeros after them. */
static inline Vec load_part(const float* from, int64_t count) {
  Vec value = {};
  std::memcpy(&value, from, 4 * count);
  return value;
}

/** The first `count` values, `fill` after them. */
static inline Vec filled_part(const float* from, int64_t count, float fill) {
  Vec value = splat(fill);
  std::memcpy(&value, from, 4 * count);
  return value;
}

static inline void store_part(float* to, Vec value, int64_t count) { std::memcpy(to, &value, 4 * count); }

/** The value's first `count` lanes, zeros after them. */
static inline Vec first_lanes(Vec value, int64_t count) {
  if (count >= LANES) return value;
  Vec kept = {};
  std::memcpy(&kept, &value, 4 * count);
  return kept;
}

static inline float sum_of(Vec value) {
  float sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += value[lane];
  return sum;
}

static inline float max_of(Vec value) {
  float largest = value[0];
  for (int lane = 1; lane < LANES; lane++) largest = value[lane] > largest ? value[lane] : largest;
  return largest;
}

static inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

static inline Vec magnitude(Vec x) { return (Vec)((IntVec)x & 0x7fffffff); }

/**
 * eˣ = 2ⁿ·eʳ with n = round(x/ln 2), |r| ≤ ½ ln 2, and eʳ by its Taylor series to r⁷/7!, whose rest is below 6e-9. ln 2 is split in two so that
 * n·ln 2 is exact. Below −87 it gives the smallest normal numbers and not zero: nobody here tells them apart. NaN stays NaN.
 */
static inline Vec exp_of(Vec x) {
  const Vec clamped = x > 88.f ? splat(88.f) : x < -87.f ? splat(-87.f) : x;
  const Vec shifted = clamped * 1.44269504f + 12582912.f;  // 1.5·2²³: the sum's low bits are n
  const Vec n = shifted - 12582912.f;
  const Vec r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec series = splat(1.f / 5040.f);
  series = series * r + 1.f / 720.f;
  series = series * r + 1.f / 120.f;
  series = series * r + 1.f / 24.f;
  series = series * r + 1.f / 6.f;
  series = series * r + .5f;
  series = series * r + 1.f;
  series = series * r + 1.f;
  const IntVec power = (((IntVec)shifted - 0x4b400000) + 127) << 23;
  const Vec value = series * (Vec)power;
  return x == x ? value : x;
}

/** Sums a function of (vector, place) over 0 … count: four running sums, so that an addition need not wait for the one before. */
template <class At>
static inline float reduce_sum(int64_t count, At at) {
  Vec sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES)
    for (int k = 0; k < 4; k++) sums[k] += at(i + k * LANES, (int64_t)LANES);
  for (; i + LANES <= count; i += LANES) sums[0] += at(i, (int64_t)LANES);
  if (i < count) sums[1] += at(i, count - i);
  return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/** `LANES` values, or the last few of a row. */
static inline Vec load_upto(const float* from, int64_t count) { return count >= LANES ? load(from) : load_part(from, count); }

static inline void store_upto(float* to, Vec value, int64_t count) {
  if (count >= LANES) store(to, value);
  else store_part(to, value, count);
}
