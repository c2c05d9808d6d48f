#include "shared/pool.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace imputedb {

struct Pool::Shared {
  using Lock = std::unique_lock<std::mutex>;

  std::mutex mutex;
  std::condition_variable ready, done;
  const std::function<void(std::size_t)>* task = nullptr;
  std::size_t next = 0, count = 0, unfinished = 0;
  bool ending = false;

  // Runs the next task, without the lock.
  void one(Lock& lock) {
    const std::size_t place = next++;
    const auto* now = task;
    lock.unlock();
    (*now)(place);
    lock.lock();
    if (--unfinished == 0) done.notify_all();
  }

  void work() {
    Lock lock(mutex);
    while (true) {
      ready.wait(lock, [this] { return ending || next < count; });
      if (ending) return;
      one(lock);
    }
  }
};

Pool::Pool(int threads) : threads_(threads) {}

Pool::~Pool() {
  if (!shared_) return;
  const std::lock_guard lock(shared_->mutex);
  shared_->ending = true;
  shared_->ready.notify_all();
}

void Pool::start() {
  shared_ = std::make_shared<Shared>();
  for (int i = 1; i < threads_; ++i) std::thread([shared = shared_] { shared->work(); }).detach();
}

void Pool::run(std::size_t count, const std::function<void(std::size_t)>& task, const std::function<void()>& progress) {
  if (threads_ < 2 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) {
      task(i);
      progress();
    }
    return;
  }
  if (!shared_) start();
  Shared& shared = *shared_;
  Shared::Lock lock(shared.mutex);
  shared.task = &task;
  shared.next = 0;
  shared.count = shared.unfinished = count;
  shared.ready.notify_all();
  while (shared.next < shared.count) {
    shared.one(lock);
    lock.unlock();
    progress();
    lock.lock();
  }
  while (!shared.done.wait_for(lock, std::chrono::milliseconds(50), [&] { return shared.unfinished == 0; })) {
    lock.unlock();
    progress();
    lock.lock();
  }
}

}  // namespace imputedb
