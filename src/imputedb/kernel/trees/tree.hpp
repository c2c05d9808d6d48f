// Histogram trees over 8-bit codes, grown best split first; a sibling's histogram is found by subtraction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace imputedb {

// Training rows: their codes, row by row, and the target.
struct Sample {
  std::vector<std::uint8_t> codes;
  std::vector<int> bins;        // by feature, the number of codes
  std::vector<float> y;         // regression: the target
  std::vector<std::uint8_t> k;  // classification: the class of each row
  int classes = 0;              // 0 for regression
  std::size_t rows() const { return classes ? k.size() : y.size(); }
  std::size_t width() const { return bins.size(); }
  const std::uint8_t* row(std::size_t i) const { return codes.data() + i * width(); }
};

struct Growth {
  int leaves = 32;
  int min_leaf = 10;
  double min_gain = 0;  // reduction of the sum of squares (or of Gini impurity times rows) that a split must exceed
  std::span<const std::uint8_t> barred = {};  // by feature, whether no split may use it; none unless given
};

// A split sends codes 1..threshold left and larger ones right. Missing values (code 0) go to the side that lowers the
// loss most, or to the side with more rows if no training row misses the feature.
struct Node {
  int feature = -1;  // -1 in a leaf
  std::uint8_t threshold = 0;
  bool missing_left = true;
  bool gapless = false;  // hardly any training row misses the feature, so that the side of missing ones is unknown
  int left = -1, right = -1;
  int leaf = -1;
  float value = 0;  // mean of y, or the most frequent class
  double gain = 0;
  std::uint32_t begin = 0, rows = 0;  // its range of the training rows, each counted once
};

struct Tree {
  std::vector<Node> nodes;
  int leaves = 0;
};

// A tree grown on some rows of the sample. `rows` are their places, each once; they are reordered by node. `times` is,
// by place, how often a row counts; once unless given.
Tree grown(const Sample& sample, std::vector<std::uint32_t>& rows, const Growth& growth,
           std::span<const std::uint8_t> times = {});

}  // namespace imputedb
