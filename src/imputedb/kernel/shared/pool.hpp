// Threads that share numbered tasks.
#pragma once

#include <functional>
#include <memory>

namespace imputedb {

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Runs task(0) .. task(count - 1), the caller's thread among the workers; `between` is called on it between tasks.
  void run(std::size_t count, const std::function<void(std::size_t)>& task, const std::function<void()>& between);

 private:
  struct Shared;
  void start();

  int threads_;
  std::shared_ptr<Shared> shared_;  // with the workers: one that the system wakes too late is never waited for
};

}  // namespace imputedb
