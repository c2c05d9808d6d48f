// A few threads that share out numbered tasks. Which thread takes which task decides nothing.
#pragma once

#include <atomic>
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
  void run(std::size_t count, const std::function<void(std::size_t)>& task, const std::function<void()>& between);

 private:
  void work();

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable ready_, done_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::atomic<std::size_t> next_{0};
  std::size_t count_ = 0, busy_ = 0;
  std::uint64_t round_ = 0;
  bool ending_ = false;
};

}  // namespace imputedb
