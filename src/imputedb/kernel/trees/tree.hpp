// Histogram trees over 8-bit codes: grown best first, siblings' histograms by subtraction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace imputedb {

// Rows to learn from, the codes of a row side by side, and what is to be predicted.
struct Sample {
  std::vector<std::uint8_t> codes;
  std::vector<int> bins;        // per feature
  std::vector<float> y;         // regression
  std::vector<std::uint8_t> k;  // classification: class of each row
  int classes = 0;              // 0 for regression
  std::size_t rows() const { return classes ? k.size() : y.size(); }
  std::size_t width() const { return bins.size(); }
  const std::uint8_t* row(std::size_t i) const { return codes.data() + i * width(); }
};

struct Growth {
  int leaves = 32;
  int min_leaf = 10;
  double min_gain = 0;  // reduction of the sum of squares (or of Gini impurity times rows) a split must exceed
  std::span<const std::uint8_t> barred = {};  // per feature, whether no split may use it; none unless given
};

// A split sends codes 1..threshold left and greater ones right; missing ones (code 0) go where it says: where they help,
// or to the side of more rows if the rows that it was grown on miss nothing.
struct Node {
  int feature = -1;  // -1 in a leaf
  std::uint8_t threshold = 0;
  bool missing_left = true;
  bool gapless = false;  // hardly a row that it was grown on misses the feature: the split says nothing of those that do
  int left = -1, right = -1;
  int leaf = -1;
  float value = 0;  // mean of y, or the most frequent class
  double gain = 0;
  std::uint32_t begin = 0, rows = 0;  // which of the rows that the tree was grown on, however often each counts
};

struct Tree {
  std::vector<Node> nodes;
  int leaves = 0;
};

// `rows` are the places in the sample to grow on, each once; they are reordered, by node. `times` is, by place, how
// often a row counts; once unless given.
Tree grown(const Sample& sample, std::vector<std::uint32_t>& rows, const Growth& growth,
           std::span<const std::uint8_t> times = {});

}  // namespace imputedb
