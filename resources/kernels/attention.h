/**
 * softmax(q·kᵀ/√Dh)·v for all heads (arXiv 1706.03762) on rows as the linear layers give them, [B·N, H·Dh]: no transposing for the heads. Scores
 * exist for a block of queries at a time and are computed again in the backward pass from the row's log-sum-exp, the idea of
 * FlashAttention (arXiv 2205.14135); a whole row of scores lies in the cache here, so no running rescaling is needed.
 * With P = softmax(S):  dV = Pᵀ·g,  dP = g·Vᵀ,  dS = P·(dP − Σ dP·P),  dq = s·dS·k,  dk = s·dSᵀ·q.
 */
#pragma once
#include <cmath>

#include "small_product.h"

struct AttentionShape {
  int64_t batch;
  int64_t heads;
  /** Rows that ask, and that answer, per sample. */
  int64_t queries;
  int64_t tokens;
  int64_t head_width;
  float scale;

  int64_t width() const { return heads * head_width; }
};

/** Queries of one block: their scores against all tokens stay in the second-level cache. */
static inline int64_t block_of(const AttentionShape& shape) {
  const int64_t rows = 48 * 1024 / std::max<int64_t>(shape.tokens, 1);
  return std::min(shape.queries, std::max<int64_t>(round_up(rows + 1, ROWS) - ROWS, ROWS));
}

static inline Matrix head_rows(const float* x, int64_t sample, int64_t rows, int64_t head, const AttentionShape& s) {
  return {x + sample * rows * s.width() + head * s.head_width, s.width(), 1};
}

/** Rows of scores to rows of exp(s·(S − max)), not yet divided by their sums; `each(row, max·s, sum)` hears of every row. */
template <class Each>
static void exponentials(float* scores, int64_t rows, int64_t tokens, float scale, Each each) {
  for (int64_t row = 0; row < rows; row++) {
    float* values = scores + row * tokens;
    Vec largest = splat(values[0]);
    for (int64_t j = 0; j < tokens; j += LANES) {
      const int64_t left = tokens - j;
      largest = max(largest, left >= LANES ? load(values + j) : filled_part(values + j, left, values[0]));
    }
    const float top = max_of(largest) * scale;
    const float sum = reduce_sum(tokens, [=](int64_t j, int64_t left) {
      const Vec value = exp_of(load_upto(values + j, left) * scale - top);
      store_upto(values + j, value, left);
      return first_lanes(value, left);
    });
    each(row, top, sum);
  }
}

/** out `[B·queries, H·Dh]`, and per row and head the log-sum-exp of its scaled scores, `[B, H, queries]`. */
static void attention(const float* q, const float* k, const float* v, const AttentionShape& s, float* out, float* log_sums) {
  const int64_t block = block_of(s);
  Pool::get().run(s.batch * s.heads, [&](int64_t task) {
    static thread_local Scratch scratch;
    const int64_t sample = task / s.heads, head = task % s.heads;
    const Matrix qs = head_rows(q, sample, s.queries, head, s), ks = head_rows(k, sample, s.tokens, head, s),
                 vs = head_rows(v, sample, s.tokens, head, s);
    float* memory = scratch.take(packed_size(s.head_width, s.tokens) + packed_size(s.tokens, s.head_width) + block * s.tokens);
    const Packed keys = packed({ks.data, ks.column, ks.row}, s.head_width, s.tokens, memory);
    const Packed values = packed(vs, s.tokens, s.head_width, memory + packed_size(s.head_width, s.tokens));
    float* scores = memory + packed_size(s.head_width, s.tokens) + packed_size(s.tokens, s.head_width);
    float* sums = log_sums + task * s.queries;
    for (int64_t first = 0; first < s.queries; first += block) {
      const int64_t rows = std::min(block, s.queries - first);
      small_product({qs.data + first * qs.row, qs.row, 1}, rows, keys, scores, s.tokens, false);
      exponentials(scores, rows, s.tokens, s.scale, [&](int64_t row, float top, float sum) {
        sums[first + row] = top + std::log(sum);
        const float factor = 1 / sum;
        for (int64_t j = 0; j < s.tokens; j += LANES)
          store_upto(scores + row * s.tokens + j, load_upto(scores + row * s.tokens + j, s.tokens - j) * factor, s.tokens - j);
      });
      float* to = out + (sample * s.queries + first) * s.width() + head * s.head_width;
      small_product({scores, s.tokens, 1}, rows, values, to, s.width(), false);
    }
  });
}

/** Scores of a block become P, and dP becomes dS/s: both from what the forward pass kept. */
static void score_gradients(float* p, float* dp, const float* log_sums, int64_t rows, int64_t tokens, float scale) {
  for (int64_t row = 0; row < rows; row++) {
    float *weights = p + row * tokens, *slopes = dp + row * tokens;
    const float log_sum = log_sums[row];
    const float along = reduce_sum(tokens, [=](int64_t j, int64_t left) {
      const Vec weight = exp_of(load_upto(weights + j, left) * scale - log_sum);
      store_upto(weights + j, weight, left);
      return weight * load_upto(slopes + j, left);
    });
    for (int64_t j = 0; j < tokens; j += LANES) {
      const int64_t left = tokens - j;
      store_upto(slopes + j, load_upto(weights + j, left) * (load_upto(slopes + j, left) - along) * scale, left);
    }
  }
}

/** dq `[B·queries, H·Dh]`, dk and dv `[B·tokens, H·Dh]` for the gradient `g` of the result. */
static void attention_gradient(const float* g, const float* q, const float* k, const float* v, const float* log_sums,
                               const AttentionShape& s, float* dq, float* dk, float* dv) {
  const int64_t block = block_of(s);
  const int64_t turned = packed_size(s.head_width, s.tokens), straight = packed_size(s.tokens, s.head_width),
                slice = packed_size(block, s.head_width);
  Pool::get().run(s.batch * s.heads, [&](int64_t task) {
    static thread_local Scratch scratch;
    const int64_t sample = task / s.heads, head = task % s.heads, width = s.width();
    const Matrix gs = head_rows(g, sample, s.queries, head, s), qs = head_rows(q, sample, s.queries, head, s),
                 ks = head_rows(k, sample, s.tokens, head, s), vs = head_rows(v, sample, s.tokens, head, s);
    float* memory = scratch.take(2 * turned + straight + 2 * slice + 2 * block * s.tokens);
    const Packed keys_across = packed({ks.data, ks.column, ks.row}, s.head_width, s.tokens, memory);
    const Packed values_across = packed({vs.data, vs.column, vs.row}, s.head_width, s.tokens, memory + turned);
    const Packed keys = packed(ks, s.tokens, s.head_width, memory + 2 * turned);
    float *packed_g = memory + 2 * turned + straight, *packed_q = packed_g + slice, *p = packed_q + slice, *dp = p + block * s.tokens;
    const int64_t answered = sample * s.tokens * width + head * s.head_width, asked = sample * s.queries * width + head * s.head_width;
    for (int64_t first = 0; first < s.queries; first += block) {
      const int64_t rows = std::min(block, s.queries - first);
      const Matrix g_rows = {gs.data + first * width, width, 1}, q_rows = {qs.data + first * width, width, 1};
      small_product(q_rows, rows, keys_across, p, s.tokens, false);
      small_product(g_rows, rows, values_across, dp, s.tokens, false);
      score_gradients(p, dp, log_sums + task * s.queries + first, rows, s.tokens, s.scale);
      small_product({dp, s.tokens, 1}, rows, keys, dq + asked + first * width, width, false);
      const Packed slopes = packed(g_rows, rows, s.head_width, packed_g), asking = packed(q_rows, rows, s.head_width, packed_q);
      small_product({p, 1, s.tokens}, s.tokens, slopes, dv + answered, width, first > 0);
      small_product({dp, 1, s.tokens}, s.tokens, asking, dk + answered, width, first > 0);
    }
  });
}
