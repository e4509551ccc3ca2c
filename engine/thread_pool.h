// Some threads that wait for work. LAMMPS and torch each bring an OpenMP runtime; a third one in the same
// process would fight with them for the cores.
#ifndef E3D_ENGINE_THREAD_POOL_H
#define E3D_ENGINE_THREAD_POOL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace e3d::engine {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);    // the caller of run() is one of them
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // task(thread) on every thread, thread 0 being the caller; returns when all are done. A task must not
  // throw. In a process that was forked from the pool's own the other threads are gone: on thread 0 alone.
  void run(const std::function<void(int)> &task);

 private:
  const int process_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable work_, done_;
  const std::function<void(int)> *task_ = nullptr;
  std::atomic<std::uint64_t> round_{0};    // of calls of run()
  std::atomic<int> busy_{0};
  bool stop_ = false;

  void wait_for_work(int thread);
};

}    // namespace e3d::engine

#endif
