#pragma once
#include <cstddef>
#include <string>

namespace tangra {

/// What the stages of a run take, told from shapes before the first of them works: each states, in the run's order, what it
/// holds from then on and what it uses beside that. The run fits where the worst moment does.
class MemoryNeeds {
 public:
  /// `bytes` that are held from here on. `what` names them in a message.
  void hold(std::size_t bytes, const std::string& what);
  /// Of what is held, `bytes` are no longer.
  void give_back(std::size_t bytes);
  /// A stage that works with no fewer than `bytes` beside what is held, and is much quicker with `better`, where that is more.
  void use(std::size_t bytes, const std::string& what, std::size_t better = 0);

  /// Bytes that all stages can do with.
  std::size_t least() const { return least_; }
  /// Bytes with which none of them is slow for lack of memory.
  std::size_t better() const { return better_; }
  /// The largest single thing that is held or at work at the moment of least().
  const std::string& what() const { return what_; }
  /// Bytes held behind the last stage; below 0 where something was given back that was held before the first.
  long long held() const { return held_; }

 private:
  long long held_ = 0;
  std::size_t least_ = 0;
  std::size_t better_ = 0;
  std::string what_;
  std::size_t largest_ = 0;  ///< of what is held
  std::string largest_what_;
};

/// As human_bytes(), rounded up to what is printed: a budget that is enough.
std::string enough_bytes(std::size_t bytes);

}  // namespace tangra
