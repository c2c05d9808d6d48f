// A pool of threads that share numbered tasks.
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

  // Runs task(0) .. task(count - 1), also on the caller's thread, which calls `progress` between tasks.
  void run(std::size_t count, const std::function<void(std::size_t)>& task, const std::function<void()>& progress);

 private:
  struct Shared;
  void start();

  int threads_;
  std::shared_ptr<Shared> shared_;  // shared with the workers, since a worker may wake after the pool is gone
};

}  // namespace imputedb
