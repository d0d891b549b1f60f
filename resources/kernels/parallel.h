/**
 * A small pool of threads. Kernels hand it independent pieces of work, numbered; who does which piece never changes a result. A kernel's own
 * thread works too, so that kernels that run beside one another (TensorFlow's inter-op threads) cannot wait for each other.
 */
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

class Pool {
 public:
  static Pool& get() {
    static Pool* pool = new Pool(wanted_threads());  // never deleted: its threads may outlive static destruction
    return *pool;
  }

  int threads() const { return helpers_ + 1; }

  /** Calls `piece(i)` for every i in 0 … count − 1, on this thread and on whoever is free. */
  template <class Piece>
  void run(int64_t count, Piece piece) {
    if (count <= 0) return;
    if (count == 1 || helpers_ == 0) {
      for (int64_t i = 0; i < count; i++) piece(i);
      return;
    }
    auto job = std::make_shared<Job>();
    job->count = count;
    job->context = &piece;
    job->call = [](void* context, int64_t i) { (*static_cast<Piece*>(context))(i); };
    announce(job, count - 1 < helpers_ ? static_cast<int>(count - 1) : helpers_);
    work(*job);
    const auto is_done = [&] { return job->done.load(std::memory_order_acquire) >= count; };
    if (spins_until(is_done)) return;
    while (!is_done()) std::this_thread::yield();  // whoever has the last piece may be waiting for this core
  }

 private:
  struct Job {
    int64_t count = 0;
    void* context = nullptr;
    void (*call)(void*, int64_t) = nullptr;
    std::atomic<int64_t> next{0};
    std::atomic<int64_t> done{0};
  };

  explicit Pool(int threads) : helpers_(threads - 1) {
    for (int i = 0; i < helpers_; i++) std::thread([this] { help(); }).detach();
  }

  /** TensorFlow's own setting (engine/environment.ts), else all processors. */
  static int wanted_threads() {
    const char* text = std::getenv("TF_NUM_INTRAOP_THREADS");
    const int asked = text ? std::atoi(text) : 0;
    const int there = static_cast<int>(std::thread::hardware_concurrency());
    return asked > 0 ? asked : there > 0 ? there : 1;
  }

  static void work(Job& job) {
    for (;;) {
      const int64_t i = job.next.fetch_add(1, std::memory_order_relaxed);
      if (i >= job.count) return;
      job.call(job.context, i);
      job.done.fetch_add(1, std::memory_order_release);
    }
  }

  void announce(const std::shared_ptr<Job>& job, int helpers) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (int i = 0; i < helpers; i++) jobs_.push_back(job);
      waiting_.store(static_cast<int>(jobs_.size()), std::memory_order_release);
    }
    if (helpers == 1) wake_.notify_one();
    else wake_.notify_all();
  }

  void help() {
    for (;;) {
      spins_until([this] { return waiting_.load(std::memory_order_acquire) > 0; });
      std::shared_ptr<Job> job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [this] { return !jobs_.empty(); });
        job = std::move(jobs_.front());
        jobs_.pop_front();
        waiting_.store(static_cast<int>(jobs_.size()), std::memory_order_release);
      }
      work(*job);
    }
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
  }

  /** Whether it became true within about the time that falling asleep and being woken costs: the next kernel usually comes sooner. */
  template <class Condition>
  static bool spins_until(Condition is_true) {
    constexpr auto LONGEST = std::chrono::microseconds(100);
    constexpr int BETWEEN_LOOKS_AT_THE_CLOCK = 32;
    const auto end = std::chrono::steady_clock::now() + LONGEST;
    do {
      for (int i = 0; i < BETWEEN_LOOKS_AT_THE_CLOCK; i++) {
        if (is_true()) return true;
        pause();
      }
    } while (std::chrono::steady_clock::now() < end);
    return false;
  }

  const int helpers_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  std::atomic<int> waiting_{0};
};

/** Calls `piece(begin, end)` for consecutive ranges of at most `size` items. The ranges do not depend on the number of threads. */
template <class Piece>
static void for_ranges(int64_t items, int64_t size, Piece piece) {
  Pool::get().run((items + size - 1) / size, [&](int64_t i) { piece(i * size, (i + 1) * size < items ? (i + 1) * size : items); });
}

/** Memory that a kernel needs while it runs, aligned to cache lines, kept for the next one on this thread. */
class Scratch {
 public:
  float* take(size_t floats) {
    if (floats > size_) {
      std::free(memory_);
      memory_ = static_cast<float*>(std::aligned_alloc(64, (4 * floats + 63) / 64 * 64));
      size_ = memory_ ? floats : 0;
    }
    return memory_;
  }
  ~Scratch() { std::free(memory_); }

 private:
  float* memory_ = nullptr;
  size_t size_ = 0;
};
