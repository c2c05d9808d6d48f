// Signals and progress, handled on the caller's thread, which does not hold the interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>

namespace imputedb {

class Caller {
 public:
  explicit Caller(nanobind::object progress) : progress_(std::move(progress)) {}

  // Whether to stop; a Python error is then set. The progress function is called for each percent, and at least every
  // fifth of a second, since it may ask to stop.
  bool operator()(double share) {
    const nanobind::gil_scoped_acquire lock;
    if (PyErr_CheckSignals() != 0) return true;
    const auto now = Clock::now();
    if (progress_.is_none() || (share < told_ + 0.01 && now < due_)) return false;
    told_ = share;
    due_ = now + std::chrono::milliseconds(200);
    PyObject* answer = PyObject_CallFunction(progress_.ptr(), "d", share);
    Py_XDECREF(answer);
    return answer == nullptr;
  }

 private:
  using Clock = std::chrono::steady_clock;

  nanobind::object progress_;
  double told_ = -1;
  Clock::time_point due_ = Clock::now();
};

}  // namespace imputedb
