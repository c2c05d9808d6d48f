#include "linear.hpp"

#include <cmath>

namespace imputedb {

CrossProducts::CrossProducts(std::size_t features) : width_(features + 1), products_(width_ * width_) {}

void CrossProducts::add(const float* block, std::size_t rows) {
  std::vector<float> sums(width_);
  constexpr std::size_t kBlock = 256;  // rows summed in single precision before they join the doubles
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t end = begin + kBlock < rows ? begin + kBlock : rows;
    for (std::size_t i = 0; i < width_; ++i) {
      for (std::size_t j = i; j < width_; ++j) sums[j] = 0;
      for (std::size_t r = begin; r < end; ++r) {
        const float* row = block + r * width_;
        const float left = row[i];
        for (std::size_t j = i; j < width_; ++j) sums[j] += left * row[j];
      }
      for (std::size_t j = i; j < width_; ++j) products_[i * width_ + j] += sums[j];
    }
  }
  rows_ += static_cast<double>(rows);
}

void CrossProducts::add(const CrossProducts& other) {
  for (std::size_t i = 0; i < products_.size(); ++i) products_[i] += other.products_[i];
  rows_ += other.rows_;
}

std::vector<double> CrossProducts::solve(double ridge) const {
  const std::size_t p = width_ - 1;
  std::vector<double> lower(p * p), out(p);
  for (std::size_t i = 0; i < p; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = products_[j * width_ + i] + (i == j ? ridge : 0.0);
      for (std::size_t k = 0; k < j; ++k) sum -= lower[i * p + k] * lower[j * p + k];
      if (i == j) {
        if (!(sum > 1e-9)) return {};
        lower[i * p + i] = std::sqrt(sum);
      } else {
        lower[i * p + j] = sum / lower[j * p + j];
      }
    }
  }
  for (std::size_t i = 0; i < p; ++i) {
    double sum = products_[i * width_ + p];
    for (std::size_t k = 0; k < i; ++k) sum -= lower[i * p + k] * out[k];
    out[i] = sum / lower[i * p + i];
  }
  for (std::size_t i = p; i-- > 0;) {
    double sum = out[i];
    for (std::size_t k = i + 1; k < p; ++k) sum -= lower[k * p + i] * out[k];
    out[i] = sum / lower[i * p + i];
  }
  return out;
}

}  // namespace imputedb
