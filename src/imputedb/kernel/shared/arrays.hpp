// The caller's arrays, as Python passes them: contiguous, one-dimensional, of one type.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <span>

namespace imputedb {

namespace nb = nanobind;

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Place = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
std::span<const T> read(const Array<T>& array) {
  return {array.data(), array.shape(0)};
}

}  // namespace imputedb
