/**
 * Prints, for products and adapter gradients of many sizes, the largest error against sums in double precision, relative to the sum of magnitudes,
 * and a hash of all results' bits. products.test.ts compiles and runs it for several processors and numbers of threads.
 */
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "adapter.h"
#include "gemm.h"

namespace {

struct Check {
  double worst = 0;
  uint64_t hash = 1469598103934665603u;  // FNV-1a

  void value(float found, double wanted, double magnitude) {
    const double error = std::abs(found - wanted) / std::max(magnitude, 1e-30);
    if (!(error <= worst)) worst = error;
    uint32_t bits;
    std::memcpy(&bits, &found, 4);
    hash = (hash ^ bits) * 1099511628211u;
  }
};

/** Without a pattern that sums would cancel. */
std::vector<float> noise(int64_t size, uint32_t seed) {
  std::vector<float> values(size);
  for (float& value : values) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<int32_t>(seed) * 4.6566129e-10f;
  }
  return values;
}

Matrix rows_of(const std::vector<float>& x, int64_t rows, int64_t columns, bool is_transposed) {
  return is_transposed ? Matrix{x.data(), 1, rows} : Matrix{x.data(), columns, 1};
}

double at(const Matrix& x, int64_t i, int64_t j) { return x.data[i * x.row + j * x.column]; }

void product(Check& check, int64_t m, int64_t n, int64_t k, bool ta, bool tb, int added, int64_t rank) {
  const auto a = noise(m * k, 1), b = noise(k * n, 2), a2 = noise(m * rank, 3), b2 = noise(rank * n, 4), other = noise(m * n, 5);
  std::vector<float> c = other;
  Product p = {m, n, k, rows_of(a, m, k, ta), rows_of(b, k, n, tb), nullptr, nullptr, c.data()};
  if (added == 1) p.bias = other.data();
  if (added == 2) p.addend = c.data();
  if (rank) p.second = {rows_of(a2, m, rank, ta), rows_of(b2, rank, n, tb), rank};
  multiply(p);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = added == 1 ? other[j] : added == 2 ? other[i * n + j] : 0, magnitude = std::abs(sum);
      for (int64_t l = 0; l < k + rank; l++) {
        const double term = l < k ? at(p.a, i, l) * at(p.b, l, j) : at(p.second.a, i, l - k) * at(p.second.b, l - k, j);
        sum += term;
        magnitude += std::abs(term);
      }
      check.value(c[i * n + j], sum, magnitude);
    }
}

void adapter(Check& check, int64_t rows, int64_t inputs, int64_t outputs, int64_t rank) {
  const auto x = noise(rows * inputs, 1), g = noise(rows * outputs, 2), a = noise(inputs * rank, 3), b = noise(rank * outputs, 4);
  std::vector<float> da(inputs * rank), db(rank * outputs);
  adapter_gradient(x.data(), g.data(), a.data(), b.data(), {rows, inputs, outputs, rank, 0.5f}, da.data(), db.data());
  for (int64_t r = 0; r < rank; r++) {
    std::vector<double> h(rows), u(rows), h_size(rows), u_size(rows);
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t i = 0; i < inputs; i++) h[row] += .5 * x[row * inputs + i] * a[i * rank + r], h_size[row] += std::abs(x[row * inputs + i] * a[i * rank + r]);
      for (int64_t o = 0; o < outputs; o++) u[row] += .5 * g[row * outputs + o] * b[r * outputs + o], u_size[row] += std::abs(g[row * outputs + o] * b[r * outputs + o]);
    }
    for (int64_t i = 0; i < inputs; i++) {
      double sum = 0, magnitude = 0;
      for (int64_t row = 0; row < rows; row++) sum += x[row * inputs + i] * u[row], magnitude += std::abs(x[row * inputs + i]) * u_size[row];
      check.value(da[i * rank + r], sum, magnitude);
    }
    for (int64_t o = 0; o < outputs; o++) {
      double sum = 0, magnitude = 0;
      for (int64_t row = 0; row < rows; row++) sum += h[row] * g[row * outputs + o], magnitude += h_size[row] * std::abs(g[row * outputs + o]);
      check.value(db[r * outputs + o], sum, magnitude);
    }
  }
}

}  // namespace

int main() {
  Check check;
  const int64_t sizes[][3] = {{1, 1, 1}, {7, 50, 3}, {65, 100, 33}, {197, 430, 401}, {600, 70, 90}, {530, 400, 64}, {20, 24, 900}, {200, 390, 401}};
  for (const auto& [m, n, k] : sizes)
    for (int way = 0; way < 4; way++)
      for (int added = 0; added < 3; added++) product(check, m, n, k, way & 1, way & 2, added, added == 0 ? 0 : 9);
  adapter(check, 3, 5, 7, 1);
  adapter(check, 150, 50, 33, 3);
  adapter(check, 1030, 20, 64, 20);
  std::printf("%.3g %016llx\n", check.worst, static_cast<unsigned long long>(check.hash));
}
