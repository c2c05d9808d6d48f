// A few threads that share out numbered tasks. Which thread takes which task decides nothing.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace imputedb {

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Runs task(0) .. task(count - 1), the caller's thread among the workers; `between` is called on it between tasks.
  // A worker that the system does not wake in time is not waited for.
  void run(std::size_t count, const std::function<void(std::size_t)>& task, const std::function<void()>& between);

 private:
  using Lock = std::unique_lock<std::mutex>;
  void work();
  void one(Lock& lock);  // runs the next task, unlocked meanwhile

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable ready_, done_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::size_t next_ = 0, count_ = 0, unfinished_ = 0;
  bool ending_ = false;
};

}  // namespace imputedb
