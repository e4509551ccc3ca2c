#include "thread_pool.h"

#include <unistd.h>

#include <chrono>

namespace e3d::engine {

namespace {

  // A worker looks for the next call this often before it sleeps: calls of one time step follow each other
  // closely.
  constexpr int patience = 2000;

  inline void pause()
  {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  // As condition.wait(lock, ready), which GCC 12 and later take from a libstdc++ that is newer than what wheels
  // may ask for; wait_for is compiled in.
  template <class Ready>
  void wait(std::condition_variable &condition, std::unique_lock<std::mutex> &lock, const Ready &ready)
  {
    while (!condition.wait_for(lock, std::chrono::hours(1), ready)) {
    }
  }

}    // namespace

ThreadPool::ThreadPool(int threads) : process_(getpid())
{
  for (int k = 1; k < threads; k++) workers_.emplace_back([this, k] { wait_for_work(k); });
}

ThreadPool::~ThreadPool()
{
  if (getpid() != process_) {
    for (std::thread &worker : workers_) worker.detach();
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    round_++;
  }
  work_.notify_all();
  for (std::thread &worker : workers_) worker.join();
}

void ThreadPool::run(const std::function<void(int)> &task)
{
  if (workers_.empty() || getpid() != process_) {
    task(0);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    task_ = &task;
    busy_ = static_cast<int>(workers_.size());
    round_++;
  }
  work_.notify_all();
  task(0);
  for (int k = 0; k < patience && busy_; k++) pause();
  std::unique_lock<std::mutex> lock(mutex_);
  wait(done_, lock, [this] { return busy_ == 0; });
  task_ = nullptr;
}

void ThreadPool::wait_for_work(int thread)
{
  for (std::uint64_t seen = 0;;) {
    for (int k = 0; k < patience && round_ == seen; k++) pause();
    const std::function<void(int)> *task;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wait(work_, lock, [&] { return round_ != seen; });
      seen = round_;
      if (stop_) return;
      task = task_;
    }
    (*task)(thread);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      busy_--;
    }
    done_.notify_one();
  }
}

}    // namespace e3d::engine
