#include "pool.hpp"

#include <chrono>

namespace imputedb {

Pool::Pool(int threads) {
  for (int i = 1; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Pool::run(std::size_t count, const std::function<void(std::size_t)>& task, const std::function<void()>& between) {
  if (threads_.empty() || count < 2) {
    for (std::size_t i = 0; i < count; ++i) {
      task(i);
      between();
    }
    return;
  }
  Lock lock(mutex_);
  task_ = &task;
  next_ = 0;
  count_ = unfinished_ = count;
  ready_.notify_all();
  while (next_ < count_) {
    one(lock);
    lock.unlock();
    between();
    lock.lock();
  }
  while (!done_.wait_for(lock, std::chrono::milliseconds(50), [this] { return unfinished_ == 0; })) {
    lock.unlock();
    between();
    lock.lock();
  }
}

void Pool::one(Lock& lock) {
  const std::size_t place = next_++;
  const auto* task = task_;
  lock.unlock();
  (*task)(place);
  lock.lock();
  if (--unfinished_ == 0) done_.notify_all();
}

void Pool::work() {
  Lock lock(mutex_);
  while (true) {
    ready_.wait(lock, [this] { return ending_ || next_ < count_; });
    if (ending_) return;
    one(lock);
  }
}

}  // namespace imputedb
