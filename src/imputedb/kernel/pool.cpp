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
  {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    count_ = count;
    next_ = 0;
    busy_ = threads_.size();
    ++round_;
  }
  ready_.notify_all();
  for (std::size_t i = next_++; i < count; i = next_++) {
    task(i);
    between();
  }
  std::unique_lock lock(mutex_);
  while (!done_.wait_for(lock, std::chrono::milliseconds(50), [this] { return busy_ == 0; })) {
    lock.unlock();
    between();
    lock.lock();
  }
}

void Pool::work() {
  std::uint64_t seen = 0;
  while (true) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return ending_ || round_ != seen; });
    if (ending_) return;
    seen = round_;
    const auto* task = task_;
    const std::size_t count = count_;
    lock.unlock();
    for (std::size_t i = next_++; i < count; i = next_++) (*task)(i);
    lock.lock();
    if (--busy_ == 0) done_.notify_all();
  }
}

}  // namespace imputedb
