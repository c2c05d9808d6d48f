// Signals and progress, asked for on the caller's thread while it does not hold the interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>

namespace imputedb {

class Caller {
 public:
  explicit Caller(nanobind::object progress) : progress_(std::move(progress)) {}

  // Whether to stop; a Python error is set then.
  bool operator()(double share) {
    const nanobind::gil_scoped_acquire lock;
    if (PyErr_CheckSignals() != 0) return true;
    if (progress_.is_none() || share < told_ + 0.01) return false;
    told_ = share;
    PyObject* answer = PyObject_CallFunction(progress_.ptr(), "d", share);
    Py_XDECREF(answer);
    return answer == nullptr;
  }

 private:
  nanobind::object progress_;
  double told_ = -1;
};

}  // namespace imputedb
